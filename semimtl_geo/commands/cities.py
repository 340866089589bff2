"""``semimtl-geo cities``: generate the synthetic cities."""

from __future__ import annotations

import argparse

from semimtl_geo.progress import add_progress, show_progress
from tiles.files import output_path


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    command.add_argument("--out", type=output_path, required=True, help="folder for the scenes")
    command.add_argument(
        "--seed", type=int, default=0, help="seed of all random numbers (default: 0)"
    )
    command.add_argument("--scenes", type=int, default=16, help="training scenes per city")
    command.add_argument("--size", type=int, default=512, help="edge of a scene in px of 0.27 m")
    add_progress(command)


def run(args: argparse.Namespace) -> None:
    """Generate both cities and print their folders."""
    from semimtl_geo.synthetic import write_cities

    with show_progress("cities", "scenes", args.progress) as progress:
        cities = write_cities(
            args.out, seed=args.seed, scenes=args.scenes, size=args.size, progress=progress
        )
    for folder in cities.values():
        print(folder)
