"""The weight of a pixel inside its tile.

Tiles are trusted in their middle and less towards their border, where the network sees little
around a pixel. Tile starts are the product of row starts and column starts, hence so are the
weights after normalisation: no sum of weights has to be kept, and nothing is divided.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def bell(tile: int) -> npt.NDArray[np.float64]:
    """A raised cosine over one tile, nowhere zero.

    Args:
        tile: Pixels along the tile.

    Returns:
        float64 [tile], symmetric; at 50 % overlap neighbours add up to 1.
    """
    weight: npt.NDArray[np.float64] = np.sin(np.pi * (np.arange(tile) + 0.5) / tile) ** 2
    return weight


def axis_weights(starts: Sequence[int], tile: int, length: int) -> npt.NDArray[np.float32]:
    """Weights of all tiles along one axis, which sum to 1 in every pixel.

    Args:
        starts: First pixels of the tiles, which leave no pixel out.
        tile: Pixels along a tile.
        length: Pixels along the axis; a tile may overhang.

    Returns:
        float32 [len(starts), tile]; exactly 1 where a pixel lies in one tile only.
    """
    weight = bell(tile)
    total = np.zeros(max(length, max(starts) + tile))
    for start in starts:
        total[start : start + tile] += weight
    return np.stack([weight / total[start : start + tile] for start in starts]).astype(np.float32)
