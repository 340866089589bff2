"""Shared parts of the benchmarks: fresh processes, peak memory, tables, and the machine's name."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.metadata
import logging
import multiprocessing
import os
import platform
import resource
import shlex
import sys
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import rasterio


def make_parser(description: str | None) -> argparse.ArgumentParser:
    """A command line that shows a script's docstring and knows --write."""
    script = Path(sys.argv[0]).stem
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--write",
        nargs="?",
        const=script,
        metavar="NAME",
        help=f"write the table into benchmarks/ as NAME.md ({script}.md)",
    )
    return parser


def refuse_other_table(
    parser: argparse.ArgumentParser, args: argparse.Namespace, free: Sequence[str]
) -> None:
    """End with an error if --write would replace a script's table by one of other settings.

    Args:
        parser: The command line.
        args: What it parsed.
        free: Options that may differ from their defaults.
    """
    if args.write != Path(sys.argv[0]).stem:
        return
    for name, value in vars(args).items():
        if name not in {"write", *free} and value != parser.get_default(name):
            fault = f"--write: {name} differs from the table's; give the file a name of its own"
            parser.error(fault)


def numbers(text: str) -> tuple[int, ...]:
    """Parse a comma-separated list of numbers; each is kept once."""
    return tuple(dict.fromkeys(int(number) for number in text.split(",") if number))


def afresh(work: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call a function in a fresh interpreter."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *args, **options).result()


def peak_gigabytes() -> float:
    """Greatest resident memory of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage counts what the parent had before this process began
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def quiet() -> None:
    """Keep Lightning from telling what every run has in common."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")


def say(message: str) -> None:
    """Tell how far it is; standard output is the table's."""
    print(message, file=sys.stderr, flush=True)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """The lines of a Markdown table whose first columns are text and the others numbers."""
    rule = ["---" if column < left else "---:" for column in range(len(header))]
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]


def made_on(packages: Sequence[str]) -> str:
    """When, on what and with what this ran."""
    # Processes whose memory is measured import this module, but should not import Lightning.
    from semimtl_geo.compare.environment import processor_name

    numbers = []
    for name in ["torch", "numpy", "rasterio", *packages]:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # an optional peer
            numbers.append(f"{name} {importlib.metadata.version(name)}")
    numbers.append(f"GDAL {rasterio.__gdal_version__}")
    numbers.append(f"Python {platform.python_version()}")
    date = datetime.datetime.now(tz=datetime.UTC).date()
    return f"{date}, {processor_name()}, {os.cpu_count()} cores; {', '.join(numbers)}"


def publish(title: str, lines: Sequence[str], name: str | None) -> None:
    """Print a table, and write it beside the running script with the command that made it."""
    text = "\n".join(lines)
    print(f"\n{text}")
    if name:
        script = Path(sys.argv[0]).resolve()
        command = shlex.join(["python", f"benchmarks/{script.name}", *_without_out(sys.argv[1:])])
        script.with_name(f"{name}.md").write_text(
            f"# {title}\n\nMade by `{command}`.\n\n{text}\n", encoding="utf-8"
        )


def _without_out(args: Sequence[str]) -> list[str]:
    """Return the arguments without --out: the folder means nothing on another machine."""
    args = list(args)
    for number, arg in enumerate(args):
        if arg == "--out" or arg.startswith("--out="):
            return args[:number] + args[number + (2 if arg == "--out" else 1) :]
    return args
