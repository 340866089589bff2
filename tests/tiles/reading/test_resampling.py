from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tiles.reading.resampling import resample, resampling_weights


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_taps_carry_all_weight_and_any_cut_gives_the_same(
    old: int, new: int, data: st.DataObject
) -> None:
    weights = resampling_weights(old, new)
    assert weights.weight.sum(axis=0) == pytest.approx(np.ones(new), abs=1e-6)
    whole = np.zeros((new, old))
    for index, weight in zip(weights.index, weights.weight, strict=True):
        whole[np.arange(new), index] += weight
    start = data.draw(st.integers(0, new - 1))
    stop = data.draw(st.integers(start + 1, new))
    first, end = weights.source_range(start, stop)
    part = weights.local(start, stop, first, end - first)
    cut = np.zeros((stop - start, end - first))
    for index, weight in zip(part.index, part.weight, strict=True):
        cut[np.arange(stop - start), index] += weight
    assert np.array_equal(cut, whole[start:stop, first:end])
    assert not whole[start:stop, :first].any()
    assert not whole[start:stop, end:].any()


@given(st.integers(1, 40), st.integers(1, 40))
def test_coarser_pixels_average_exactly_their_ground(old: int, new: int) -> None:
    if new > old:
        old, new = new, old
    values = np.random.default_rng(0).normal(size=old)
    fine = np.repeat(values, new)  # a common multiple of both grids
    expected = fine.reshape(new, old).mean(axis=1)
    weights = resampling_weights(old, new)
    assert (values[weights.index] * weights.weight).sum(axis=0) == pytest.approx(expected, abs=1e-5)


def test_unknown_pixels_have_no_influence() -> None:
    values = torch.tensor([[[1.0, float("nan"), 3.0, 4.0, float("nan"), float("nan")]]])
    known = ~values[0].isnan()
    made, found = resample(values, known, resampling_weights(1, 1), resampling_weights(6, 3))
    assert made[0, 0, :2].tolist() == [1.0, 3.5]
    assert found.tolist() == [[True, True, False]]
