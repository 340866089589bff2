"""``semimtl-geo compare``: all systems on one scenario, in the paper's tables and figures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tiles.errors import InputError

OURS: Final = {
    "data.root": "--root",
    "data.seed": "--seeds",
    "model.system": "--systems",
    "out": "--out",
    "resume": "nothing: an interrupted run goes on by itself",
    "seed_everything": "--seeds",
}
"""Settings of training that a comparison makes itself, and what to give instead."""

# Torch takes seconds to import: what needs it is imported when it is.


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What can be asked of it."""
    command.add_argument(
        "scenario",
        help="cities, cross_city, cross_dataset, cross_domain, or a folder with base.yaml",
    )
    command.add_argument("--root", type=Path, help="data, a folder per domain; else data.root")
    command.add_argument(
        "--out", type=Path, help="folder for runs, tables and figures; else runs/SCENARIO"
    )
    command.add_argument(
        "--systems",
        type=_names,
        help="such as jtl,semimtl; else all nine; also other files of the scenario's folder",
    )
    command.add_argument("--seeds", type=_seeds, default=[0], help="such as 0,1,2; else 0")
    command.add_argument(
        "--lanes", type=int, default=1, metavar="N", help="runs side by side; 1 if left out"
    )
    command.add_argument(
        "--keep-maps",
        action="store_true",
        help="keep the maps of all scenes, not only of those that the figures show",
    )
    command.epilog = "What follows -- goes to training: -- --trainer.max_epochs 50"
    command.set_defaults(overrides=[])
    _cut_at_dashes(command)


def run(args: argparse.Namespace) -> None:
    """Carry it out.

    Raises:
        InputError: If data, configuration or an argument cannot be used.
    """
    from semimtl_geo.compare.averages import table_of
    from semimtl_geo.compare.environment import facts_of
    from semimtl_geo.compare.formats import to_markdown
    from semimtl_geo.compare.job import Job, runs_of
    from semimtl_geo.compare.parallel_runs import run_lanes
    from semimtl_geo.compare.runs import check
    from semimtl_geo.compare.scenario import find_scenario
    from semimtl_geo.learning.systems import system_names
    from semimtl_geo.report.comparison import write_results
    from semimtl_geo.training.configuration import settings_of

    if args.lanes < 1:
        raise InputError("--lanes", f"{args.lanes} are too few", "give 1 or more")
    for name in settings_of(args.overrides):
        if name in OURS:
            raise InputError(f"-- --{name}", "is set by the comparison", f"give {OURS[name]}")
    scenario = find_scenario(args.scenario)
    systems = runs_of(scenario, args.systems or system_names())
    job = Job(
        scenario=scenario,
        data=args.root or scenario.root,
        out=args.out or Path("runs") / scenario.name,
        seeds=tuple(args.seeds),
        overrides=tuple(args.overrides),
        keep_maps=args.keep_maps,
    )
    runs = [replace(run, seed=seed) for seed in job.seeds for run in systems]
    check(job, runs)
    outcomes = run_lanes(runs, job, args.lanes)
    made = write_results(
        job, outcomes, facts_of(outcomes, Configuration=_described(scenario.name, args))
    )
    print(to_markdown(table_of(outcomes)))
    for file in made:
        print(file)


def _described(name: str, args: argparse.Namespace) -> str:
    seeds = ", ".join(map(str, args.seeds))
    more = f", {' '.join(args.overrides)}" if args.overrides else ""
    return f"{name}, {'seeds' if len(args.seeds) > 1 else 'seed'} {seeds}{more}"


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _seeds(text: str) -> list[int]:
    numbers = [name.strip() for name in text.split(",")]
    if not all(number.isdecimal() for number in numbers) or len(set(numbers)) < len(numbers):
        raise argparse.ArgumentTypeError("numbers from 0, each once, such as 0,1,2")
    return [int(number) for number in numbers]


def _cut_at_dashes(command: argparse.ArgumentParser) -> None:
    """Keep what follows ``--`` for training; argparse would take it for positional arguments."""
    parse = command.parse_known_args

    def parse_known_args(args: Sequence[str] | None = None, namespace: Any = None) -> Any:
        given = list(args or [])
        cut = given.index("--") if "--" in given else len(given)
        parsed, rest = parse(given[:cut], namespace)
        parsed.overrides = given[cut + 1 :]
        return parsed, rest

    # argparse calls it for subcommands; it has no other hook before positional arguments are taken,
    # and declares overloads that no single function has.
    command.parse_known_args = parse_known_args  # type: ignore[method-assign, assignment]  # the hook
