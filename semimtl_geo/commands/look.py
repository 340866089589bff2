"""``semimtl-geo look``: statistics, faults and a picture of training data."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from semimtl_geo.commands.map import band_list
from semimtl_geo.progress import add_progress, make_display
from tiles.errors import InputError
from tiles.files import output_path


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    command.add_argument(
        "data", type=Path, help="folder of domains (DOMAIN/SPLIT/image), a domain, or a split"
    )
    command.add_argument(
        "--out", type=output_path, default=Path("look.png"), help="file for the picture"
    )
    command.add_argument("--bands", type=band_list, help="band numbers or names of the images")
    add_progress(command)


def run(args: argparse.Namespace) -> None:
    """Print the statistics and what is odd, and draw the picture.

    Raises:
        InputError: If there are no scenes, or some cannot be right.
    """
    from semimtl_geo.inspection import inspect_split, refuse_faults
    from semimtl_geo.prepare.rasters.scene_writer import read_classes
    from semimtl_geo.report.data_figure import data_figure, data_table
    from semimtl_geo.tasks import Depth, Segmentation
    from tiles.datasets.rasters import raster_files

    folders = sorted(
        image.parent
        for pattern in ("image", "*/image", "*/*/image")
        for image in args.data.glob(pattern)
        if image.is_dir()
    )
    if not folders:
        remedy = "give a folder with DOMAIN/SPLIT/image/*.tif"
        raise InputError(args.data, "holds no scenes", remedy)
    labels = [file for folder in folders for file in raster_files(folder / "landcover")]
    named = read_classes(labels[0]) if labels else None
    landcover = Segmentation(classes=named[0], colors=named[1]) if named else Segmentation()
    tasks = [landcover, Depth()]
    found = {}
    with make_display(args.progress) as display:
        for folder in folders:
            name = "/".join(folder.relative_to(args.data).parts) or folder.name
            report = partial(display.show, name, "files")
            found[name] = inspect_split(folder, tasks, args.bands, progress=report)
    print(data_table(found, tasks), end="")
    data_figure(found, tasks, args.out)
    print(f"picture: {args.out}")
    remarks = [remark for inspection in found.values() for remark in inspection.remarks]
    for remark in remarks:
        if not remark.finding.severe:
            print(remark)
    refuse_faults([fault for inspection in found.values() for fault in inspection.faults])
