"""Measure the parts of a step: named spans, where inner ones are subtracted from outer ones."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch


class Stopwatch:
    """Seconds by name, each without what was measured inside of it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner: list[float] = []

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """Measure a block."""
        self._inner.append(0.0)
        began = now()
        try:
            yield
        finally:
            whole = now() - began
            self.seconds[name] += whole - self._inner.pop()
            if self._inner:
                self._inner[-1] += whole

    def timed(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """A function that is measured whenever it is called."""

        @wraps(work)
        def measured(*args: Any, **options: Any) -> Any:
            with self.span(name):
                return work(*args, **options)

        return measured

    def take(self) -> dict[str, float]:
        """Return the seconds that were measured since the last call."""
        taken = dict(self.seconds)
        self.seconds.clear()
        return taken


def now() -> float:
    """The time, when the device has done what it was told."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
