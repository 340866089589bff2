"""Progress of long work: bar, rate and time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from tiles.types import ProgressCallback

LINE_EVERY = 10.0
"""Seconds between lines where there is no terminal."""

MOST_BARS = 8
"""With more bars than this, finished ones give way."""


class _Count(ProgressColumn):
    def render(self, task: Task) -> Text:
        total, per = task.total or 0, task.fields["per"]
        return Text(f"{_number(task.completed, per)}/{_number(total, per)} {task.fields['unit']}")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if speed is None:
            return Text("")
        return Text(f"{speed / task.fields['per']:.1f} {task.fields['unit']}/s")


def _number(count: float, per: float) -> str:
    return f"{count:.0f}" if per == 1 else f"{count / per:.1f}"


class Display:
    """Progress bars on standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            _Count(),
            _Rate(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._created = time.monotonic()
        self._ids: dict[str, TaskID] = {}
        self._started: dict[str, tuple[float, int]] = {}
        self._said: dict[str, float] = {}

    def show(self, name: str, unit: str, done: int, total: int, per: float = 1) -> None:
        """Bring a bar up to date; it is made when it is first named.

        Args:
            name: Name of the work.
            unit: Unit that is shown.
            done: Number of things that are done.
            total: Number of all things.
            per: Things in a unit.
        """
        now = time.monotonic()
        if name not in self._ids:
            self._ids[name] = self._bars.add_task(
                name, total=total, completed=done, unit=unit, per=per
            )
            # What is finished when it is first named was begun before. What is begun then may have
            # been done by an earlier run, and says nothing of the rate.
            self._started[name] = (self._created, 0) if done == total else (now, done)
            self._said[name] = now
        self._bars.update(self._ids[name], completed=done, total=total)
        self._make_room()
        late = now - self._said[name] >= LINE_EVERY or done == total
        if not self._console.is_terminal and late and self._said[name] != math.inf:
            self._said[name] = math.inf if done == total else now
            since, before = self._started[name]
            rate = (done - before) / max(now - since, 1e-6)
            left = f"{(total - done) / rate:.0f} s left" if rate else "time left unknown"
            print(
                f"{name}: {_number(done, per)}/{_number(total, per)} {unit}, "
                f"{rate / per:.1f} {unit}/s, {left}",
                file=sys.stderr,
                flush=True,
            )

    def _make_room(self) -> None:
        visible = [task for task in self._bars.tasks if task.visible]
        finished = [task for task in visible if task.finished]
        for task in finished[: max(0, len(visible) - MOST_BARS)]:
            self._bars.update(task.id, visible=False)

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
def progress_bar(name: str, unit: str, per: float = 1) -> Iterator[ProgressCallback]:
    """Show one bar while the block runs.

    Args:
        name: Name of the work.
        unit: Unit that is shown.
        per: Number of things per unit: ``("MP", 1e6)`` for pixels.

    Yields:
        To be called with what is done and what there is to do.
    """
    with Display() as display:
        yield lambda done, total: display.show(name, unit, done, total, per)
