"""The simple morphological filter (SMRF): ground cells of a surface, and the ground below others.

After T. J. Pingel, K. C. Clarke, W. A. McBride: An improved simple morphological filter for the
terrain classification of airborne LIDAR data. ISPRS Journal of Photogrammetry and Remote Sensing
77 (2013), 21-30. The steps are theirs; every one here looks only so far, so that a surface of any
size can be worked through in overlapping blocks that give the same ground.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from tiles.types import BoolArray, Float64Array

# A pit is an outlier where it is steeper than this (the paper: 500 %).
PIT_SLOPE = 5.0
# Weight of the opened surface in the interpolation: it counts only far from all ground.
PRIOR = 1e-6


def outliers(low: Float64Array, cell: float) -> BoolArray:
    """Find cells far below all their neighbours: blunders of the surface model.

    The closing with a disk of one cell in the paper also marks narrow lanes between houses. Here
    the closings with lines of 3 cells must exceed a pit in all four directions, so that it is at
    most two cells long in each.

    Args:
        low: Minimum surface [H, W] in metres, NaN where unknown.
        cell: Side of a cell in metres.

    Returns:
        bool [H, W].
    """
    padded = np.pad(low, 2, constant_values=np.nan)
    unknown = np.isnan(padded)
    surface = np.where(unknown, -np.inf, padded)
    closed = np.full(padded.shape, np.inf)
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        highest = np.where(unknown, np.inf, _line(surface, shift, np.maximum))
        closed = np.minimum(closed, _line(highest, shift, np.minimum))
    found: BoolArray = ~unknown & (closed - surface > PIT_SLOPE * cell)
    return found[2:-2, 2:-2]


def _line(values: Float64Array, shift: tuple[int, int], extreme: np.ufunc) -> Float64Array:
    """Return the minimum or maximum of each cell and its two neighbours along a line."""
    before, after = np.roll(values, shift, (0, 1)), np.roll(values, (-shift[0], -shift[1]), (0, 1))
    made: Float64Array = extreme(values, extreme(before, after))
    return made


def objects(
    low: Float64Array, radius: int, cell: float, slope: float
) -> tuple[BoolArray, Float64Array, Float64Array]:
    """Find cells of objects on the ground by progressive opening with growing windows.

    The surface is opened with windows of radius 1, 2, ... cells; a cell that a step lowers by
    more than `slope` times the window's radius is an object. Windows are octagons, each the
    former one grown by a 3 x 3 square or cross in turn. So opening the opened surface, as the
    paper does, is the same as opening the first one, and no cell farther than two radii counts.

    Args:
        low: Minimum surface [H, W] in metres, NaN where unknown.
        radius: Radius of the largest window in cells.
        cell: Side of a cell in metres.
        slope: Steepest ground, rise over run.

    Returns:
        Objects bool [H, W]; the surface opened with the largest window and the surface eroded
        with it, both [H, W] and NaN where nothing is near.
    """
    unknown = np.isnan(low)
    eroded = np.where(unknown, np.inf, low)
    last = low
    found: BoolArray = np.zeros(low.shape, bool)
    opened = eroded
    for step in range(1, radius + 1):
        square = step % 2 == 1
        eroded = ndimage.minimum_filter(eroded, 3) if square else _cross(eroded, np.minimum)
        # A window has its centre on a known cell.
        opened = np.where(unknown, -np.inf, eroded)
        size = 2 * ((step + 1) // 2) + 1
        for axis in (0, 1):
            opened = ndimage.maximum_filter1d(opened, size, axis)
        for _ in range(step // 2):
            opened = _cross(opened, np.maximum)
        with np.errstate(invalid="ignore"):  # Infinities are subtracted where nothing is known.
            found |= last - opened > slope * step * cell
        last = opened
    return found & ~unknown, _finite(opened), _finite(eroded)


def _cross(values: Float64Array, extreme: np.ufunc) -> Float64Array:
    """Return the minimum or maximum of each cell and its four neighbours."""
    made = values.copy()
    extreme(made[1:], values[:-1], out=made[1:])
    extreme(made[:-1], values[1:], out=made[:-1])
    extreme(made[:, 1:], values[:, :-1], out=made[:, 1:])
    extreme(made[:, :-1], values[:, 1:], out=made[:, :-1])
    return made


def _finite(values: Float64Array) -> Float64Array:
    return np.where(np.isfinite(values), values, np.nan)


def fill(values: Float64Array, fallback: Float64Array, reach: int) -> Float64Array:
    """Interpolate a surface where it has gaps.

    In place of the paper's inpainting, in which every cell depends on all: for each gap cell a
    plane is fitted to the known cells within reach, weighted by ((R - d) / (R d))^3 at distance d
    (moving least squares; weights after Franke and Little). Planes are reproduced exactly, and
    known cells are kept.

    Args:
        values: [H, W], NaN in gaps.
        fallback: [H, W], taken where nothing known is within reach; may be NaN there.
        reach: R in cells.

    Returns:
        [H, W], NaN where neither is known.
    """
    known = ~np.isnan(values)
    if known.all():
        return values
    if not known.any():
        return fallback
    mean = values[known].mean()
    shape = tuple(int(fft.next_fast_len(n + reach, real=True)) for n in values.shape)
    kernels = _kernels((shape[0], shape[1]), reach)
    height, width = values.shape

    def sums(layer: npt.NDArray[np.floating], count: int) -> list[Float64Array]:
        image = fft.rfft2(layer, shape)
        return [fft.irfft2(image * kernels[n], shape)[:height, :width] for n in range(count)]

    s, sx, sy, sxx, sxy, syy = sums(known.astype(np.float64), 6)
    t, tx, ty = sums(np.where(known, values - mean, 0.0), 3)
    near = s > 1e-3 * PRIOR
    # If known cells lie in one line, the slope across it is set to zero.
    sxx, syy = sxx + 1e-3 * s, syy + 1e-3 * s
    determinant = np.where(near, sxx * syy - sxy * sxy, 1.0)
    gx, gy = (syy * sx - sxy * sy) / determinant, (sxx * sy - sxy * sx) / determinant
    # Also small if the gap is far outside all ground, where the plane would be a guess.
    weight = np.where(near, np.maximum(s - gx * sx - gy * sy, 0.0), 0.0)
    total = np.where(near, t - gx * tx - gy * ty, 0.0)
    prior = np.where(np.isnan(fallback), 0.0, PRIOR)
    weight_all = weight + prior
    usable = (weight > PRIOR) | (prior > 0)
    made = (total + prior * (np.nan_to_num(fallback) - mean)) / np.where(usable, weight_all, 1.0)
    return np.where(known, values, np.where(usable, made + mean, np.nan))


@lru_cache(maxsize=4)
def _kernels(shape: tuple[int, int], reach: int) -> tuple[npt.NDArray[np.complex128], ...]:
    """Transform the weights times 1, x, y, xx, xy and yy, for circular convolution."""
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    distance = np.hypot(y, x)
    distance[reach, reach] = reach  # Known cells keep their values.
    weight = (np.maximum(reach - distance, 0) / (reach * distance)) ** 3
    offsets = np.arange(-reach, reach + 1)
    made = []
    for factor in (1.0, x, y, x * x, x * y, y * y):
        kernel = np.zeros(shape)
        # Offsets that wrap onto each other exceed the array: no two cells are that far apart.
        kernel[np.ix_(offsets % shape[0], offsets % shape[1])] = weight * factor
        made.append(fft.rfft2(kernel))
    return tuple(made)
