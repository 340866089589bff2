"""Rasters on another grid, and unknown where they have no pixels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from rasterio.enums import ColorInterp
from rasterio.vrt import WarpedVRT


def warped(source: Any, **settings: Any) -> Any:
    """Show an open raster on another grid.

    Args:
        source: The raster.
        **settings: The grid, as rasterio's WarpedVRT wants it.

    Returns:
        An open raster, to be closed before the source is.
    """
    # Without nodata, GDAL would have the ground beyond the raster's edge be zero, and known.
    if source.nodata is None and ColorInterp.alpha not in source.colorinterp:
        kind = np.dtype(source.dtypes[0])
        if kind in (np.uint8, np.uint16):  # of these GDAL knows alpha
            settings["add_alpha"] = True
        else:
            unused = math.nan if kind.kind == "f" else np.iinfo(kind).max
            settings |= {"src_nodata": unused, "nodata": unused}
    return WarpedVRT(source, **settings)
