"""Sun and sky: cast shadows, shading, ambient occlusion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Field = NDArray[np.float32]
STEEPEST = 1.6
"""Slopes are shaded no steeper than this; crowns have steeper edges than a lit leaf shows."""


def toward_sun(azimuth: float) -> tuple[float, float]:
    """Unit vector toward the sun, east and south.

    Args:
        azimuth: Clockwise from north, in degrees.

    Returns:
        (east, south).
    """
    return float(np.sin(np.radians(azimuth))), float(-np.cos(np.radians(azimuth)))


def sunlit(height: Field, gsd: float, azimuth: float, elevation: float) -> Field:
    """How much direct sun falls on each pixel.

    The height map is sheared so that every ray toward the sun runs along a column; the horizon
    of a pixel is then a running maximum.

    Args:
        height: float32 [H, W], in metres.
        gsd: Pixel edge, in metres.
        azimuth: Direction toward the sun, clockwise from north, in degrees.
        elevation: Of the sun above the horizon, in degrees.

    Returns:
        float32 [H, W], 0 in full shadow to 1 in full sun; 0.5 at a shadow's edge, which
        is about a pixel wide.
    """
    east, south = toward_sun(azimuth)
    # Turn the map so that the sun stands above row 0, no more than 45 degrees aside.
    turned = height
    transpose = abs(east) > abs(south)
    if transpose:
        turned, east, south = turned.T, south, east
    if south > 0:
        turned = turned[::-1]
    rows, cols = turned.shape
    aside = east / abs(south)
    fall = np.tan(np.radians(elevation)) * gsd * float(np.hypot(1.0, aside))
    shift = np.round(np.arange(rows) * aside).astype(int)
    shift -= shift.min()

    lit = np.empty((rows, cols), np.float32)
    horizon = np.zeros(cols + int(shift.max()), np.float32)
    for row in range(rows):
        here = slice(int(shift[row]), int(shift[row]) + cols)
        horizon -= np.float32(fall)
        over = horizon[here] - turned[row]
        np.clip(np.float32(0.5) - over / np.float32(fall), 0, 1, out=lit[row])
        np.maximum(horizon[here], turned[row], out=horizon[here])
    if south > 0:
        lit = lit[::-1]
    return np.ascontiguousarray(lit.T if transpose else lit)


def shading(slope: Field, azimuth: float, elevation: float) -> Field:
    """Lambert's law: sun on a sloping surface relative to flat ground.

    Args:
        slope: float32 [2, H, W], growth of the height to the east and to the south.
        azimuth: Direction toward the sun, clockwise from north, in degrees.
        elevation: Of the sun above the horizon, in degrees.

    Returns:
        float32 [H, W], 1 on flat ground, 0 where the surface faces away.
    """
    east, south = toward_sun(azimuth)
    steep: Field = np.hypot(slope[0], slope[1])
    steep *= np.float32(1 / STEEPEST)
    capped = slope / np.maximum(steep, 1)
    cot = 1 / np.tan(np.radians(elevation))
    facing = 1 - capped[0] * np.float32(east * cot) - capped[1] * np.float32(south * cot)
    facing /= np.sqrt(1 + capped[0] ** 2 + capped[1] ** 2)
    shade: Field = np.clip(facing, 0, np.float32(1.55))
    return shade


def openness(height: Field, gsd: float, reach: float = 2.5) -> Field:
    """How much of the sky a surface sees: less beside walls and between crowns.

    Args:
        height: float32 [H, W], in metres.
        gsd: Pixel edge, in metres.
        reach: How far around walls darken the ground, in metres.

    Returns:
        float32 [H, W] within 0..1.
    """
    # Two box means stand for a Gaussian.
    box = max(3, int(reach / gsd) | 1)
    mean: Field = ndimage.uniform_filter(height, box, mode="nearest")
    mean = ndimage.uniform_filter(mean, box, mode="nearest")
    mean -= height
    below: Field = np.maximum(mean, 0)
    seen: Field = np.reciprocal(below * np.float32(0.16) + np.float32(1))
    return seen
