"""Slow work in threads that an interruption need not wait for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Thread

import rasterio


def run_interruptibly(functions: Sequence[Callable[[], object]]) -> None:
    """Call functions at the same time, each in a thread, and wait for all of them.

    Ctrl-C ends the waiting at once, even while GDAL works.

    Args:
        functions: The functions; an error of any of them is raised when all have ended.

    Example:
        >>> run_interruptibly([lambda: print("written")])
        written
    """
    ended = [Future[None]() for _ in functions]

    def call(function: Callable[[], object], end: Future[None]) -> None:
        try:
            with rasterio.Env():
                function()
        except BaseException as error:
            end.set_exception(error)
        else:
            end.set_result(None)

    for function, end in zip(functions, ended, strict=True):
        Thread(target=call, args=(function, end), daemon=True).start()
    errors = [error for end in ended if (error := end.exception()) is not None]
    if errors:
        raise errors[0]
