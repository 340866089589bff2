"""Compare the nine systems on two real towns, with the labels of either town in turn.

    python benchmarks/towns.py [--data towns] [--minutes 115] [--seeds 0,1,2] [--write]

--data is a folder with eugene/ and versailles/, as docs/towns.md describes. Each town has
land-cover labels in one direction and heights in the other. Prints Markdown: the scores of

- the paper's nine systems, trained for equally many iterations, which --minutes decides by a short
  measurement, and single-task networks that start from random towns, for as many;
- for SemiMTL's time: the recommended configuration of configs/towns/, JTL, and JTL that starts
  from random towns, which shows how much of the gain this start explains;
- the oracle: the recommended configuration with both labels in both towns, for as long;
- the controls: statistics re-estimated on the scenes that are mapped; a constant height; and the
  mean height of each class, looked up on JTL's land cover;

and statements: how much better the recommended network is than JTL and than single-task
networks, and how much of the gap between JTL and the oracle it closes. The seed sets weights, chips
and augmentation. Settings were chosen on validation scenes; the table is made on test scenes.

Two single-threaded runs in parallel. Killed and started again, it goes on where it was. What
follows -- goes to training; with another --out.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from budget import EPOCHS, LONGER_JTL, Plan, make_plan, trained, with_relative
from height_baselines import CONSTANT, constant, with_class_means
from measuring import made_on, make_parser, numbers, publish, refuse_other_table, say, table
from orderings import LONGER, shown
from reestimated import reestimated

from semimtl_geo.commands.demonstration import training_precision
from semimtl_geo.compare.averages import make_table, rows_of_seeds
from semimtl_geo.compare.comparison import Comparison, Outcome, Run, select_runs
from semimtl_geo.compare.scenario import Variant, find_scenario
from semimtl_geo.compare.scoring import REESTIMATED
from semimtl_geo.compare.significance import difference
from semimtl_geo.compare.table import Row
from semimtl_geo.learning.systems import SYSTEMS, system_names
from semimtl_geo.synthetic import write_random_towns
from tiles.errors import InputError

RECOMMENDED, ORACLE = "recommended", "oracle"
CLASSES = ("impervious surfaces", "building", "low vegetation", "tree", "water")
JTL = SYSTEMS["jtl"].title
FROM_RANDOM_TOWNS = ", from random towns"
REVERSED = (
    "--data.domains.eugene.supervised=[height]",
    "--data.domains.versailles.supervised=[landcover]",
)


@dataclass(frozen=True)
class Direction:
    """One of the two ways to label the towns.

    Attributes:
        classes: The town with land-cover labels.
        heights: The town with heights.
        overrides: What training is told.
    """

    classes: str
    heights: str
    overrides: tuple[str, ...]


def compare_towns(args: argparse.Namespace) -> list[str]:
    """Train what is not trained yet; returns the lines of the tables."""
    started = time.monotonic()
    ways = (Direction("eugene", "versailles", ()), Direction("versailles", "eugene", REVERSED))
    data = with_random_towns(args.data, args.out / "data")
    lines, oracle = [], None
    for number, way in enumerate(ways):
        overrides = (*way.overrides, *args.overrides)
        scenario = find_scenario("towns", overrides)
        scenario = replace(scenario, evaluate=dict.fromkeys(scenario.evaluate, args.split))
        out = args.out / f"{way.classes}_landcover"
        comparison = Comparison(scenario, data, out, args.seeds, overrides)
        systems = select_runs(scenario, system_names())
        systems += [from_random_towns("stl_seg"), from_random_towns("stl_depth")]
        timed = [
            LONGER_JTL,
            from_random_towns("jtl"),
            *select_runs(scenario, [RECOMMENDED]),
        ]
        # The oracle is the same in both directions, and is trained in the first.
        oracle_runs = [] if number else select_runs(scenario, [ORACLE])
        file = args.out / "plan.json"
        plan = make_plan(
            file,
            comparison,
            systems,
            len([*timed, *oracle_runs]),
            minutes=args.minutes / 2,
            precision=training_precision(),
            processes=args.parallel,
            started=started,
        )
        same = replace(comparison, overrides=(*overrides, *plan.overrides()))
        outcomes = trained(systems, same, args.parallel)
        plan = with_relative(plan, file, comparison, [*timed, *oracle_runs], outcomes)
        outcomes += trained([plan.in_equal_time(run) for run in timed], same, args.parallel)
        if oracle is None:
            oracle = trained([plan.in_equal_time(run) for run in oracle_runs], same, args.parallel)
        outcomes = [
            reestimated(outcome, same) if outcome.run.system == "jtl" else outcome
            for outcome in [*outcomes, *oracle]
        ]
        looked_up = [
            with_class_means(outcome, same, way.heights) if outcome.run.name == "jtl" else outcome
            for outcome in outcomes
        ]
        lines += describe(way, looked_up, same)
    return [*introduce(plan, args), *lines, made_on(["lightning", "semimtl-geo"])]


def from_random_towns(system: str) -> Run:
    """Return the run of a system whose network learned from random towns before."""
    title = f"{SYSTEMS[system].title}{FROM_RANDOM_TOWNS}"
    overrides = ("--model.start=random_towns",)
    return Run(system, variant=Variant(f"{system}_started", title, overrides=overrides))


def with_random_towns(towns: Path, folder: Path) -> Path:
    """Return a folder with links to the real towns, and random towns beside them."""
    done = folder / "random.done"
    folder.mkdir(parents=True, exist_ok=True)
    for town in ("eugene", "versailles"):
        link = folder / town
        if not link.exists():
            link.symlink_to((towns / town).resolve(), target_is_directory=True)
    if not done.exists():
        say("drawing random towns")
        write_random_towns(folder)
        done.touch()
    return folder


def introduce(plan: Plan, args: argparse.Namespace) -> list[str]:
    """Describe what was done."""
    return [
        f"Two real towns, {plan.precision}, {EPOCHS * plan.iterations} iterations of each of the "
        f"paper's systems, {len(args.seeds)} seeds, scored on {args.split} scenes. Planned for "
        f"{args.minutes:g} minutes, {args.parallel} runs in parallel.",
        "",
        "The labels were made by rules (docs/towns.md): buildings and trees are above 2.2 m and "
        "all else is below 1 m by construction, which flatters the prior of the recommended "
        "configuration. "
        "Mean ± standard deviation over seeds; mIoU is over impervious surfaces, buildings, low "
        "vegetation and trees. The last two columns are of pixels whose true height is above "
        "0.5 m; recall is the share of them that is also predicted above 0.5 m. Seeds tell nothing "
        "about other towns.",
        "",
    ]


def describe(way: Direction, outcomes: Sequence[Outcome], comparison: Comparison) -> list[str]:
    """Return the tables of one direction, and what they say."""
    split = comparison.scenario.evaluate[way.classes]
    rows, seeds = make_table(outcomes), rows_of_seeds(outcomes)
    constants = {
        town: constant(comparison.data, town, split) for town in (way.classes, way.heights)
    }
    lines = [f"## Labels: land cover of {way.classes}, heights of {way.heights}", ""]
    for town in (way.classes, way.heights):
        task = "land cover" if town == way.classes else "heights"
        lines += [f"### Scores on {town}, where {task} had labels", ""]
        lines += scores([row for row in [*rows, constants[town]] if row.domain == town])
        lines.append("")
    lines += [f"- {text}" for text in statements(way, seeds, constants)]
    return [*lines, ""]


def scores(rows: Sequence[Row]) -> list[str]:
    """Return a table of all scores on one town."""
    baseline = next(row.scores["RMSE"] for row in rows if row.method == CONSTANT)
    lines = []
    for row in rows:
        per_class = [row.classes.get(name, math.nan) for name in CLASSES]
        error = row.scores.get("RMSE", math.nan) / baseline
        lines.append(
            (
                row.method,
                row.cell("mIoU/main", 1),
                *("-" if math.isnan(value) else f"{value:.0f}" for value in per_class),
                row.cell("RMSE", 2),
                "-" if math.isnan(error) else f"{error:.2f}",
                *(row.cell(name, 2) for name in ("MAE", "RMSE/raised")),
                row.cell("found", 0),
            )
        )
    heading = (
        "method",
        "mIoU",
        *(f"IoU {name}" for name in CLASSES),
        "RMSE (m)",
        "RMSE / constant's RMSE",
        "MAE (m)",
        "RMSE above 0.5 m (m)",
        "recall above 0.5 m (%)",
    )
    return table(heading, lines)


def statements(way: Direction, seeds: dict[int, list[Row]], constants: dict[str, Row]) -> list[str]:
    """Return sentences on the recommended configuration, and on single-task networks."""
    found = []
    recommended = next(row.method for row in seeds[min(seeds)] if row.method.endswith(RECOMMENDED))
    oracle = next(row.method for row in seeds[min(seeds)] if row.method.endswith(ORACLE))
    single = SYSTEMS["stl_seg"].title
    for text, town, column, other in (
        ("land cover without labels", way.heights, "mIoU/main", single + REESTIMATED),
        ("land cover without labels", way.heights, "mIoU/main", JTL),
        ("land cover without labels", way.heights, "mIoU/main", LONGER),
        ("land cover without labels", way.heights, "mIoU/main", JTL + FROM_RANDOM_TOWNS),
        ("heights without labels", way.classes, "RMSE", JTL),
        ("heights without labels", way.classes, "RMSE", LONGER),
        ("heights without labels", way.classes, "RMSE", JTL + FROM_RANDOM_TOWNS),
        ("land cover with labels", way.classes, "mIoU/main", LONGER),
        ("heights with labels", way.heights, "RMSE", LONGER),
    ):
        gap = difference(seeds, town, column, recommended, other)
        if gap is not None:
            sure = "" if gap.certain else " (may be chance)"
            found.append(
                f"{text} ({town}), {column}: {recommended} {shown(gap, 2)}{sure} over {other}."
            )
    for text, town, column in (
        ("land cover", way.heights, "mIoU/main"),
        ("heights", way.classes, "RMSE"),
    ):
        gain = difference(seeds, town, column, recommended, LONGER)
        whole = difference(seeds, town, column, oracle, LONGER)
        if gain is not None and whole is not None and whole.mean:
            share = f"{100 * gain.mean / whole.mean:.0f} %"
            found.append(f"{text} without labels: {share} of the gap from {LONGER} to the oracle.")
    depth = SYSTEMS["stl_depth"].title
    for method, town in (
        (depth, way.heights),
        (depth + FROM_RANDOM_TOWNS, way.heights),
        (recommended, way.classes),
    ):
        errors = [
            row.scores["RMSE"] / constants[town].scores["RMSE"]
            for rows in seeds.values()
            for row in rows
            if row.method == method and row.domain == town
        ]
        mean = sum(errors) / len(errors)
        found.append(f"heights of {town}: {method} has {mean:.2f} of a constant's RMSE.")
    return found


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--data", type=Path, default=Path("towns"), help="folder of the towns")
    parser.add_argument(
        "--minutes", type=float, default=115, help="time budget of the whole benchmark in minutes"
    )
    parser.add_argument("--seeds", type=numbers, default=(0, 1, 2))
    parser.add_argument("--split", choices=("test", "val"), default="test")
    parser.add_argument("--parallel", type=int, default=2, help="number of runs in parallel")
    parser.add_argument("--out", type=Path, default=Path("runs/towns"))
    parser.add_argument("overrides", nargs="*", help="options of training, after --")
    args = parser.parse_args()
    refuse_other_table(parser, args, ["minutes", "seeds", "out", "data"])
    try:
        publish("Two real towns", compare_towns(args), args.write)
    except InputError as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    say("the folder of --out keeps all that is done; start again to go on")
    main()
