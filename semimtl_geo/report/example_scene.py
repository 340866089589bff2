"""A scene of a figure, and names as figures show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from semimtl_geo.tasks import Task

HIDDEN: Final = "labels that the scenario hides"
"""Note beside what has labels that training must not use; only an oracle sees them."""

EDGE: Final = 420
"""Longer edge of the images of a scene in pixels."""


@dataclass(frozen=True)
class ExampleScene:
    """Scene of a figure, with its labels and its maps.

    Attributes:
        domain: Domain of the scene.
        image: The orthophoto.
        truth: Label rasters, by task name.
        maps: Map rasters, by method and task name.
        hidden: Names of the tasks whose labels the training never saw in this domain.

    Example:
        >>> maps = {"SemiMTL": {"height": Path("height.tif")}}
        >>> scene = ExampleScene("city_a", Path("ortho.tif"), {}, maps, hidden=["height"])
        >>> humanize(scene.domain)
        'City A'
    """

    domain: str
    image: Path
    truth: Mapping[str, Path]
    maps: Mapping[str, Mapping[str, Path]]
    hidden: Sequence[str]


def humanize(name: str) -> str:
    """Return a name as in running text: ``city_a`` is City A, ``landcover`` is land cover."""
    if name == "landcover":
        return "land cover"
    words = name.split("_")
    return " ".join(map(str.capitalize, words)) if len(words) > 1 and name.islower() else name


def methods(scenes: Sequence[ExampleScene], task: Task) -> list[str]:
    """Return the methods that mapped a task in any scene.

    A method that a later scene adds follows the one that it follows there, so that the columns of
    figures agree.

    Example:
        >>> from semimtl_geo.tasks import Depth
        >>> maps = {"height": Path("height.tif")}
        >>> scenes = [
        ...     ExampleScene(domain, Path("ortho.tif"), {}, dict.fromkeys(names, maps), [])
        ...     for domain, names in {"a": ("STL", "JTL"), "b": ("STL", "DA", "JTL")}.items()
        ... ]
        >>> methods(scenes, Depth())
        ['STL', 'DA', 'JTL']
    """
    found: list[str] = []
    for scene in scenes:
        place = 0
        for name, maps in scene.maps.items():
            if task.name not in maps:
                continue
            if name not in found:
                found.insert(place, name)
            place = found.index(name) + 1
    return found
