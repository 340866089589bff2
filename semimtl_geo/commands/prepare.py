"""``semimtl-geo prepare``: make data sets from official archives and from users' own folders."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from semimtl_geo.prepare import REGISTRY, prepare
from semimtl_geo.prepare.options import Option, options_of
from semimtl_geo.progress import add_progress
from tiles.files import output_path


# The class is generic for type checkers only: at run time it takes no type argument.
class _AdapterAction(argparse._SubParsersAction):  # type: ignore[type-arg]
    """Subcommand action that adds an adapter's options when the adapter is named.

    Adapters import rasterio and torch, which takes seconds: ``prepare --help`` must not import all
    of them, so only the one on the command line is asked for its options.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        name = values[0] if values else ""
        if name in REGISTRY:
            for field, option, default in options_of(REGISTRY[name].load()):
                _add_option(self.choices[name], field, option, default)
        super().__call__(parser, namespace, values, option_string)


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    adapters = command.add_subparsers(
        dest="adapter",
        metavar="NAME",
        required=True,
        parser_class=type(command),
        action=_AdapterAction,
    )
    for name, entry in REGISTRY.items():
        adapter = adapters.add_parser(name, help=entry.help, description=entry.help)
        adapter.add_argument(
            "--raw", type=Path, required=True, help="folder of what was downloaded: unzipped or not"
        )
        adapter.add_argument(
            "--out", type=output_path, required=True, help="folder for the data sets"
        )
        add_progress(adapter)


def _add_option(command: argparse.ArgumentParser, name: str, option: Option, default: Any) -> None:
    flag = f"--{name.replace('_', '-')}"
    text = option.help
    if option.parse is bool:
        command.add_argument(flag, dest=name, action="store_true", help=text.replace("%", "%%"))
        return
    if default not in (None, ()):
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
        text += f" (default: {shown})"
    command.add_argument(
        flag,
        dest=name,
        type=option.parse,
        default=default,
        choices=option.choices or None,
        metavar=option.metavar,
        help=text.replace("%", "%%"),  # argparse expands % in help texts
    )


def run(args: argparse.Namespace) -> None:
    """Prepare one data set."""
    adapter = REGISTRY[args.adapter].load()
    options = {name: getattr(args, name) for name, _, _ in options_of(adapter)}
    made = prepare(args.adapter, adapter(**options), args.raw, args.out, args.progress)
    for summary in made:
        print(summary.read_text(encoding="utf-8"), end="")
        print(f"\n{summary.parent}")
