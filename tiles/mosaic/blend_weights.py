"""Weights by which overlapping tiles are blended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from tiles.errors import InvalidValueError
from tiles.types import Float32Array

LARGEST_TILE: Final = 2**14
"""Bound of the edge of a tile: three bands of it take 3 GB."""

BlendWeights = npt.NDArray[np.float64]
"""Weights of the pixels along one axis of a tile, float64 [tile], all positive."""

Blend = str | Callable[[int], Sequence[float] | npt.NDArray[np.floating]]
"""Name of weights in :data:`BLENDS`, or a function from the edge of a tile to its weights."""

DEFAULT_BLEND: Final = "cosine"


def cosine_weights(tile: int) -> BlendWeights:
    """Return a Hann window (squared sine) over one tile, nowhere zero.

    Args:
        tile: Edge of the tile in pixels.

    Returns:
        float64 [tile], symmetric; at 50 % overlap the weights of neighbours sum to 1.
    """
    weight: BlendWeights = np.sin(np.pi * (np.arange(tile) + 0.5) / tile) ** 2
    return weight


def linear_weights(tile: int) -> BlendWeights:
    """Return a triangle over one tile: weights fall linearly from the centre to the edge."""
    rising = np.arange(tile) + 0.5
    weight: BlendWeights = np.minimum(rising, rising[::-1])
    return weight


def uniform_weights(tile: int) -> BlendWeights:
    """Return equal weights: tiles that overlap are averaged."""
    return np.ones(tile)


BLENDS: Final[dict[str, Callable[[int], BlendWeights]]] = {
    "cosine": cosine_weights,
    "linear": linear_weights,
    "uniform": uniform_weights,
}
"""Weights by the names that the argument `blend` of the mosaicker takes."""


def find_blend_weights(blend: Blend, tile: int) -> BlendWeights:
    """Return the weights of a tile.

    Args:
        blend: Name of weights, or a function.
        tile: Edge of the tile in pixels.

    Returns:
        float64 [tile].

    Raises:
        InvalidValueError: If the tile is too large, no weights have the name, or a weight is not
            positive.
    """
    if tile > LARGEST_TILE:
        fault = f"must be <= {LARGEST_TILE} px, got {tile}"
        raise InvalidValueError("tile", fault, "give a smaller one")
    if isinstance(blend, str):
        if blend not in BLENDS:
            fault = f"must be one of {', '.join(BLENDS)}, got {blend!r}"
            raise InvalidValueError("blend", fault, "name one of them, or give a function")
        blend = BLENDS[blend]
    weights = np.asarray(blend(max(tile, 1)), np.float64)
    if weights.shape != (max(tile, 1),) or not (np.isfinite(weights) & (weights > 0)).all():
        fault = f"must give {tile} positive weights, got {np.array2string(weights, threshold=6)}"
        raise InvalidValueError("blend", fault, "return a weight > 0 for each pixel of a tile")
    return weights


def axis_weights(starts: Sequence[int], weights: BlendWeights, length: int) -> Float32Array:
    """Return the weights of all tiles along one axis, which sum to 1 in every pixel.

    Args:
        starts: First pixels of the tiles, which cover the axis.
        weights: float64 [tile], before normalisation.
        length: Pixels along the axis; the last tile may extend beyond it.

    Returns:
        float32 [len(starts), tile]; exactly 1 where a pixel lies in one tile only.
    """
    tile = len(weights)
    total = np.zeros(max(length, max(starts) + tile))
    for start in starts:
        total[start : start + tile] += weights
    return np.stack([weights / total[start : start + tile] for start in starts]).astype(np.float32)
