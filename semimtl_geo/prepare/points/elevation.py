"""Surface, terrain and heights above ground from the cells of laser returns."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from rasterio.fill import fillnodata
from scipy import ndimage

from tiles.elevation.terrain import bilinear
from tiles.types import BoolArray, Float32Array, Float64Array

GAP: Final = 1.6
"""Cells without returns take the surface of the nearest cell with returns, if within 1.6 m."""

BLOCK: Final = 4
"""Cells along the side of a block from which the trend of the terrain is computed."""

PIT: Final = 2.5
"""Width in metres of pits in crowns that are closed: pulses pass between leaves and branches.
See Khosravipour et al., Photogrammetric Engineering & Remote Sensing 80 (2014), on such pits."""

THIN: Final = 1.5
"""Structures narrower than this, in metres, are masts and wires if they stand free."""

CLEARANCE: Final = 5.0
"""Metres by which masts and wires stand above what is under them."""


def fill_gaps(values: Float32Array, gsd: float) -> Float32Array:
    """Give cells without returns the value of the nearest cell with one, up to 1.6 m away.

    Args:
        values: float32 [H, W] or [C, H, W], NaN where unknown; in each layer alike.
        gsd: Width of a cell in metres.

    Returns:
        Filled values of the same shape.

    Example:
        >>> fill_gaps(np.float32([[1, np.nan, np.nan, np.nan, np.nan]]), gsd=1.0)
        array([[ 1.,  1., nan, nan, nan]], dtype=float32)
    """
    unknown = np.isnan(values if values.ndim == 2 else values[0])
    if unknown.all():
        return values
    distance, nearest = ndimage.distance_transform_edt(unknown, sampling=gsd, return_indices=True)
    return np.where(distance <= GAP, values[..., nearest[0], nearest[1]], np.float32(np.nan))


def terrain_under(ground: Float32Array, gsd: float, reach: float) -> Float32Array:
    """Interpolate the terrain where no ground returns are, as under buildings.

    Local planes give the trend, so that slopes continue under buildings; the residuals of ground
    returns are interpolated by inverse distance and added.

    Args:
        ground: Elevation of ground returns in metres, float32 [H, W]; NaN without any.
        gsd: Width of a cell in metres.
        reach: Distance in metres up to which ground returns are used.

    Returns:
        Elevation of the terrain, float32 [H, W]; NaN where no ground is within reach.

    Example:
        >>> slope = np.tile(np.arange(40, dtype=np.float32), (40, 1))
        >>> gap = slope.copy()
        >>> gap[10:30, 10:30] = np.nan
        >>> bool(np.allclose(terrain_under(gap, gsd=1.0, reach=30.0), slope, atol=0.1))
        True
    """
    known = ~np.isnan(ground)
    if not known.any():
        return ground
    trend = _local_planes(ground, reach / gsd)
    residuals = fillnodata(
        np.where(known, ground - trend, 0).astype(np.float32),
        mask=known.astype(np.uint8),
        max_search_distance=reach / gsd,
        smoothing_iterations=0,
    )
    distance = ndimage.distance_transform_edt(~known, sampling=gsd)
    return np.where(distance <= reach, residuals + trend, np.float32(np.nan)).astype(np.float32)


def _local_planes(ground: Float32Array, reach: float) -> Float64Array:
    """Return planes through the ground around each cell, weighted by a Gaussian, at that cell.

    This is the normalised convolution of first order (Knutsson and Westin, CVPR 1993), on blocks of
    4 x 4 cells.

    Args:
        ground: float32 [H, W], NaN where unknown.
        reach: Distance in cells up to which ground is used: three standard deviations.

    Returns:
        float64 [H, W].
    """
    height, width = ground.shape
    padded = np.pad(ground, ((0, -height % BLOCK), (0, -width % BLOCK)), constant_values=np.nan)
    blocks = padded.reshape(padded.shape[0] // BLOCK, BLOCK, padded.shape[1] // BLOCK, BLOCK)
    rows, columns = np.mgrid[: padded.shape[0], : padded.shape[1]]
    known = np.isfinite(blocks)
    count = known.sum(axis=(1, 3))
    level = np.nanmean(ground, dtype=np.float64)

    def mean(values: Any) -> Float64Array:
        total = np.where(known, values.reshape(blocks.shape), 0).sum(axis=(1, 3), dtype=np.float64)
        return np.asarray(total / np.maximum(count, 1))

    z, y, x = mean(padded - level), mean(rows), mean(columns)
    at_y, at_x = (np.arange(extent) * BLOCK + (BLOCK - 1) / 2 for extent in count.shape)
    weight = (count > 0).astype(np.float64)

    def smooth(values: Float64Array) -> Float64Array:
        sigma = max(reach / 3 / BLOCK, 1.0)
        made: Float64Array = ndimage.gaussian_filter(values, sigma, mode="constant", truncate=4)
        return made

    # Moments about each block's own centre, from those about the grid's corner.
    w, wy, wx, wz = (smooth(weight * values) for values in (1, y, x, z))
    wyy, wyx, wxx, wyz, wxz = (
        smooth(weight * a * b) for a, b in ((y, y), (y, x), (x, x), (y, z), (x, z))
    )
    w = np.maximum(w, 1e-12)
    my, mx, mz = wy / w, wx / w, wz / w
    # A small ridge keeps the plane level where the ground lies on a line.
    cyy, cyx, cxx = wyy / w - my**2 + 1, wyx / w - my * mx, wxx / w - mx**2 + 1
    cyz, cxz = wyz / w - my * mz, wxz / w - mx * mz
    determinant = cyy * cxx - cyx**2
    slope_y = (cyz * cxx - cxz * cyx) / determinant
    slope_x = (cxz * cyy - cyz * cyx) / determinant
    plane = mz + slope_y * (at_y[:, None] - my) + slope_x * (at_x - mx)
    # The centres of blocks are BLOCK cells apart; the planes go on beyond the outermost.
    places = (np.arange(extent) / BLOCK - (BLOCK - 1) / 2 / BLOCK for extent in ground.shape)
    row, column = places
    return bilinear(plane, row[:, None], column[None, :]) + level


def close_pits(surface: Float32Array, gsd: float) -> Float32Array:
    """Close pits of up to 2.5 m in crowns.

    Args:
        surface: float32 [H, W], NaN where unknown; these stay unknown.
        gsd: Width of a cell in metres.
    """
    width = _odd(PIT / gsd)
    low = np.where(np.isnan(surface), np.float32(-1e6), surface)
    closed = ndimage.grey_closing(low, size=(width, width))
    return np.where(np.isnan(surface), np.float32(np.nan), closed)


def without_masts(heights: Float32Array, gsd: float) -> Float32Array:
    """Lower masts and wires to what is under them.

    They are narrower than 1.5 m and stand 5 m and more above a surface that is low (below 2 m).

    Args:
        heights: Heights above ground in metres, float32 [H, W]; NaN where unknown.
        gsd: Width of a cell in metres.
    """
    width = _odd(THIN / gsd)
    opened = ndimage.grey_opening(np.nan_to_num(heights, nan=0.0), size=(width, width))
    thin: BoolArray = (heights - opened > CLEARANCE) & (opened < 2.0)
    return np.where(thin, opened, heights)


def _odd(cells: float) -> int:
    """Return the odd number of cells nearest to a width, at least 3."""
    return max(3, 2 * round((cells - 1) / 2) + 1)
