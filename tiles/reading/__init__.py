"""Reading rasters: windows of one file or of several, in any CRS, with masks of known pixels.

May import the nouns at the root of ``tiles``, and no other room.
"""

from __future__ import annotations

from tiles.reading.area import Area, OutsideError, read_area
from tiles.reading.band_names import band_numbers, find_bands
from tiles.reading.overlay import Overlay
from tiles.reading.raster import Raster
from tiles.reading.resample import resample
from tiles.reading.source import Source
from tiles.reading.warp import warped

__all__ = [
    "Area",
    "OutsideError",
    "Overlay",
    "Raster",
    "Source",
    "band_numbers",
    "find_bands",
    "read_area",
    "resample",
    "warped",
]
