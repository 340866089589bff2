"""What the benchmarks say of scores and times, from numbers worked by hand."""

from __future__ import annotations

import json
import time
from pathlib import Path

import budget
import pytest
from budget import Plan, make_plan
from orderings import LONGER, beyond, differences, in_short, orderings

from semimtl_geo.compare import Row
from semimtl_geo.compare.runs import Job, Run
from semimtl_geo.compare.scenario import find_scenario
from semimtl_geo.compare.variant import Variant
from tiles.errors import InputError

PLAN = Plan(1.0, "32-true", 100, {"semimtl": 0.3, "jtl": 0.2})


def rows(domain: str, column: str, **scores: tuple[float, ...]) -> dict[int, list[Row]]:
    """Rows by seed, of scores by method."""
    count = len(next(iter(scores.values())))
    return {
        seed: [Row(domain, name, {column: values[seed]}) for name, values in scores.items()]
        for seed in range(count)
    }


def test_scores_in_short() -> None:
    mean = [
        Row("city_a", "JTL", {"mIoU": 61.23, "RMSE": 4.004}, deviations={"mIoU": 1.06}),
        Row("city_b", "JTL", {"mIoU": 50.0, "gain": 12.0}),
        Row("city_b", "STL_Depth", {"RMSE": 1.5}),
    ]
    assert in_short(mean)[2:] == [
        "| JTL | 50.0 | 4.00 | 61.2 ± 1.1 | - | - | +12.0 |",
        "| STL_Depth | - | - | - | 1.50 | - | - |",
    ]


def test_which_orderings_hold() -> None:
    """Differences 30, 31, 32: deviation 1, and t of 2 degrees of freedom is 4.303.

    SemiSD over JTL: 1, -2, 1. SemiMTL over SemiSD: 9, 12, 9; deviation of both: 3 ** 0.5.
    """
    seeds = rows(
        "city_b",
        "mIoU",
        STL_Seg=(20, 21, 22),
        JTL=(50, 52, 54),
        SemiSD=(51, 50, 55),
        SemiMTL=(60, 62, 64),
    )
    assert orderings(seeds) == [
        "Unlabelled land cover (city B, mIoU), 2 of 3 steps hold: STL < JTL holds (+31.0 ± 2.5); "
        "JTL < SemiSD cannot be told from chance (+0.0 ± 4.3); "
        "SemiSD < SemiMTL holds (+10.0 ± 4.3); JTL < SemiMTL holds (+10.0 ± 0.0)."
    ]


def test_less_of_rmse_is_better() -> None:
    seeds = rows("city_a", "RMSE", STL_Depth=(5.0, 5.2), JTL=(4.0, 4.2), SemiMTL=(4.5, 4.7))
    (sentence,) = orderings(seeds)
    assert "1 of 2 steps hold: STL < JTL holds (+1.00 ± 0.00)" in sentence
    assert "JTL < SemiMTL does not hold, it is the other way round (-0.50 ± 0.00)" in sentence
    assert differences(seeds, ["STL_Depth", "JTL", "SemiMTL"], "JTL")[2:] == [
        "| STL_Depth | - | -1.00 ± 0.00 | - | - | - | - |",
        "| SemiMTL | - | -0.50 ± 0.00 | - | - | - | - |",
    ]


def test_whether_what_is_recommended_reaches_what_is_wanted() -> None:
    """4 and 6 mIoU better; RMSE 5 and 10 % less, deviation 3.54, t of 1 degree of freedom 12.7."""
    seeds = rows("city_b", "mIoU", Ours=(54, 56), **{LONGER: (50, 50)})
    heights = rows("city_a", "RMSE", Ours=(3.8, 4.5), **{LONGER: (4, 5)})
    both = {seed: [*seeds[seed], *heights[seed]] for seed in seeds}
    assert beyond(both, ["Ours"]) == [
        f"Ours over {LONGER}: +5.0 ± 12.7 mIoU on the unlabelled land cover (wanted 3: reached), "
        "+7.5 ± 31.8 % of RMSE on the unlabelled heights (wanted 5: reached)."
    ]


def test_equal_time() -> None:
    """SemiMTL's 100 iterations take 30 s, JTL's 0.2 s each."""
    longer = PLAN.in_equal_time(Run("jtl", variant=Variant("longer", "JTL, longer")))
    assert longer.variant is not None
    assert longer.variant.overrides == ("--data.iterations=150",)
    with pytest.raises(InputError, match="--variants jtl"):
        PLAN.in_equal_time(Run("jtl"))


def test_what_is_added_later_is_measured_beside_the_method(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine takes twice as long as when the plan was made."""
    file = tmp_path / "plan.json"
    scenario = find_scenario("cities")
    systems = [Run("semimtl"), Run("jtl")]
    (new,) = [Run(system, variant=variant) for system, variant in [scenario.variant("recommended")]]
    measured = {"semimtl": 0.6, "recommended": 0.5}
    monkeypatch.setattr(budget, "measure", lambda *_args: (measured, 0.0))
    file.write_text(json.dumps(PLAN.__dict__), encoding="utf-8")
    plan = make_plan(
        file,
        Job(scenario, tmp_path, tmp_path),
        systems,
        [new],
        minutes=5,
        precision="bf16-mixed",
        lanes=2,
        started=time.monotonic(),
    )
    assert plan.steps == {"semimtl": 0.3, "jtl": 0.2, "recommended": 0.25}
    assert (plan.minutes, plan.precision, plan.iterations) == (1.0, "32-true", 100)
    assert json.loads(file.read_text(encoding="utf-8"))["steps"] == plan.steps
