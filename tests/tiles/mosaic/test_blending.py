from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiles.grid import tile_starts
from tiles.mosaic.blending import axis_weights, bell


@pytest.mark.parametrize("tile", [1, 2, 3, 7, 64, 512, 4096])
def test_bell_is_symmetric_and_nowhere_zero(tile: int) -> None:
    weight = bell(tile)
    assert (weight > 0).all()
    assert weight == pytest.approx(weight[::-1])
    assert weight.argmax() in ((tile - 1) // 2, tile // 2)


def test_neighbours_at_half_a_tile_add_up_to_one() -> None:
    weight = bell(512)
    assert weight[:256] + weight[256:] == pytest.approx(np.ones(256))


@given(st.integers(1, 200), st.integers(1, 48), st.data())
def test_weights_add_up_to_one_in_every_pixel(length: int, tile: int, data: st.DataObject) -> None:
    starts = tile_starts(length, tile, data.draw(st.integers(0, tile - 1)))
    weights = axis_weights(starts, tile, length)
    assert weights.dtype == np.float32
    total, number = np.zeros(max(length, tile)), np.zeros(max(length, tile))
    for start, weight in zip(starts, weights, strict=True):
        total[start : start + tile] += weight
        number[start : start + tile] += 1
        assert (weight > 0).all()
    assert np.abs(total - 1).max() < 1e-6
    for start, weight in zip(starts, weights, strict=True):
        assert (weight[number[start : start + tile] == 1] == 1).all()


def test_weights_fade_without_a_jump() -> None:
    weights = axis_weights(tile_starts(2000, 512, 128), 512, 2000)
    assert np.abs(np.diff(weights, axis=1)).max() < 0.03
