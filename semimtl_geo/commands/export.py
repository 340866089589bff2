"""``semimtl-geo export``: a trained network as files to share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tiles.errors import InvalidValueError
from tiles.files import output_path

if TYPE_CHECKING:
    from semimtl_geo.networks import ModelDescription


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    command.add_argument("model", help="checkpoint, .safetensors file, or model of the package")
    command.add_argument(
        "--out",
        type=output_path,
        required=True,
        metavar="DIR",
        help="folder for all files; or FILE.safetensors, for this one alone",
    )
    command.add_argument("--name", help="first part of the files' names (default: the model's)")
    command.add_argument(
        "--card",
        type=Path,
        metavar="FILE",
        help="Markdown file: `# TITLE` and the sections Data, Licences, Scores and Limits; else "
        "those of the model (a FILE.safetensors needs one)",
    )
    which = command.add_mutually_exclusive_group()
    which.add_argument("--domain", help="fix this training domain's BatchNorm statistics")
    which.add_argument(
        "--raster", metavar="RASTER", help="re-estimate the BatchNorm statistics on an orthophoto"
    )


def run(args: argparse.Namespace) -> None:
    """Write the files and print their paths and sizes."""
    from semimtl_geo.networks import ModelDescription

    description = None if args.card is None else ModelDescription.read(args.card)
    if args.out.suffix == ".safetensors":
        files = [_weights_alone(args, description)]
    else:
        from semimtl_geo.export import export_model

        files = export_model(
            args.model,
            args.out,
            domain=args.domain,
            raster=args.raster,
            name=args.name,
            description=description,
        )
    for file in files:
        print(f"{file} ({file.stat().st_size / 1e6:.2f} MB)")


def _weights_alone(args: argparse.Namespace, description: ModelDescription | None) -> Path:
    """Write the ``.safetensors`` file alone, which has the statistics of all domains."""
    from semimtl_geo.models import find_model
    from semimtl_geo.networks import save_model

    for option in ("name", "domain", "raster"):
        if getattr(args, option) is not None:
            fault = "does not apply to a .safetensors file alone"
            raise InvalidValueError(f"--{option}", fault, "leave it out, or give a folder as --out")
    if description is None:
        raise InvalidValueError("--card", "is missing", "name a Markdown file")
    return save_model(find_model(args.model), args.out, description)
