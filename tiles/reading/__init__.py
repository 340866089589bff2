"""Reading rasters: windows of one file or of several, in any CRS, with masks of known pixels.

:class:`Raster` reads one file and :class:`Source` several as if they were one; :func:`resample` and
:func:`warped_vrt` change the grid; :func:`read_area` reads polygons. This package may import the
modules at the root of ``tiles`` and no other package of the project.
"""

from __future__ import annotations

from tiles.reading.area import Area, NoOverlapError, read_area
from tiles.reading.band_names import band_numbers, find_bands
from tiles.reading.overlay import Overlay, Placement
from tiles.reading.raster import Raster
from tiles.reading.resampling import ResamplingWeights, resample, resampling_weights
from tiles.reading.source import Source
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
    "WarpedOverlay",
    "band_numbers",
    "find_bands",
    "read_area",
    "resample",
    "resampling_weights",
    "warped_vrt",
]
