"""Rasters of the benchmarks: dense and sparse orthophotos of any size, and single bands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window

BLOCK = 512


def create(path: Path, size: int, gsd: float = 0.1, **options: Any) -> Any:
    """A tiled GeoTIFF of uint8, open for writing."""
    return rasterio.open(
        path, "w", driver="GTiff", width=size, height=size, dtype="uint8",
        crs="EPSG:32632", transform=from_origin(4e5, 5.5e6, gsd, gsd),
        tiled=True, blockxsize=BLOCK, blockysize=BLOCK, **options,
    )  # fmt: skip


def read_band(path: Path) -> npt.NDArray[Any]:
    """Read the only band of a raster."""
    with rasterio.open(path) as file:
        values: npt.NDArray[Any] = file.read(1)
    return values


def write_dense(path: Path, size: int, gsd: float = 0.1) -> None:
    """An orthophoto of smooth waves and noise."""
    draws = np.random.default_rng(0)
    rows, columns = np.mgrid[:BLOCK, :size]
    with create(path, size, gsd, count=3) as file:
        for top in range(0, size, BLOCK):
            height = min(BLOCK, size - top)
            waves = np.stack(
                [127 + 60 * np.sin(columns / 90 + b) + 60 * np.cos((rows + top) / 70 * (b + 1))
                 for b in range(3)]
            )  # fmt: skip
            noisy = (waves + draws.normal(0, 3, waves.shape)).clip(0, 255).astype(np.uint8)
            file.write(noisy[:, :height], window=Window(0, top, size, height))


def write_sparse(path: Path, size: int) -> None:
    """An orthophoto of nodata but for its diagonal and the middle row of blocks."""
    values = np.random.default_rng(0).integers(1, 255, (3, BLOCK, BLOCK), np.uint8)
    blocks = -(-size // BLOCK)
    with create(path, size, count=3, nodata=0, SPARSE_OK=True, BIGTIFF="YES") as file:
        for row in range(blocks):
            for column in range(blocks) if row == blocks // 2 else [row]:
                top, left = row * BLOCK, column * BLOCK
                part = values[:, : size - top, : size - left]
                file.write(part, window=Window(left, top, part.shape[2], part.shape[1]))
