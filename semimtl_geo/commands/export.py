"""``semimtl-geo export``: a trained network as a file to share."""

from __future__ import annotations

import argparse
from pathlib import Path

from tiles.errors import MissingFileError
from tiles.files import output_path, path_errors


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    command.add_argument("model", type=Path, help="checkpoint of `semimtl-geo train`")
    command.add_argument(
        "--out", type=output_path, required=True, metavar="FILE", help="FILE.safetensors"
    )
    command.add_argument(
        "--card",
        type=Path,
        required=True,
        metavar="FILE",
        help="Markdown file: `# TITLE` and the sections Data, Licences, Scores and Limits",
    )


def run(args: argparse.Namespace) -> None:
    """Write the file and print its path and size."""
    with path_errors(args.model):
        if not args.model.exists():
            raise MissingFileError(args.model, "no such file")
    from semimtl_geo.networks import ModelDescription, save_model

    file = save_model(args.model, args.out, ModelDescription.read(args.card))
    print(f"{file} ({file.stat().st_size / 1e6:.2f} MB)")
