"""Sun and sky: cast shadows, shading and ambient occlusion."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import ndimage

from tiles.types import Float32Array

MAX_SLOPE: Final = 1.6
"""Slope at which shading is capped: the edges of crowns are steeper, but their leaves are not."""


def toward_sun(azimuth: float) -> tuple[float, float]:
    """Return the horizontal unit vector toward the sun.

    Args:
        azimuth: Direction toward the sun, clockwise from north, in degrees.

    Returns:
        Components to the east and to the south.
    """
    return float(np.sin(np.radians(azimuth))), float(-np.cos(np.radians(azimuth)))


def sunlit(height: Float32Array, gsd: float, azimuth: float, elevation: float) -> Float32Array:
    """Compute the share of direct sunlight that falls on each pixel.

    The height map is sheared so that every ray toward the sun runs along a column; the horizon
    of a pixel is then a running maximum.

    Args:
        height: float32 [H, W], heights in metres.
        gsd: Edge of a pixel in metres.
        azimuth: Direction toward the sun, clockwise from north, in degrees.
        elevation: Elevation of the sun above the horizon in degrees.

    Returns:
        float32 [H, W], 0 in full shadow to 1 in full sun; 0.5 at the edge of a shadow, which is
        about a pixel wide.
    """
    east, south = toward_sun(azimuth)
    # Flip and transpose so that the sun is beyond row 0, at most 45 degrees off the columns.
    flipped = height
    transpose = abs(east) > abs(south)
    if transpose:
        flipped, east, south = flipped.T, south, east
    if south > 0:
        flipped = flipped[::-1]
    rows, cols = flipped.shape
    shear = east / abs(south)
    fall = np.tan(np.radians(elevation)) * gsd * float(np.hypot(1.0, shear))
    shift = np.round(np.arange(rows) * shear).astype(int)
    shift -= shift.min()

    lit = np.empty((rows, cols), np.float32)
    horizon = np.zeros(cols + int(shift.max()), np.float32)
    for row in range(rows):
        columns = slice(int(shift[row]), int(shift[row]) + cols)
        horizon -= np.float32(fall)
        over = horizon[columns] - flipped[row]
        np.clip(np.float32(0.5) - over / np.float32(fall), 0, 1, out=lit[row])
        np.maximum(horizon[columns], flipped[row], out=horizon[columns])
    if south > 0:
        lit = lit[::-1]
    return np.ascontiguousarray(lit.T if transpose else lit)


def shading(slope: Float32Array, azimuth: float, elevation: float) -> Float32Array:
    """Compute the sunlight on a sloping surface relative to flat ground (Lambert's law).

    Args:
        slope: float32 [2, H, W], derivatives of the height to the east and to the south.
        azimuth: Direction toward the sun, clockwise from north, in degrees.
        elevation: Elevation of the sun above the horizon in degrees.

    Returns:
        float32 [H, W], 1 on flat ground, 0 where the surface faces away from the sun.
    """
    east, south = toward_sun(azimuth)
    steep: Float32Array = np.hypot(slope[0], slope[1])
    steep *= np.float32(1 / MAX_SLOPE)
    capped = slope / np.maximum(steep, 1)
    cot = 1 / np.tan(np.radians(elevation))
    facing = 1 - capped[0] * np.float32(east * cot) - capped[1] * np.float32(south * cot)
    facing /= np.sqrt(1 + capped[0] ** 2 + capped[1] ** 2)
    shade: Float32Array = np.clip(facing, 0, np.float32(1.55))
    return shade


def sky_view(height: Float32Array, gsd: float, radius: float = 2.5) -> Float32Array:
    """Compute the share of the sky that is visible: less beside walls and between crowns.

    Args:
        height: float32 [H, W], heights in metres.
        gsd: Edge of a pixel in metres.
        radius: Distance in metres up to which walls darken the ground.

    Returns:
        float32 [H, W] within 0..1.
    """
    # Two box filters approximate a Gaussian and are faster.
    box = max(3, int(radius / gsd) | 1)
    mean: Float32Array = ndimage.uniform_filter(height, box, mode="nearest")
    mean = ndimage.uniform_filter(mean, box, mode="nearest")
    mean -= height
    below: Float32Array = np.maximum(mean, 0)
    seen: Float32Array = np.reciprocal(below * np.float32(0.16) + np.float32(1))
    return seen
