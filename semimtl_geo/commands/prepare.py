"""``semimtl-geo prepare``: makes scenes and frames of official archives and of own folders."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from semimtl_geo.prepare.archive import check_folder
from semimtl_geo.prepare.pipeline import prepare
from semimtl_geo.prepare.registry import REGISTRY, Option


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What can be asked of it."""
    adapters = command.add_subparsers(
        dest="adapter", metavar="NAME", required=True, parser_class=type(command)
    )
    for name, entry in REGISTRY.items():
        adapter = adapters.add_parser(name, help=entry.help, description=entry.help)
        adapter.add_argument(
            "--raw", type=Path, required=True, help="folder of what was downloaded: unzipped or not"
        )
        adapter.add_argument("--out", type=Path, required=True, help="folder for the data sets")
        for option in entry.options:
            _add_option(adapter, option)


def _add_option(command: argparse.ArgumentParser, option: Option) -> None:
    flag = f"--{option.name.replace('_', '-')}"
    # No default may be taken for a format.
    text = option.help.replace("%", "%%")
    if option.type is bool:
        command.add_argument(flag, dest=option.name, action="store_true", help=text)
        return
    if option.default is not None:
        shown = option.default
        words = ",".join(map(str, shown)) if isinstance(shown, tuple) else str(shown)
        text += f" ({words} if not given)".replace("%", "%%")
    command.add_argument(
        flag,
        dest=option.name,
        type=option.type,
        default=option.default,
        choices=option.choices or None,
        metavar=option.metavar,
        help=text,
    )


def run(args: argparse.Namespace) -> None:
    """Prepare one data set."""
    check_folder(args.raw)  # before what takes long to import
    entry = REGISTRY[args.adapter]
    module, _, maker = entry.maker.partition(":")
    options = {option.name: getattr(args, option.name) for option in entry.options}
    adapter = getattr(import_module(module), maker)(**options)
    for summary in prepare(args.adapter, adapter, args.raw, args.out):
        print(summary.read_text(encoding="utf-8"), end="")
        print(f"\n{summary.parent}")
