"""Progress of long work: bar, rate and time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

LINE_EVERY = 10.0
"""Seconds between lines where there is no terminal."""


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} {task.fields['unit']}/s")


class Display:
    """Any number of bars, on standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._created = time.monotonic()
        self._ids: dict[str, TaskID] = {}
        self._started: dict[str, float] = {}
        self._said: dict[str, float] = {}

    def show(self, name: str, unit: str, done: int, total: int) -> None:
        """Bring a bar up to date; it is made when it is first named."""
        now = time.monotonic()
        if name not in self._ids:
            self._ids[name] = self._bars.add_task(name, total=total, unit=unit)
            # What is finished when it is first named was begun before.
            self._started[name] = self._created if done == total else now
            self._said[name] = now
        self._bars.update(self._ids[name], completed=done, total=total)
        late = now - self._said[name] >= LINE_EVERY or done == total
        if not self._console.is_terminal and late and self._said[name] != math.inf:
            self._said[name] = math.inf if done == total else now
            elapsed = max(now - self._started[name], 1e-6)
            left = elapsed * (total - done) / max(done, 1)
            print(
                f"{name}: {done}/{total} {unit}, {done / elapsed:.1f} {unit}/s, {left:.0f} s left",
                file=sys.stderr,
                flush=True,
            )

    def __enter__(self) -> Display:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()


@contextmanager
def progress_bar(name: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Show one bar while the block runs.

    Args:
        name: What is done.
        unit: What is counted.

    Yields:
        To be called with what is done and what there is to do.
    """
    with Display() as display:
        yield lambda done, total: display.show(name, unit, done, total)
