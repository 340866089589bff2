"""Does the method hold? The nine systems on the embedded cities, with controls, seed by seed.

    python benchmarks/method.py [--minutes 76] [--seeds 0,1,2,3,4] [--variants a,b] [--write]

Prints Markdown: scores (mean and deviation over seeds), paired differences to JTL that was given
SemiMTL's time, with their intervals, and which of the paper's orderings hold.

- Every system is trained for the same number of iterations, which --minutes decides by a short
  measurement. The controls:
  a single-task network with BatchNorm statistics re-estimated on the city that it never saw;
  "JTL, time of SemiMTL": as many more iterations as SemiMTL's seconds per iteration over JTL's
  say, both measured in one run, so that both train for the same wall-clock time.
- --variants names further configurations of configs/cities/, each trained for SemiMTL's time too.
- Settings were chosen on validation scenes (--split val prints the same tables of these); the
  table that counts is made on test scenes, which nothing was chosen by.
- Two single-threaded runs side by side. Killed and started again, it goes on where it was; the
  plan (iterations, precision) stays that of the first start, and a variant may be added.
- --noise smears and worsens the heights that are learned from, which otherwise obey the prior of
  what is recommended without any error; with another --out.
- What follows -- goes to training, such as -- --model.encoder.name=resnet50; with another --out.
"""

from __future__ import annotations

import argparse
import math
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import rasterio
from budget import EPOCHS, METHOD, Plan, make_plan
from measuring import made_on, make_parser, publish, say, table
from orderings import LONGER, beyond, controls, differences, in_short, orderings
from survey import SMEAR, survey

from semimtl_geo.cities import write_cities
from semimtl_geo.compare import to_markdown
from semimtl_geo.compare.results import rows_of_seeds, table_of, write_results
from semimtl_geo.compare.runs import Job, Outcome, Run, check, runs_of
from semimtl_geo.compare.scenario import ORDER, find_scenario
from semimtl_geo.compare.variant import Variant
from semimtl_geo.configuration import settings_of
from semimtl_geo.demo import faster_precision
from semimtl_geo.facts import facts_of
from semimtl_geo.lanes import run_lanes
from semimtl_geo.progress import progress_bar
from semimtl_geo.systems import SYSTEMS
from tiles.errors import InputError

VARIANTS = ["recommended"]
"""Beyond the paper."""
CONTROL = Variant("jtl_longer", LONGER)


def method(args: argparse.Namespace) -> list[str]:
    """Train what is not trained yet; returns the lines of the tables."""
    started = time.monotonic()
    scenario = find_scenario("cities")
    scenario = replace(scenario, evaluate=dict.fromkeys(scenario.evaluate, args.split))
    cities = args.out / "cities"
    make_cities(cities, args.scenes, args.size, args.noise)
    job = Job(scenario, cities, args.out, args.seeds, tuple(args.overrides))
    systems = runs_of(scenario, {*args.systems, METHOD, "jtl"})
    timed = [Run("jtl", variant=CONTROL), *runs_of(scenario, args.variants)]
    plan = make_plan(
        args.out / "plan.json",
        job,
        systems,
        timed,
        minutes=args.minutes,
        precision=faster_precision(),
        lanes=args.lanes,
        started=started,
    )
    job = replace(job, overrides=(*job.overrides, *plan.overrides()))
    timed = [plan.in_equal_time(run) for run in timed]
    runs = [replace(run, seed=seed) for seed in job.seeds for run in [*systems, *timed]]
    check(job, runs)
    outcomes = run_lanes(runs, job, args.lanes)
    write_results(job, outcomes, facts_of(outcomes, Configuration="benchmarks/method.py"))
    return lines(outcomes, job, plan, args)


def make_cities(folder: Path, scenes: int, size: int, noise: float) -> None:
    """Make the cities, whole or not at all."""
    if folder.is_dir():
        return
    aside = folder.with_name(".cities")
    shutil.rmtree(aside, ignore_errors=True)
    with progress_bar("make the cities", "scenes") as progress:
        cities = write_cities(aside, scenes=scenes, size=size, progress=progress)
    if noise:
        for city in cities.values():
            survey(city / "train" / "height", noise)
    aside.rename(folder)


def heights(noise: float) -> str:
    """What is to be known of the heights that are learned from."""
    if noise:
        return (
            f"The heights that are learned from are smoothed by a Gaussian of {SMEAR:g} m and have "
            f"noise of {noise:g} m; those that are scored on do not."
        )
    return (
        "In these cities heights obey the prior of what is recommended without any error (ground "
        "is at 0 m, nothing is mislabelled), which real heights do not."
    )


def training_scenes(job: Job) -> str:
    """What there is to learn from."""
    folder = next(iter(sorted(job.data.glob("*/train/image"))))
    files = sorted(folder.glob("*.tif"))
    with rasterio.open(files[0]) as scene:
        ground = round(scene.width * scene.res[0])
    return f"{len(files)} training scenes of {ground} m of each"


def lines(outcomes: Sequence[Outcome], job: Job, plan: Plan, args: argparse.Namespace) -> list[str]:
    """The tables, and what they say."""
    rows, seeds = table_of(outcomes), rows_of_seeds(outcomes)
    methods = list(dict.fromkeys(row.method for row in rows))
    extra = [o.run.title for o in outcomes if o.run.variant and o.run.title != LONGER]
    further = beyond(seeds, list(dict.fromkeys(extra)))
    split = {"test": "test scenes", "val": "validation scenes"}[args.split]
    return [
        f"The embedded cities ({training_scenes(job)}), {plan.precision}, "
        f"{EPOCHS * plan.iterations} iterations of each of the paper's systems, "
        f"{len(job.seeds)} seeds, scored on {split}. Planned for {plan.minutes:g} minutes, "
        f"{args.lanes} runs side by side.",
        "",
        "Seeds vary weights, chips and augmentation. Intervals tell how far that goes, on this "
        "pair of cities and these scenes; they say nothing of other cities. Of the many "
        "comparisons below one in twenty would be called certain where there is no difference. "
        f"{heights(args.noise)} Some of the test scenes are also the demo's.",
        "",
        "## Scores",
        "",
        "Mean ± deviation over seeds. City A has land-cover labels, city B heights: B's mIoU and "
        "A's RMSE are of tasks that had no labels there.",
        "",
        *in_short(rows),
        "",
        "All of the paper's columns:",
        "",
        *to_markdown(rows).splitlines(),
        "",
        f"## Better than {LONGER}",
        "",
        "Differences of the same seed, mean ± half of the 95 % interval (Student's t); above 0 is "
        "better, also of RMSE. (?): the interval contains 0. The paper's systems and the controls "
        "had the iterations above, which took some of them less time (see Time).",
        "",
        *differences(seeds, methods, LONGER),
        "",
        "## Which of the paper's orderings hold",
        "",
        "After equally many iterations. The gain is over single-task networks as they stand; what "
        "their re-estimated statistics alone would gain is in it.",
        "",
        *(f"- {sentence}" for sentence in orderings(seeds)),
        "",
        "Against the controls (statistics are re-estimated on the test images):",
        "",
        *(f"- {sentence}" for sentence in controls(seeds)),
        "",
        *(["## Beyond the paper", "", *(f"- {text}" for text in further), ""] if further else []),
        "## Time",
        "",
        f"Iterations, medians over seeds. {LONGER} and what is beyond the paper were given "
        "SemiMTL's time by the measurement before; the last column says how near they came.",
        "",
        *times(outcomes),
        "",
        made_on(["lightning", "semimtl-geo"]),
    ]


def times(outcomes: Sequence[Outcome]) -> list[str]:
    """A table of what training took."""
    found: dict[str, list[tuple[int, float]]] = {}
    for outcome in outcomes:
        settings = settings_of([f"--config={outcome.checkpoint.with_name('config.yaml')}"])
        iterations = int(settings["data.iterations"]) * int(settings["trainer.max_epochs"])
        found.setdefault(outcome.run.title, []).append((iterations, outcome.step))
    medians = {
        # A run that was killed as it ended does not know its step.
        title: (runs[0][0], statistics.median([s for _, s in runs if not math.isnan(s)]))
        for title, runs in found.items()
    }
    count, step = medians[SYSTEMS[METHOD].title]
    rows = [
        (title, f"{n}", f"{1000 * each:.0f}", f"{n * each:.0f}", f"{n * each / (count * step):.2f}")
        for title, (n, each) in medians.items()
    ]
    return table(("method", "iterations", "ms per iteration", "seconds", "over SemiMTL"), rows)


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--minutes", type=float, default=76, help="for everything")
    parser.add_argument("--seeds", type=numbers, default=(0, 1, 2, 3, 4))
    parser.add_argument("--systems", type=names, default=ORDER, help="jtl and semimtl always")
    parser.add_argument("--variants", type=names, default=VARIANTS, help="of configs/cities/")
    parser.add_argument("--split", choices=("test", "val"), default="test")
    parser.add_argument("--lanes", type=int, default=2, help="runs side by side")
    parser.add_argument("--scenes", type=int, default=32, help="for training, of each city")
    parser.add_argument("--size", type=int, default=384, help="edge of a scene in pixels")
    parser.add_argument("--noise", type=float, default=0.0, help="of heights, in metres")
    parser.add_argument("--out", type=Path, default=Path("runs/method"))
    parser.add_argument("overrides", nargs="*", help="after --, for training")
    args = parser.parse_args()
    if args.write == Path(__file__).stem and args.split == "val":
        parser.error("--write: the table that is kept under this name is of test scenes")
    try:
        publish("Does the method hold?", method(args), args.write)
    except InputError as error:
        parser.exit(2, f"{error}\n")


def names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(name) for name in names(text))


if __name__ == "__main__":
    say("the folder of --out keeps all that is done; start again to go on")
    main()
