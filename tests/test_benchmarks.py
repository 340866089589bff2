"""What the benchmarks say of scores and times, from numbers worked by hand."""

from __future__ import annotations

import math
import time
from pathlib import Path

import budget
import numpy as np
import pytest
import rasterio
from account import heights
from budget import Plan, make_plan, with_relative
from method import make_cities
from orderings import LONGER, beyond, differences, in_short, orderings
from survey import survey

from semimtl_geo.compare import Row
from semimtl_geo.compare.comparison import Comparison, Outcome, Run
from semimtl_geo.compare.scenario import Variant, find_scenario
from tests import fresh_process
from tests.fresh_process import run_script
from tests.rasters import write
from tiles.errors import InputError

ROOT = Path(__file__).parents[1]
PLAN = Plan(1.0, "32-true", 2, 100, {"jtl": 2 / 3})


def rows(domain: str, column: str, **scores: tuple[float, ...]) -> dict[int, list[Row]]:
    """Return rows by seed, of scores by method."""
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
        f"Ours over {LONGER}: +5.0 ± 12.7 mIoU on the unlabelled land cover (wanted 3: reached in "
        "the mean, which may be chance), +7.5 ± 31.8 % of RMSE on the unlabelled heights (wanted "
        "5: reached in the mean, which may be chance)."
    ]


def test_what_is_wanted_is_reached_with_its_interval() -> None:
    """Deviation 0.1: half of the interval of three seeds is 0.25."""
    ours = {"mIoU": (54.0, 54.1, 53.9), "RMSE": (3.88, 3.88, 3.88)}
    theirs = {"mIoU": (50.0, 50.0, 50.0), "RMSE": (4.0, 4.0, 4.0)}
    seeds = {
        seed: [
            Row(domain, name, {column: scores[column][seed]})
            for domain, column in (("city_b", "mIoU"), ("city_a", "RMSE"))
            for name, scores in (("Ours", ours), (LONGER, theirs))
        ]
        for seed in range(3)
    }
    (sentence,) = beyond(seeds, ["Ours"])
    assert "+4.0 ± 0.2 mIoU on the unlabelled land cover (wanted 3: reached)," in sentence
    assert "+3.0 ± 0.0 % of RMSE on the unlabelled heights (wanted 5: not reached)." in sentence


def test_equal_time() -> None:
    """SemiMTL's iterations take one and a half times as long as JTL's."""
    longer = PLAN.in_equal_time(Run("jtl", variant=Variant("longer", "JTL, longer")))
    assert longer.variant is not None
    assert longer.variant.overrides == ("--data.iterations=150",)


def test_what_equal_time_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JTL's as it was trained, by medians; of a new configuration beside SemiMTL; and only once."""
    file, scenario = tmp_path / "plan.json", find_scenario("cities")
    comparison = Comparison(scenario, tmp_path, tmp_path)
    trained = [
        Outcome(Run(system, seed), [], tmp_path, 1.0, step)
        for system, steps in {"jtl": (0.2, 0.3, math.nan), "semimtl": (0.4, 0.5, 0.9)}.items()
        for seed, step in enumerate(steps)
    ]
    (new,) = [Run(system, variant=variant) for system, variant in [scenario.variant("recommended")]]
    measured = []

    def measure(runs: list[Run], *_args: object) -> tuple[dict[str, float], float]:
        measured.append([run.name for run in runs])
        return {"semimtl": 0.8, "recommended": 0.6}, 0.0

    monkeypatch.setattr(budget, "measure", measure)
    plan = Plan(1.0, "32-true", 2, 100)
    timed = [Run("jtl", variant=Variant("longer", "JTL, longer")), new]
    for _ in range(2):
        plan = with_relative(plan, file, comparison, timed, trained)
        assert plan.relative == pytest.approx({"jtl": 0.5, "recommended": 0.75})
    assert measured == [["semimtl", "recommended"]]
    options = {"minutes": 5, "precision": "bf16-mixed", "started": time.monotonic()}
    systems = [Run("semimtl"), Run("jtl")]
    assert make_plan(file, comparison, systems, 2, processes=2, **options) == plan
    with pytest.raises(InputError, match=r"--parallel: 4, but .* was made with 2"):
        make_plan(file, comparison, systems, 2, processes=4, **options)


def test_heights_of_a_survey(tmp_path: Path) -> None:
    """A step of 10 m: noise of the deviation that was asked for, and a slope where the step was."""
    truth = np.zeros((200, 400), "float32")
    truth[:, 200:] = 10
    transform = rasterio.Affine(0.25, 0, 0, 0, -0.25, 50)
    with rasterio.open(
        tmp_path / "step.tif", "w", count=1, dtype="float32", width=400, height=200,
        crs="EPSG:25832", transform=transform,
    ) as raster:  # fmt: skip
        raster.write(truth, 1)
    survey(tmp_path, 0.3)
    with rasterio.open(tmp_path / "step.tif") as raster:
        heights = raster.read(1)
    flat = np.hypot(*(heights[:, part].std() for part in (slice(180), slice(220, None)))) / 2**0.5
    assert flat == pytest.approx(0.3, rel=0.05)
    # A Gaussian of 0.5 m, 1 m from the edge: its distribution function at 2 deviations, 0.977.
    assert heights[:, 203:205].mean() == pytest.approx(9.77, abs=0.1)


def test_how_far_cities_obey_the_prior(tmp_path: Path) -> None:
    """Ten pixels of its classes, three of them more than 0.5 m outside: 0.6, 1.4 and 3.1 m."""
    pixels = [(0, 0.0), (0, 0.4), (0, 0.6), (1, 2.0), (1, 1.6), (1, 1.4), (1, 31.0), (3, 5.0)]
    pixels += [(4, 2.9), (4, 3.1), (5, 99.0)]
    classes, metres = (np.array([part]) for part in zip(*pixels, strict=True))
    for city in ("city_a", "city_b"):
        layers = ("landcover", classes.astype("uint8")), ("height", metres.astype("float32"))
        for layer, values in layers:
            write(tmp_path / city / "train" / layer / "a.tif", values)
    said = heights(Comparison(find_scenario("cities"), tmp_path, tmp_path), noise=0.0)
    assert "on city_a 30.00% of the pixels of its classes are more than 0.5 m outside" in said
    assert "buildings are 9.0 m and trees 5.0 m high" in said


def test_cities_stay_those_of_the_first_start(tmp_path: Path) -> None:
    folder = tmp_path / "cities"
    make_cities(folder, 1, 64, 0.0)
    make_cities(folder, 1, 64, 0.0)
    with pytest.raises(InputError, match=r"'size': 64.*'size': 96.*give another --out"):
        make_cities(folder, 1, 96, 0.0)


def test_the_gpus_benchmark_runs_without_one(tmp_path: Path) -> None:
    """benchmarks/gpu.py must run when a GPU is lent; GPUs are rare, so the CPU tries it."""
    small = ["--encoder=resnet18", "--crop=64", "--batch=2", "--steps=1", "--rounds=1"]
    small += ["--warm-up=1", "--precision=32-true"]  # CPUs without bfloat16 emulate it
    small += ["--map-size=200"]
    script = ROOT / "benchmarks/gpu.py"
    code, printed, said = fresh_process.run(
        run_script, script, "--device=cpu", *small, folder=tmp_path
    )
    assert code == 0, said
    rows = [line for line in printed.splitlines() if line.startswith("| ")]
    assert [
        row.split(" | ")[0] for row in rows if "--" not in row and not row.startswith("|  |")
    ] == [
        "| forward and backward",
        "| JTL",
        "| SemiMTL",
        "| pass",
        "| map",
    ]
