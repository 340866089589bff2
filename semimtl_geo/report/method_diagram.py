"""Diagram of the method: the data from which each part learns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from importlib import resources
from string import Template
from typing import Final

from semimtl_geo.report.example_scene import ExampleScene
from semimtl_geo.report.thumbnails import data_uri, image_thumbnail, map_thumbnail, ramp_maxima
from semimtl_geo.tasks import Task

NOTHING: Final = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEAAAAALAAAAAABAAEAAAIBAAA="
"""A transparent image in place of one that is missing."""


def method_section(scenes: Sequence[ExampleScene], tasks: Sequence[Task]) -> tuple[str, str, str]:
    """Return the diagram ``method.html`` as a section of a page, with thumbnails of two cities.

    Example:
        >>> heading, text, drawing = method_section([], [])
        >>> heading, drawing.startswith("<")
        ('How it works', True)
    """
    drawing = resources.files("semimtl_geo.report").joinpath("method.html").read_text("utf-8")
    thumbnails = defaultdict(lambda: NOTHING, _thumbnails(scenes, tasks))
    return "How it works", "", Template(drawing).substitute(thumbnails)


def _thumbnails(scenes: Sequence[ExampleScene], tasks: Sequence[Task]) -> dict[str, str]:
    """Return the images of the diagram: A is the city without heights, B without classes."""
    result: dict[str, str] = {}
    high = ramp_maxima(scenes, tasks)
    cities = {"height": "a", "landcover": "b"}
    drawn = [task for task in tasks if task.name in cities]
    for task in drawn:
        city = cities[task.name]
        scene = next((scene for scene in scenes if task.name in scene.hidden), None)
        if scene is None or f"image_{city}" in result:
            continue
        result[f"image_{city}"] = data_uri(image_thumbnail(scene.image, 248))
        for shown in drawn:
            names = [name for name, maps in scene.maps.items() if shown.name in maps]
            wanted = "SemiMTL" if "SemiMTL" in names else names[-1] if names else None
            files = {"made": scene.maps[wanted][shown.name]} if wanted else {}
            if shown.name in scene.truth and shown.name not in scene.hidden:
                files["truth"] = scene.truth[shown.name]
            for role, file in files.items():
                made = map_thumbnail(file, shown, high.get(shown.name), 184)
                result[f"{role}_{shown.name}_{city}"] = data_uri(made)
    return result
