"""Reading rasters: windows of one file or of several, in any CRS, with masks of known pixels.

:class:`Raster` reads one file and :class:`Source` several as if they were one; :func:`resample` and
:func:`warped_vrt` change the grid; :func:`read_area` reads polygons. This package may import the
modules at the root of ``tiles`` and no other package of the project.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tiles.reading.addresses import resolve_addresses
    from tiles.reading.area import Area, NoOverlapError, read_area
    from tiles.reading.band_names import band_numbers, find_bands
    from tiles.reading.overlay import Overlay, Placement
    from tiles.reading.raster import Raster
    from tiles.reading.resampling import ResamplingWeights, resample, resampling_weights
    from tiles.reading.source import Source
    from tiles.reading.stac_item import open_item
    from tiles.reading.tile_service import open_tile_service
    from tiles.reading.virtual_raster import VirtualRaster, stack_bands
    from tiles.reading.vrt import warped_vrt
    from tiles.reading.warp import WarpedOverlay

__all__ = [
    "Area",
    "NoOverlapError",
    "Overlay",
    "Placement",
    "Raster",
    "ResamplingWeights",
    "Source",
    "VirtualRaster",
    "WarpedOverlay",
    "band_numbers",
    "find_bands",
    "open_item",
    "open_tile_service",
    "read_area",
    "resample",
    "resampling_weights",
    "resolve_addresses",
    "stack_bands",
    "warped_vrt",
]

_MODULES = {
    "addresses": ("resolve_addresses",),
    "area": ("Area", "NoOverlapError", "read_area"),
    "band_names": ("band_numbers", "find_bands"),
    "overlay": ("Overlay", "Placement"),
    "raster": ("Raster",),
    "resampling": ("ResamplingWeights", "resample", "resampling_weights"),
    "source": ("Source",),
    "stac_item": ("open_item",),
    "tile_service": ("open_tile_service",),
    "virtual_raster": ("VirtualRaster", "stack_bands"),
    "vrt": ("warped_vrt",),
    "warp": ("WarpedOverlay",),
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, because importing torch takes seconds."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
