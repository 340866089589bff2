"""``semimtl-geo ndsm``: heights above ground from a surface model."""

from __future__ import annotations

import argparse
from pathlib import Path

from semimtl_geo.progress import add_progress, show_progress
from tiles.errors import InvalidValueError
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
        "--building",
        type=float,
        help="width in metres of the widest building, without a terrain model (default: 40)",
    )
    add_progress(command)


def run(args: argparse.Namespace) -> None:
    """Compute the heights and print the path of the file."""
    from tiles.elevation.ndsm import heights_above_ground

    if args.building is not None and args.dtm is not None:
        fault = "is used to find the ground, which --dtm gives"
        raise InvalidValueError("--building", fault, "leave one of them out")
    filter_settings = {} if args.building is None else {"building": args.building}
    with show_progress(args.dsm.name, "blocks", args.progress) as progress:
        print(
            heights_above_ground(
                args.dsm,
                args.out,
                dtm=args.dtm,
                holes=args.holes,
                **filter_settings,
                progress=progress,
            )
        )
