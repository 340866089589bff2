"""Registration: measuring the horizontal offset between laser returns and the image."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage, signal

from tiles.types import BoolArray, Float32Array

REACH: Final = 4.0
"""Largest offset in metres, eastward and northward, that is looked for."""

MIN_CELLS: Final = 10_000
"""Smallest number of low-ground cells from which an offset is measured."""


def measure_offset(
    intensity: Float32Array, brightness: Float32Array, low: BoolArray, gsd: float
) -> tuple[float, float] | None:
    """Measure how far returns must be moved to lie on the image.

    Only edges on low ground (roads, paths, fields) are compared, since roofs and crowns lean in
    conventional orthophotos. Laser intensity and image may have opposite contrast, so gradient
    directions are compared modulo 180 degrees: complex gradients are squared, which doubles their
    angles, and cross-correlated by FFT.

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
    ours = _directions(intensity)
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
    """Return gradients with doubled angles; magnitudes are clipped at the 95th percentile."""
    known = np.isfinite(values)
    filled = np.where(known, values, np.nanmean(values) if known.any() else 0).astype(np.float64)
    smooth = ndimage.gaussian_filter(filled, 1)
    gradient = ndimage.sobel(smooth, 1) + 1j * ndimage.sobel(smooth, 0)
    length = np.abs(gradient)
    most = np.percentile(length, 95)
    direction = np.where(length > 0, gradient / np.maximum(length, 1e-12), 0)
    return np.where(known, direction**2 * np.minimum(length, most), 0)
