"""``semimtl-geo ndsm``: heights above ground from a surface model."""

from __future__ import annotations

import argparse
from pathlib import Path

from semimtl_geo.progress import add_progress, show_progress
from tiles.files import output_path


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    command.add_argument("dsm", type=Path, help="surface model, heights in metres")
    command.add_argument(
        "--dtm", type=Path, help="terrain model (default: filter the ground from the surface model)"
    )
    command.add_argument(
        "--holes",
        type=float,
        default=0.0,
        help="width in metres up to which holes of the terrain model are filled, such as 100",
    )
    command.add_argument("--out", type=output_path, required=True, help="file for the heights")
    command.add_argument(
        "--building", type=float, default=40.0, help="width of the widest building in metres"
    )
    add_progress(command)


def run(args: argparse.Namespace) -> None:
    """Compute the heights and print the path of the file."""
    from tiles.elevation.ndsm import heights_above_ground

    with show_progress(args.dsm.name, "blocks", args.progress) as progress:
        print(
            heights_above_ground(
                args.dsm,
                args.out,
                dtm=args.dtm,
                holes=args.holes,
                building=args.building,
                progress=progress,
            )
        )
