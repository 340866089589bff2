"""Smooth random fields, the grain of every surface."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def value_noise(
    rng: np.random.Generator, shape: tuple[int, int], cell: float
) -> NDArray[np.float32]:
    """A field of random values joined smoothly.

    Args:
        rng: Source of randomness.
        shape: (H, W) in pixels.
        cell: Distance between independent values, in pixels.

    Returns:
        float32 [H, W] within -1..1, mean about 0.
    """
    rows, row_weight = _knots(shape[0], cell, rng)
    cols, col_weight = _knots(shape[1], cell, rng)
    knots = rng.uniform(-1, 1, (int(rows[-1]) + 2, int(cols[-1]) + 2)).astype(np.float32)
    tall = knots[rows] + (knots[rows + 1] - knots[rows]) * row_weight[:, None]
    left = tall[:, cols]
    field: NDArray[np.float32] = tall[:, cols + 1]
    field -= left
    field *= col_weight
    field += left
    return field


def _knots(
    count: int, cell: float, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    at = np.arange(count) / max(cell, 1.0) + rng.uniform()
    index = at.astype(np.intp)
    part = at - index
    return index, (part * part * (3 - 2 * part)).astype(np.float32)
