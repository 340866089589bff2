"""The command line ``semimtl-geo``; each subcommand is a module of :mod:`semimtl_geo.commands`."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final, NoReturn

from semimtl_geo.commands import (
    buildings,
    cities,
    compare,
    demo,
    evaluate,
    export,
    look,
    map,  # noqa: A004 - the name of the subcommand
    ndsm,
    prepare,
    random_towns,
    train,
)
from tiles.errors import InputError

COMMANDS: Final = {
    "prepare": (prepare, "Make data sets of official archives, or of your own folders."),
    "look": (look, "Look at training data: statistics, faults, and a picture."),
    "evaluate": (evaluate, "Map labelled scenes and score the maps."),
    "compare": (compare, "Train and score all systems of a scenario: tables and figures."),
    "map": (map, "Map orthophotos: land cover and heights as GeoTIFFs."),
    "export": (export, "Write a trained network for other programs and for sharing."),
    "cities": (cities, "Generate two synthetic cities, each imaged by its own sensor."),
    "random-towns": (random_towns, "Generate scenes with all labels to pretrain networks with."),
    "ndsm": (ndsm, "Compute heights above ground from a surface model."),
    "buildings": (buildings, "Extract buildings with heights from maps, as GeoPackage."),
    "demo": (demo, "Run the whole pipeline in minutes: cities, training, maps, report."),
}
"""Module and help text by subcommand; ``train`` is LightningCLI's."""

RESUMABLE: Final = ("prepare", "train", "compare", "map")
"""Subcommands that continue interrupted work."""


class _Parser(argparse.ArgumentParser):
    """Parser that raises an InputError instead of printing its usage."""

    def error(self, message: str) -> NoReturn:
        raise InputError(self.prog, message, f"see {self.prog} --help")


def make_parser() -> _Parser:
    """Return the parser of all subcommands but ``train``, whose arguments LightningCLI parses."""
    parser = _Parser(
        prog="semimtl-geo",
        description="Semi-supervised multi-task learning: land cover and heights from orthophotos.",
    )
    parser.add_argument("--version", action="version", version=version("semimtl-geo"))
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    commands.add_parser("train", help="Train one system; see semimtl-geo train --help.")
    for name, (module, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=module.run)
        module.add_arguments(command)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Arguments; those of the process if None.

    Returns:
        0 on success, 2 after an input error (one line on standard error), 130 after Ctrl-C.

    Example:
        >>> main(["cities", "--out", "cities", "--scenes", "1", "--size", "64"])
        cities/city_a
        cities/city_b
        0
    """
    args = list(sys.argv[1:] if argv is None else argv)
    # Where georeferencing matters, an InputError reports that it is missing.
    warnings.filterwarnings("ignore", message="Dataset has no geotransform")
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    try:
        if args[:1] == ["train"]:  # LightningCLI parses the other arguments.
            train.run(args[1:])
        else:
            parsed = make_parser().parse_args(args)
            parsed.run(parsed)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        again = "; start again to continue" if args and args[0] in RESUMABLE else ""
        print(f"interrupted{again}", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
