"""Rasters in, rasters out: chips for training, mosaics of predictions, heights and polygons.

The package knows no network of its own and imports nothing of ``semimtl_geo``: :func:`mosaic` takes
any function from a batch of tiles to predictions. Its root holds the nouns that all rooms share
(errors, files, grid, types); the rooms are :mod:`tiles.reading`, :mod:`tiles.maps`,
:mod:`tiles.datasets`, :mod:`tiles.mosaic`, :mod:`tiles.elevation` and :mod:`tiles.vectors`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiles.errors import InputError
    from tiles.grid import PixelGrid
    from tiles.maps.layers import ClassMap, PercentMap, ValueMap
    from tiles.mosaic import mosaic

__all__ = ["ClassMap", "InputError", "PercentMap", "PixelGrid", "ValueMap", "mosaic"]

_HOMES = {
    "InputError": "tiles.errors",
    "PixelGrid": "tiles.grid",
    "ClassMap": "tiles.maps.layers",
    "PercentMap": "tiles.maps.layers",
    "ValueMap": "tiles.maps.layers",
    "mosaic": "tiles.mosaic",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: importing torch takes seconds."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
