"""``semimtl-geo evaluate``: map labelled scenes and score the maps."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semimtl_geo.commands.map import add_model, band_list
from semimtl_geo.progress import add_progress, show_progress
from tiles.errors import InputError
from tiles.files import output_path, write_errors, write_text


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_model(command)
    command.add_argument(
        "scenes", type=Path, nargs="+", help="DOMAIN/SPLIT: folder with image/, landcover/, height/"
    )
    command.add_argument(
        "--out", type=output_path, default=Path("evaluation"), help="folder for the maps"
    )
    command.add_argument("--domain", help="use this training domain's BatchNorm statistics")
    command.add_argument("--bands", type=band_list, help="band numbers or names")
    add_progress(command)


def run(args: argparse.Namespace) -> None:
    """Map the scenes, print the scores and write them beside the maps."""
    from semimtl_geo.compare import make_row, to_markdown
    from semimtl_geo.mapping.evaluation import evaluate
    from semimtl_geo.mapping.mapper import Mapper

    mapper = Mapper.load(args.model)
    folders: dict[str, Path] = {}
    for scenes in args.scenes:
        name = scenes.absolute().parent.name
        if name in folders:
            fault = f"would overwrite the maps of {folders[name]}: both are of {name}"
            raise InputError(scenes, fault, "evaluate them one by one, with another --out")
        folders[name] = scenes
    rows, scores = [], {}
    for name, scenes in folders.items():
        known = name in mapper.card.domains and mapper.card.batchnorm == "per_domain"
        domain = args.domain or (name if known else None)
        with show_progress(name, "scenes", args.progress) as progress:
            scores[name] = evaluate(mapper, scenes, args.out / name, domain, args.bands, progress)
        rows.append(make_row(name, mapper.card.system, scores[name]))
    file = args.out / "scores.json"
    with write_errors(file):
        write_text(file, json.dumps(_without_nan(scores), indent=2, allow_nan=False) + "\n")
    print(to_markdown(rows), end="")
    print(f"maps and scores: {args.out}")


def _without_nan(value: Any) -> Any:
    """Replace NaN in nested dictionaries by None, which JSON has."""
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
