"""Rasters seen on another grid by GDAL's warper."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from rasterio.enums import ColorInterp
from rasterio.vrt import WarpedVRT


def warped_vrt(source: Any, **settings: Any) -> Any:
    """Open a raster on another grid, with pixels beyond its edge unknown.

    Args:
        source: The open raster (``rasterio.DatasetReader``).
        **settings: The grid and the resampling, as :class:`rasterio.vrt.WarpedVRT` takes them.

    Returns:
        The warped raster, open; it must be closed before `source` is.

    Example:
        >>> import rasterio
        >>> with rasterio.open("ortho.tif") as ortho, warped_vrt(ortho, crs="EPSG:4326") as moved:
        ...     print(moved.crs)
        EPSG:4326
    """
    # Without nodata, GDAL would fill the ground beyond the raster's edge with zeros as if known.
    if source.nodata is None and ColorInterp.alpha not in source.colorinterp:
        dtype = np.dtype(source.dtypes[0])
        if dtype in (np.uint8, np.uint16):  # GDAL supports an alpha band for these types only
            settings["add_alpha"] = True
        else:
            unused = math.nan if dtype.kind == "f" else np.iinfo(dtype).max
            settings |= {"src_nodata": unused, "nodata": unused}
    return WarpedVRT(source, **settings)
