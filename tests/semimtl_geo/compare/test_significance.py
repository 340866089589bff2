from __future__ import annotations

import math

import pytest

from semimtl_geo.compare.significance import difference
from semimtl_geo.compare.table import Row


def seeds(**scores: list[float]) -> dict[int, list[Row]]:
    count = max(len(values) for values in scores.values())
    return {
        seed: [
            Row("city", method, {"RMSE": values[seed]})
            for method, values in scores.items()
            if seed < len(values)
        ]
        for seed in range(count)
    }


def test_by_hand() -> None:
    # Differences 1, 2 and 3: mean 2, deviation 1, standard error 1 / sqrt(3).
    found = difference(seeds(a=[3.0, 6.0, 9.0], b=[2.0, 4.0, 6.0]), "city", "RMSE", "a", "b")
    assert found is not None
    assert (found.mean, found.seeds) == (2, 3)
    assert found.error == pytest.approx(1 / math.sqrt(3))
    # Student's t of two degrees of freedom is 4.303 at 97.5 %: 2 < 4.303 / sqrt(3) = 2.48.
    assert not found.certain
    relative = difference(
        seeds(a=[3.0, 6.0, 9.0], b=[2.0, 4.0, 6.0]), "city", "RMSE", "a", "b", relative=True
    )
    assert relative is not None
    assert (relative.mean, relative.error, relative.certain) == (50, 0, True)


def test_only_seeds_that_both_have_count() -> None:
    rows = seeds(a=[3.0, 1.0], b=[2.0, math.nan], c=[])
    found = difference(rows, "city", "RMSE", "a", "b")
    assert found is not None
    assert (found.mean, found.seeds, found.certain) == (1, 1, False)
    assert math.isnan(found.error)
    assert difference(rows, "city", "RMSE", "a", "c") is None
    assert difference(rows, "elsewhere", "RMSE", "a", "b") is None
