"""Large georeferenced rasters: chips for training, mosaics of predictions, heights, polygons.

The package contains no network and imports nothing of ``semimtl_geo``: :func:`mosaic` maps a raster
with any function from a batch of tiles to predictions. Modules at its root are shared by all of its
packages: errors, files, grid, settings and types. The packages are

- :mod:`tiles.reading`: windows of rasters in any CRS, and areas of interest;
- :mod:`tiles.maps`: layers, and maps as files;
- :mod:`tiles.mosaic`: mapping a raster in overlapping tiles;
- :mod:`tiles.datasets`: chips for training, on torchgeo;
- :mod:`tiles.elevation`: heights above ground from surface models;
- :mod:`tiles.vectors`: polygons from maps.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiles.errors import InputError
    from tiles.grid import PixelGrid
    from tiles.maps.layers import ClassMap, PercentMap, ProbabilityMap, ValueMap
    from tiles.mosaic import mosaic

__all__ = [
    "ClassMap",
    "InputError",
    "PercentMap",
    "PixelGrid",
    "ProbabilityMap",
    "ValueMap",
    "mosaic",
]

_MODULES = {
    "InputError": "tiles.errors",
    "PixelGrid": "tiles.grid",
    "ClassMap": "tiles.maps.layers",
    "PercentMap": "tiles.maps.layers",
    "ProbabilityMap": "tiles.maps.layers",
    "ValueMap": "tiles.maps.layers",
    "mosaic": "tiles.mosaic",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, because importing torch takes seconds."""
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
