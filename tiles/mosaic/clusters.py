"""Work on the workers of a dask cluster."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from tiles.errors import InputError
from tiles.mosaic.processes import POLL_SECONDS

STOP_SECONDS: Final = 10.0
"""Seconds for which workers that should stop are waited for."""


def completed(
    client: Any, futures: Sequence[Any], report: Callable[[Sequence[Any]], None]
) -> Iterator[Any]:
    """Yield futures as they are completed.

    Args:
        client: A `distributed.Client`; that package is an extra, so that types do not name it.
        futures: The futures.
        report: Function that is called several times a second, with the futures that have been
            completed since.

    Raises:
        InputError: If workers were lost too often.
        Exception: The error of a worker.
    """
    distributed: Any = importlib.import_module("distributed")

    pending = list(futures)
    try:
        while pending:
            with suppress(TimeoutError), client.as_current():
                distributed.wait(pending, timeout=POLL_SECONDS, return_when="FIRST_COMPLETED")
            done = [future for future in pending if future.done()]
            report(done)
            for future in done:
                future.result()  # raises the error of the worker
                pending.remove(future)
                yield future
    except distributed.KilledWorker as error:
        fault = f"lost its workers ({error})"
        raise InputError("cluster", fault, "give them more memory, and start again") from error
