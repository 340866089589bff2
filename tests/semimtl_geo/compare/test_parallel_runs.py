from __future__ import annotations

from pathlib import Path

import pytest

from semimtl_geo.compare.comparison import Comparison, Run
from semimtl_geo.compare.parallel_runs import run_all
from semimtl_geo.compare.scenario import find_scenario
from tests.semimtl_geo.miniature import TINY
from tiles.errors import InputError


@pytest.mark.parametrize("lanes", [1, 2])
def test_what_fails_in_a_lane_ends_all(tmp_path: Path, lanes: int) -> None:
    comparison = Comparison(
        find_scenario("cities"), tmp_path / "none", tmp_path / "out", overrides=TINY
    )
    runs = [Run(system, seed) for system in ("jtl", "semimtl") for seed in range(3)]
    with pytest.raises(InputError, match="none/city_a/train"):
        run_all(runs, comparison, lanes)
    assert not list(tmp_path.rglob("*.ckpt"))
