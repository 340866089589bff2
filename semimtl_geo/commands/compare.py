"""``semimtl-geo compare``: train all systems of a scenario; the paper's tables and figures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tiles.errors import InputError, InvalidValueError
from tiles.files import locked, output_path, write_errors
from tiles.settings import changed_settings

OURS: Final = {
    "data.root": "--root",
    "data.seed": "--seeds",
    "model.system": "--systems",
    "out": "--out",
    "resume": "nothing: an interrupted run continues by itself",
    "seed_everything": "--seeds",
}
"""Settings of training that a comparison sets itself, and the options to use instead."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    command.add_argument(
        "scenario",
        help="cities, towns, cross_city, cross_dataset, cross_domain, or a folder with base.yaml",
    )
    command.add_argument("--root", type=Path, help="folder of domains (default: data.root)")
    command.add_argument(
        "--out", type=output_path, help="folder for runs, tables, figures (default: runs/SCENARIO)"
    )
    command.add_argument(
        "--systems",
        type=_names,
        help="systems or other configurations, such as jtl,semimtl (default: all nine systems)",
    )
    command.add_argument("--seeds", type=_seeds, default=[0], help="such as 0,1,2 (default: 0)")
    command.add_argument(
        "--parallel",
        type=int,
        default=1,
        metavar="N",
        help="number of runs in parallel (default: 1)",
    )
    command.add_argument(
        "--keep-maps",
        action="store_true",
        help="keep the maps of all scenes, not only of those that the figures show",
    )
    command.epilog = "Arguments after -- are passed to training: -- --trainer.max_epochs 50"
    command.set_defaults(overrides=[])
    _cut_at_dashes(command)


def run(args: argparse.Namespace) -> None:
    """Run the comparison.

    Raises:
        InputError: If data, configuration or an argument cannot be used.
    """
    from semimtl_geo.compare.averages import make_table
    from semimtl_geo.compare.comparison import Comparison, select_runs
    from semimtl_geo.compare.environment import collect_facts
    from semimtl_geo.compare.formats import to_markdown
    from semimtl_geo.compare.parallel_runs import run_all
    from semimtl_geo.compare.runs import check_runs
    from semimtl_geo.compare.scenario import find_scenario
    from semimtl_geo.learning.systems import system_names
    from semimtl_geo.report.results import write_results
    from semimtl_geo.training.cli import parse_settings

    if args.parallel < 1:
        raise InvalidValueError(
            "--parallel", f"must be >= 1, got {args.parallel}", "give 1 or more"
        )
    scenario = find_scenario(args.scenario)
    plain = [f"--data.root={scenario.root}", *scenario.arguments("semimtl")]
    for name in changed_settings(*map(parse_settings, (plain, [*plain, *args.overrides]))):
        if name in OURS:
            raise InputError(f"-- --{name}", "is set by the comparison", f"give {OURS[name]}")
    scenario = find_scenario(args.scenario, args.overrides)
    systems = select_runs(scenario, args.systems or system_names())
    comparison = Comparison(
        scenario=scenario,
        data=args.root or scenario.root,
        out=args.out or Path("runs") / scenario.name,
        seeds=tuple(args.seeds),
        overrides=tuple(args.overrides),
        keep_maps=args.keep_maps,
    )
    runs = [replace(run, seed=seed) for seed in comparison.seeds for run in systems]
    check_runs(comparison, runs)
    out = comparison.out
    with write_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    with locked(out / ".compare.lock", out, "wait until it ends, or give another --out"):
        outcomes = run_all(runs, comparison, args.parallel)
        facts = collect_facts(outcomes, Configuration=_described(scenario.name, args))
        made = write_results(comparison, outcomes, facts)
    print(to_markdown(make_table(outcomes)))
    for file in made:
        print(file)


def _described(name: str, args: argparse.Namespace) -> str:
    seeds = ", ".join(map(str, args.seeds))
    more = f", {' '.join(args.overrides)}" if args.overrides else ""
    return f"{name}, {'seeds' if len(args.seeds) > 1 else 'seed'} {seeds}{more}"


def _names(text: str) -> list[str]:
    return [*dict.fromkeys(name.strip() for name in text.split(","))]


def _seeds(text: str) -> list[int]:
    numbers = [name.strip() for name in text.split(",")]
    if not all(number.isdecimal() for number in numbers) or len(set(numbers)) < len(numbers):
        raise argparse.ArgumentTypeError("numbers from 0, each once, such as 0,1,2")
    return [int(number) for number in numbers]


def _cut_at_dashes(command: argparse.ArgumentParser) -> None:
    """Keep the arguments after ``--`` for training; argparse would treat them as positional."""
    parse = command.parse_known_args

    def parse_known_args(args: Sequence[str] | None = None, namespace: Any = None) -> Any:
        given = list(args or [])
        cut = given.index("--") if "--" in given else len(given)
        parsed, rest = parse(given[:cut], namespace)
        parsed.overrides = given[cut + 1 :]
        return parsed, rest

    # argparse calls this method for subcommands and has no other hook before positional arguments
    # are parsed; its type has overloads that no single function has.
    command.parse_known_args = parse_known_args  # type: ignore[method-assign, assignment]
