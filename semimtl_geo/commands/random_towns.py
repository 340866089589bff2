"""``semimtl-geo random-towns``: generate scenes with all labels to pretrain networks with."""

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
    command.add_argument("--scenes", type=int, default=240, help="training scenes of 160 m")
    command.add_argument(
        "--bands", default="red,green,blue", help="bands: red,green,blue (default) or nir,red,green"
    )
    add_progress(command)


def run(args: argparse.Namespace) -> None:
    """Generate the scenes and print their folder."""
    from semimtl_geo.synthetic import write_random_towns

    with show_progress("random towns", "scenes", args.progress) as progress:
        print(
            write_random_towns(
                args.out, seed=args.seed, scenes=args.scenes, bands=args.bands, progress=progress
            )
        )
