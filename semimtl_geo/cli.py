"""``semimtl-geo``: prepare, train, evaluate, compare, map, buildings, ndsm, cities, demo."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from semimtl_geo.commands import compare as compare_command
from semimtl_geo.commands import map as map_command
from semimtl_geo.commands import prepare as prepare_command
from tiles.errors import InputError

# Torch takes seconds to import: each command imports what it needs.

RESUMES = (["prepare"], ["compare"], ["map"])


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(self.prog, message, f"see {self.prog} --help")


def _train(args: Sequence[str]) -> None:
    from lightning.pytorch.utilities import rank_zero_only

    from semimtl_geo.training.cli import train

    # DDP runs this command in each of its processes.
    rank_zero_only(print)(f"trained: {train(args)}")


def _evaluate(args: argparse.Namespace) -> None:
    from semimtl_geo.compare import make_row, to_markdown
    from semimtl_geo.mapping.evaluation import evaluate
    from semimtl_geo.mapping.mapper import Mapper
    from semimtl_geo.progress import progress_bar

    mapper = Mapper.load(args.checkpoint)
    rows, scores = [], {}
    for scenes in args.scenes:
        name = scenes.absolute().parent.name
        known = name in mapper.card.domains and mapper.card.batchnorm == "per_domain"
        domain = args.domain or (name if known else None)
        with progress_bar(f"{name}", "scenes") as progress:
            scores[name] = evaluate(mapper, scenes, args.out / name, domain, args.bands, progress)
        rows.append(make_row(name, mapper.card.system, scores[name]))
    (args.out / "scores.json").write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
    print(to_markdown(rows), end="")
    print(f"maps and scores: {args.out}")


def _cities(args: argparse.Namespace) -> None:
    from semimtl_geo.progress import progress_bar
    from semimtl_geo.synthetic import write_cities

    with progress_bar("cities", "scenes") as progress:
        cities = write_cities(
            args.out, seed=args.seed, scenes=args.scenes, size=args.size, progress=progress
        )
    for folder in cities.values():
        print(folder)


def _ndsm(args: argparse.Namespace) -> None:
    from semimtl_geo.progress import progress_bar
    from tiles.elevation.ndsm import heights_above_ground

    with progress_bar(args.dsm.name, "blocks") as progress:
        print(
            heights_above_ground(
                args.dsm, args.out, dtm=args.dtm, building=args.building, progress=progress
            )
        )


def _buildings(args: argparse.Namespace) -> None:
    from semimtl_geo.progress import progress_bar
    from tiles.files import write_errors
    from tiles.vectors.building_polygons import buildings_of_folder

    if args.out is not None:
        with write_errors(args.out):
            args.out.mkdir(parents=True, exist_ok=True)
    with progress_bar("buildings", "panels") as progress:
        made = buildings_of_folder(args.maps, args.out, min_area=args.min_area, progress=progress)
    for file in made:
        print(file)


def _demo(args: argparse.Namespace) -> None:
    from semimtl_geo.commands.demo import demo

    demo(args.out, args.iterations, args.seed)


def _parser() -> _Parser:
    parser = _Parser(
        prog="semimtl-geo",
        description="Semi-supervised multi-task learning: land cover and heights from orthophotos.",
    )
    parser.add_argument("--version", action="version", version=version("semimtl-geo"))
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)

    def add(name: str, run: Callable[[argparse.Namespace], None], text: str) -> _Parser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    command = add(
        "prepare",
        prepare_command.run,
        "Make data sets of official archives, or of your own folders: scenes and street views.",
    )
    prepare_command.add_arguments(command)

    commands.add_parser("train", help="Train one system; see semimtl-geo train --help.")

    command = add("evaluate", _evaluate, "Map labelled scenes and score the maps.")
    command.add_argument("checkpoint", type=Path)
    command.add_argument(
        "scenes", type=Path, nargs="+", help="DOMAIN/SPLIT: folder with image/, landcover/, height/"
    )
    command.add_argument("--out", type=Path, default=Path("evaluation"), help="folder for the maps")
    command.add_argument("--domain", help="take this training domain's BatchNorm statistics")
    command.add_argument("--bands", type=map_command.band_list, help="band numbers or names")

    command = add(
        "compare",
        compare_command.run,
        "All systems on one scenario: tables and figures.",
    )
    compare_command.add_arguments(command)

    command = add("map", map_command.run, "Map orthophotos: land cover and heights as GeoTIFFs.")
    map_command.add_arguments(command)

    command = add("cities", _cities, "Make the embedded cities: scenes of two synthetic sensors.")
    command.add_argument("--out", type=Path, required=True, help="folder for the scenes")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--scenes", type=int, default=16, help="training scenes per city")
    command.add_argument("--size", type=int, default=512, help="edge of a scene in px of 0.27 m")

    command = add("ndsm", _ndsm, "Heights above ground from a surface model.")
    command.add_argument("dsm", type=Path, help="surface model, heights in metres")
    command.add_argument("--dtm", type=Path, help="terrain model; without it, ground is filtered")
    command.add_argument("--out", type=Path, required=True, help="file for the heights")
    command.add_argument(
        "--building", type=float, default=40.0, help="width of the widest building in metres"
    )

    command = add("buildings", _buildings, "Buildings with heights, as GeoPackage, from maps.")
    command.add_argument("maps", type=Path, help="folder with *_landcover.tif and *_height.tif")
    command.add_argument(
        "--out", type=Path, help="folder for the GeoPackages; the maps' if left out"
    )
    command.add_argument(
        "--min-area", type=float, default=10.0, help="smaller buildings are left out, in m2"
    )

    command = add("demo", _demo, "The whole way in minutes: cities, training, maps, report.")
    command.add_argument("--out", type=Path, default=Path("demo"), help="folder for all of it")
    command.add_argument(
        "--iterations", type=int, help="of training per system; fewer for a quick look"
    )
    command.add_argument("--seed", type=int, default=0)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: Its arguments; those of the process if None.

    Returns:
        0, or 2 after one line on what the user can mend, or 130 after Ctrl-C.
    """
    args = list(sys.argv[1:] if argv is None else argv)
    # Our own line says so where it matters.
    warnings.filterwarnings("ignore", message="Dataset has no geotransform")
    try:
        if args[:1] == ["train"]:  # LightningCLI reads the rest
            _train(args[1:])
        else:
            parsed = _parser().parse_args(args)
            parsed.run(parsed)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        again = "; start again to go on" if args[:1] in RESUMES else ""
        print(f"interrupted{again}", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
