"""Adapters by the names that the command line gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final


@dataclass(frozen=True)
class Entry:
    """An adapter that can be chosen; its module is imported only then.

    Attributes:
        location: ``module:class`` of the adapter, the module relative to
            :mod:`semimtl_geo.prepare`. The class is a dataclass whose options are declared by
            :func:`semimtl_geo.prepare.options.option`.
        help: One line on the data set.

    Example:
        >>> REGISTRY["synscapes"].load()().size
        (512, 1024)
    """

    location: str
    help: str

    def load(self) -> type[Any]:
        """Import the adapter's class."""
        module, _, name = self.location.partition(":")
        adapter: type[Any] = getattr(import_module(f"semimtl_geo.prepare.{module}"), name)
        return adapter


REGISTRY: Final[Mapping[str, Entry]] = {
    "potsdam": Entry(
        "isprs.potsdam:Potsdam",
        "ISPRS Potsdam, 38 scenes: NIR, red, green; land cover; heights.",
    ),
    "vaihingen": Entry(
        "isprs.vaihingen:Vaihingen",
        "ISPRS Vaihingen, 33 scenes: NIR, red, green; land cover; heights.",
    ),
    "cityscapes": Entry(
        "streetview.cityscapes:Cityscapes",
        "Cityscapes, street views of 512 x 1024 px: classes, depth; train_extra with depth alone.",
    ),
    "synscapes": Entry(
        "streetview.synscapes:Synscapes",
        "Synscapes, 25 000 street views of 512 x 1024 px: classes, depth.",
    ),
    "points": Entry(
        "points:Points",
        "Laser points of national programmes (LAS, LAZ, COPC), with orthophotos or their colours.",
    ),
    "folder": Entry(
        "own.folder:Folder",
        "Your own scenes: image/, landcover/, height/ of any CRS, pixel size and band order.",
    ),
}
"""The adapters; a new archive is one module with an adapter, and one entry here."""
