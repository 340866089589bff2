"""``semimtl-geo demo``: the whole pipeline from data to maps, in minutes."""

from __future__ import annotations

import argparse
from pathlib import Path

from tiles.files import output_path


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    command.add_argument(
        "--out", type=output_path, default=Path("demo"), help="folder for all files"
    )
    command.add_argument("--iterations", type=int, help="iterations of training per system")
    command.add_argument(
        "--seed", type=int, default=0, help="seed of all random numbers (default: 0)"
    )


def run(args: argparse.Namespace) -> None:
    """Make the cities, train, map, score and report."""
    from semimtl_geo.commands.demonstration import demo

    demo(args.out, args.iterations, args.seed)
