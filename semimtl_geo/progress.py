"""Progress of long work on standard error: bar, rate and time left."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final

from tqdm import tqdm

from tiles.types import ProgressCallback

SECONDS: Final = 10.0
"""Interval of updates where there is no terminal, as in the log of a job."""

MANY: Final = 10_000
"""From this many things on, counts are shown in thousands (k) and millions (M)."""


class Display:
    """Progress bars by name, each made when it is first shown."""

    def __init__(self) -> None:
        self._bars: dict[str, tqdm[Any]] = {}

    def show(self, name: str, unit: str, done: int, total: int) -> None:
        """Update a bar.

        Args:
            name: Name of the work.
            unit: Unit of `done` and `total`.
            done: Number of things that are done. Those of the first call were done by an earlier
                run, and say nothing of the rate.
            total: Number of all things.
        """
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

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for bar in self._bars.values():
            bar.close()


@contextmanager
def progress_bar(name: str, unit: str) -> Iterator[ProgressCallback]:
    """Show one bar while the block runs.

    Args:
        name: Name of the work.
        unit: Unit of what is counted.

    Yields:
        Function to call with the number of things that are done and that of all.
    """
    with Display() as display:
        yield lambda done, total: display.show(name, unit, done, total)
