"""GeoTIFFs for tests, written by rasterio alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import from_origin

# Coordinates as they occur: not whole metres, and of a size at which rounding shows.
WEST, NORTH, GSD = 389_999.95, 5_800_000.05, 0.15


def write(
    path: Path,
    values: np.ndarray,
    *,
    at: tuple[float, float] = (0.0, 0.0),
    gsd: float = GSD,
    crs: str | None = "EPSG:32633",
    mask: np.ndarray | None = None,
    **profile: Any,
) -> Path:
    """Write [C, H, W] or [H, W], its corner `at` (columns, rows) of this GSD from the origin."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = values if values.ndim == 3 else values[None]
    settings: dict[str, Any] = {
        "driver": "GTiff",
        "count": bands.shape[0],
        "height": bands.shape[1],
        "width": bands.shape[2],
        "dtype": bands.dtype.name,
        "crs": crs,
        "transform": from_origin(WEST + at[0] * gsd, NORTH - at[1] * gsd, gsd, gsd),
    }
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", **(settings | profile)) as file,
    ):
        file.write(bands)
        if mask is not None:
            file.write_mask(mask)
    return path


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Random bytes."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
