from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiles.errors import InvalidValueError
from tiles.grid import tile_starts
from tiles.mosaic.blend_weights import BLENDS, axis_weights, cosine_weights, find_blend_weights


@pytest.mark.parametrize("tile", [1, 2, 3, 7, 64, 512, 4096])
@pytest.mark.parametrize("blend", BLENDS)
def test_windows_are_symmetric_and_nowhere_zero(blend: str, tile: int) -> None:
    weight = find_blend_weights(blend, tile)
    assert (weight > 0).all()
    assert weight == pytest.approx(weight[::-1])
    assert weight[tile // 2] == weight.max()


def test_neighbours_at_half_a_tile_add_up_to_one() -> None:
    weight = cosine_weights(512)
    assert weight[:256] + weight[256:] == pytest.approx(np.ones(256))


@given(st.sampled_from(sorted(BLENDS)), st.integers(1, 200), st.integers(1, 48), st.data())
def test_weights_add_up_to_one_in_every_pixel(
    blend: str, length: int, tile: int, data: st.DataObject
) -> None:
    starts = tile_starts(length, tile, data.draw(st.integers(0, tile - 1)))
    weights = axis_weights(starts, find_blend_weights(blend, tile), length)
    assert weights.dtype == np.float32
    total, number = np.zeros(max(length, tile)), np.zeros(max(length, tile))
    for start, weight in zip(starts, weights, strict=True):
        total[start : start + tile] += weight
        number[start : start + tile] += 1
        assert (weight > 0).all()
    assert np.abs(total - 1).max() < 1e-6
    for start, weight in zip(starts, weights, strict=True):
        assert (weight[number[start : start + tile] == 1] == 1).all()


@pytest.mark.parametrize(
    ("blend", "says"),
    [
        ("square", "must be one of cosine, linear, uniform, got 'square'"),
        (np.zeros, "must give 8 positive weights"),
        (lambda tile: np.ones(tile - 1), "must give 8 positive weights"),
        (lambda tile: np.full(tile, np.nan), "must give 8 positive weights"),
    ],
)
def test_windows_that_cannot_blend_are_refused(blend: Any, says: str) -> None:
    with pytest.raises(InvalidValueError, match=says):
        find_blend_weights(blend, 8)


def test_weights_fade_without_a_jump() -> None:
    weights = axis_weights(tile_starts(2000, 512, 128), cosine_weights(512), 2000)
    assert np.abs(np.diff(weights, axis=1)).max() < 0.03
