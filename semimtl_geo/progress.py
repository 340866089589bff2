"""Progress of long work on standard error: bars for people, or lines of JSON for programs."""

from __future__ import annotations

import argparse
import json
import sys
import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

from tqdm import tqdm

from tiles.files import Closeable
from tiles.types import ProgressCallback

Style = Literal["bar", "json"]
"""Bars with rate and time left, or a line of JSON per update."""

SECONDS: Final = 10.0
"""Interval of updates where there is no terminal, as in the log of a job."""

JSON_SECONDS: Final = 0.2
"""Interval of lines of JSON."""

MANY: Final = 10_000
"""From this many things on, counts are shown in thousands (k) and millions (M)."""


class Display(Closeable):
    """Base class of displays that show the progress of several operations by name."""

    @abstractmethod
    def show(self, name: str, unit: str, done: int, total: int) -> None:
        """Show how far an operation has come.

        Args:
            name: Name of the operation.
            unit: Unit of `done` and `total`.
            done: Number of units done. Those of the first call are left out of the rate.
            total: Number of all units.
        """


class Bars(Display):
    """Progress bars, each made when it is first shown."""

    def __init__(self) -> None:
        self._bars: dict[str, tqdm[Any]] = {}

    def show(self, name: str, unit: str, done: int, total: int) -> None:
        """Update a bar."""
        if name not in self._bars:
            self._bars[name] = tqdm(
                desc=name,
                unit=unit if total >= MANY else f" {unit}",
                unit_scale=total >= MANY,
                total=total,
                initial=done if done < total else 0,
                mininterval=0.1 if sys.stderr.isatty() else SECONDS,
                dynamic_ncols=True,
            )
        bar = self._bars[name]
        bar.total = total
        bar.update(done - bar.n)
        if done >= total:
            bar.close()

    def close(self) -> None:
        """Leave the bars as they are; later calls of :meth:`show` make others."""
        for bar in self._bars.values():
            bar.close()
        self._bars.clear()


class JsonLines(Display):
    """Lines such as ``{"progress": {"name": "ortho", "unit": "px", "done": 5, "total": 9}}``."""

    def __init__(self) -> None:
        self._printed: dict[str, float] = {}

    def show(self, name: str, unit: str, done: int, total: int) -> None:
        """Print a line, unless the last one was just before; the one of all things always."""
        now = time.monotonic()
        if done < total and now - self._printed.get(name, -JSON_SECONDS) < JSON_SECONDS:
            return
        self._printed[name] = now
        progress = {"name": name, "unit": unit, "done": done, "total": total}
        print(json.dumps({"progress": progress}), file=sys.stderr, flush=True)

    def close(self) -> None:
        """Do nothing."""


def make_display(style: Style = "bar") -> Display:
    """Return what shows progress in a style."""
    return JsonLines() if style == "json" else Bars()


@contextmanager
def show_progress(name: str, unit: str, style: Style = "bar") -> Iterator[ProgressCallback]:
    """Show the progress of one work while the block runs.

    Args:
        name: Name of the work.
        unit: Unit of what is counted.
        style: Bars, or lines of JSON.

    Yields:
        Function to call with the number of things that are done and that of all.
    """
    with make_display(style) as display:
        yield lambda done, total: display.show(name, unit, done, total)


def add_progress(command: argparse.ArgumentParser) -> None:
    """Add the argument that chooses the style."""
    command.add_argument(
        "--progress",
        choices=("bar", "json"),
        default="bar",
        help="progress on standard error: a bar, or a line of JSON per update for programs",
    )
