"""Registration: how far laser returns lie beside the image that belongs to them."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage, signal

from tiles.types import BoolArray, Float32Array

REACH: Final = 4.0
"""Largest offset in metres, eastward and northward, that is looked for."""

MIN_CELLS: Final = 10_000
"""Fewer cells of low ground than these say nothing."""


def measure_offset(
    intensity: Float32Array, brightness: Float32Array, low: BoolArray, gsd: float
) -> tuple[float, float] | None:
    """Measure how far returns must be moved to lie on the image.

    Edges on low ground (roads, paths, fields) are compared: roofs and crowns lean in orthophotos
    that are not true ones. Laser intensities and the image differ in contrast, and even in its
    sign, so that only directions of gradients count, up to half turns: gradients as complex numbers
    are squared, which doubles their angles, and correlated (Fourier transform).

    Args:
        intensity: Intensities of the laser, float32 [H, W]; NaN where unknown.
        brightness: The image, float32 [H, W]; NaN where unknown.
        low: Cells of low ground, bool [H, W].
        gsd: Width of a cell in metres.

    Returns:
        Metres eastward and northward, in steps of a cell; None without edges on low ground.

    Example:
        >>> photo = np.random.default_rng(0).random((200, 200)).astype(np.float32)
        >>> laser = np.roll(photo, (2, -3), (0, 1))  # 2 m too far south, 3 m too far west
        >>> measure_offset(-laser, photo, np.ones((200, 200), bool), gsd=1.0)
        (3.0, 2.0)
    """
    if low.sum() < MIN_CELLS:
        return None
    ours = _directions(np.log(np.maximum(intensity, 0) + 5) if intensity.min() >= 0 else intensity)
    theirs = _directions(brightness)
    ours = np.where(ndimage.binary_erosion(low, iterations=3), ours, 0)
    if not (np.abs(ours).any() and np.abs(theirs).any()):
        return None
    reach = int(REACH / gsd)
    correlation = signal.correlate(theirs, ours, mode="same", method="fft").real
    row, column = (extent // 2 for extent in ours.shape)
    near = correlation[row - reach : row + reach + 1, column - reach : column + reach + 1]
    down, along = np.unravel_index(int(np.argmax(near)), near.shape)
    return float(along - reach) * gsd, -float(down - reach) * gsd


def _directions(values: Float32Array) -> npt.NDArray[np.complex128]:
    """Return squared gradients over their length: the length counts, the sign does not."""
    known = np.isfinite(values)
    filled = np.where(known, values, np.nanmean(values) if known.any() else 0).astype(np.float64)
    smooth = ndimage.gaussian_filter(filled, 1)
    gradient = ndimage.sobel(smooth, 1) + 1j * ndimage.sobel(smooth, 0)
    length = np.abs(gradient)
    most = np.percentile(length, 95)
    direction = np.where(length > 0, gradient / np.maximum(length, 1e-12), 0)
    return np.where(known, direction**2 * np.minimum(length, most), 0)
