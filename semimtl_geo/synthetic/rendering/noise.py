"""Value noise: smooth random fields, which give every surface its texture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tiles.types import Float32Array


def value_noise(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> Float32Array:
    """Generate a field of random values with smooth transitions.

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
    field: Float32Array = tall[:, cols + 1]
    field -= left
    field *= col_weight
    field += left
    return field


def _knots(
    count: int, cell: float, rng: np.random.Generator
) -> tuple[NDArray[np.intp], Float32Array]:
    """Return, for each pixel, the index of the knot before it and the weight of the next one."""
    position = np.arange(count) / max(cell, 1.0) + rng.uniform()
    index = position.astype(np.intp)
    fraction = position - index
    return index, (fraction * fraction * (3 - 2 * fraction)).astype(np.float32)
