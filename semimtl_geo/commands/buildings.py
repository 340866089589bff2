"""``semimtl-geo buildings``: buildings with heights from maps."""

from __future__ import annotations

import argparse
from pathlib import Path

from semimtl_geo.progress import add_progress, show_progress
from tiles.files import output_path


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    command.add_argument(
        "maps", type=Path, help="folder with NAME_landcover.tif and NAME_height.tif"
    )
    command.add_argument(
        "--out", type=output_path, help="folder for the GeoPackages (default: that of the maps)"
    )
    command.add_argument(
        "--min-area", type=float, default=10.0, help="smallest area of a building in m2"
    )
    add_progress(command)


def run(args: argparse.Namespace) -> None:
    """Write a GeoPackage for each pair of maps and print its path."""
    from tiles.files import write_errors
    from tiles.vectors.building_polygons import buildings_of_folder

    if args.out is not None:
        with write_errors(args.out):
            args.out.mkdir(parents=True, exist_ok=True)
    with show_progress("buildings", "panels", args.progress) as progress:
        files = buildings_of_folder(args.maps, args.out, min_area=args.min_area, progress=progress)
    for file in files:
        print(file)
