"""Does the method hold? The nine systems on the synthetic cities, with controls, seed by seed.

    python benchmarks/method.py [--minutes 76] [--seeds 0,1,2,3,4] [--variants a,b] [--write]

Prints Markdown: scores (mean and deviation over seeds), paired differences to JTL that was given
SemiMTL's time, with their intervals, and which of the paper's orderings hold.

- Every system is trained for the same number of iterations, which --minutes decides by a short
  measurement. The controls:
  a single-task network with BatchNorm statistics re-estimated on the city that it never saw;
  "JTL, time of SemiMTL": as many more iterations as SemiMTL's seconds per iteration over JTL's
  say, medians of the training of both, so that both train for the same wall-clock time.
- --variants names further configurations of configs/cities/, each trained for SemiMTL's time too,
  by a measurement beside SemiMTL.
- JTL, SemiMTL and all that is trained for SemiMTL's time are also scored with statistics
  re-estimated on the scenes they map. For all that is trained for SemiMTL's time, the table also
  has heights that need no network for heights: the mean height of each class in city B, looked up
  on the network's own land cover.
- Settings were chosen on validation scenes (--split val prints the same tables of these); the
  table that counts is made on test scenes, which nothing was chosen by.
- Two single-threaded runs in parallel. Killed and started again, it goes on where it was; the
  plan (iterations, precision) stays that of the first start, and a variant may be added.
- --noise smooths the training heights and adds noise to them, which otherwise obey the prior of
  the recommended configuration nearly everywhere; with another --out.
- What follows -- goes to training, such as -- --model.encoder.name=resnet50; with another --out.
"""

from __future__ import annotations

import argparse
import shutil
import time
from dataclasses import replace
from pathlib import Path

from account import account
from budget import LONGER_JTL, METHOD, make_plan, trained, with_relative
from height_baselines import with_class_means
from measuring import make_parser, numbers, publish, refuse_other_table, say
from reestimated import reestimated
from survey import survey

from semimtl_geo.commands.demonstration import training_precision
from semimtl_geo.compare.comparison import Comparison, select_runs
from semimtl_geo.compare.environment import collect_facts
from semimtl_geo.compare.runs import read_json, write_json
from semimtl_geo.compare.scenario import find_scenario
from semimtl_geo.learning.systems import SYSTEMS, system_names
from semimtl_geo.progress import show_progress
from semimtl_geo.report.results import write_results
from semimtl_geo.synthetic import write_cities
from tiles.errors import InputError

VARIANTS = ["recommended", "oracle"]
"""A configuration that goes beyond the paper, and the oracle: both labels in both cities."""
BOTH = ("jtl", METHOD)
"""Systems that are trained whatever is asked for: the others are compared with them."""


def method(args: argparse.Namespace) -> list[str]:
    """Train what is not trained yet; returns the lines of the tables."""
    started = time.monotonic()
    scenario = find_scenario("cities")
    scenario = replace(scenario, evaluate=dict.fromkeys(scenario.evaluate, args.split))
    cities = args.out / "cities"
    make_cities(cities, args.scenes, args.size, args.noise)
    comparison = Comparison(scenario, cities, args.out, args.seeds, tuple(args.overrides))
    systems = select_runs(scenario, {*args.systems, *BOTH})
    timed = [LONGER_JTL, *select_runs(scenario, args.variants)]
    file = args.out / "plan.json"
    plan = make_plan(
        file,
        comparison,
        systems,
        len(timed),
        minutes=args.minutes,
        precision=training_precision(),
        processes=args.parallel,
        started=started,
    )
    plain = comparison
    comparison = replace(comparison, overrides=(*comparison.overrides, *plan.overrides()))
    outcomes = trained(systems, comparison, args.parallel)
    plan = with_relative(plan, file, plain, timed, outcomes)
    outcomes += trained([plan.in_equal_time(run) for run in timed], comparison, args.parallel)
    write_results(
        comparison, outcomes, collect_facts(outcomes, Configuration="benchmarks/method.py")
    )
    outcomes = [
        reestimated(outcome, comparison)
        if outcome.run.variant or outcome.run.name in BOTH
        else outcome
        for outcome in outcomes
    ]
    outcomes = [
        with_class_means(outcome, comparison, "city_b") if outcome.run.variant else outcome
        for outcome in outcomes
    ]
    return account(outcomes, comparison, plan, noise=args.noise)


def make_cities(folder: Path, scenes: int, size: int, noise: float) -> None:
    """Make the cities, whole or not at all.

    Raises:
        InputError: If others are there.
    """
    note, made = folder.with_suffix(".json"), {"scenes": scenes, "size": size, "noise": noise}
    if folder.is_dir():
        if (found := read_json(note)) != made:
            raise InputError(folder, f"was made with {found}, not {made}", "give another --out")
        return
    aside = folder.with_name(".cities")
    shutil.rmtree(aside, ignore_errors=True)
    with show_progress("make the cities", "scenes") as progress:
        cities = write_cities(aside, scenes=scenes, size=size, progress=progress)
    if noise:
        for city in cities.values():
            survey(city / "train" / "height", noise)
    write_json(note, made)
    aside.rename(folder)


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument(
        "--minutes", type=float, default=76, help="time budget of the whole benchmark in minutes"
    )
    parser.add_argument("--seeds", type=numbers, default=(0, 1, 2, 3, 4))
    parser.add_argument(
        "--systems",
        type=names,
        default=system_names(),
        help="the paper's systems to train; jtl and semimtl are always trained",
    )
    parser.add_argument(
        "--variants",
        type=names,
        default=VARIANTS,
        help="configurations of configs/cities/ to train besides the paper's systems",
    )
    parser.add_argument("--split", choices=("test", "val"), default="test")
    parser.add_argument("--parallel", type=int, default=2, help="number of runs in parallel")
    parser.add_argument(
        "--scenes", type=int, default=32, help="number of training scenes of each city"
    )
    parser.add_argument("--size", type=int, default=384, help="edge of a scene in pixels")
    parser.add_argument(
        "--noise",
        type=float,
        default=0.0,
        help="standard deviation of the noise of training heights in metres",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/method"))
    parser.add_argument("overrides", nargs="*", help="options of training, after --")
    args = parser.parse_args()
    refuse_other_table(parser, args, ["minutes", "seeds", "out"])
    for name in args.systems:
        if name not in SYSTEMS:
            parser.error(f"--systems {name}: is not a system of the paper; give it as --variants")
    for name in args.variants:
        if name in SYSTEMS:
            parser.error(f"--variants {name}: is a system of the paper; give it as --systems")
    try:
        publish("Does the method hold?", method(args), args.write)
    except InputError as error:
        parser.exit(2, f"{error}\n")


def names(text: str) -> list[str]:
    """Each once."""
    return list(dict.fromkeys(name for name in text.split(",") if name))


if __name__ == "__main__":
    say("the folder of --out keeps all that is done; start again to go on")
    main()
