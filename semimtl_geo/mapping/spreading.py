"""Many requests for maps, made one after the other, by several processes, or on a dask cluster."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import Any
from uuid import uuid4

from semimtl_geo.mapping.predictor import Predictor
from semimtl_geo.mapping.requests import MapRequest
from tiles.grid import BLOCK
from tiles.mosaic.clusters import STOP_SECONDS, completed
from tiles.mosaic.processes import Send, StoppedError, run_in_processes

PlaceProgress = Callable[[str, int, int], None]
"""Called with the name of a place, its pixels done, and its pixels in all."""

REPORT_SECONDS = 1.0
"""Time between two reports of a worker of a cluster."""


def write_all(
    requests: Sequence[MapRequest],
    predictors: Sequence[Predictor],
    client: Any = None,
    progress: PlaceProgress | None = None,
) -> Generator[MapRequest, None, None]:
    """Write the maps of all requests, whose pixels do not depend on how the work is spread.

    Several processes or workers take a whole place each if there are enough places to keep all of
    them busy. Otherwise they share one place after the other.

    Args:
        requests: The maps to make.
        predictors: The network; or several copies of it on different devices, which run in as many
            processes.
        client: The ``distributed.Client`` of a cluster that does the work.
        progress: Called while the work goes on.

    Yields:
        Each request as soon as its files are written.
    """
    progress = progress or _ignore
    if len(requests) > 1:
        workers = len(predictors) if client is None else sum(client.nthreads().values())
        shares = max(-(-request.place.columns // BLOCK) for request in requests)
        if workers > 1 and len(requests) >= min(workers, shares):
            if client is None:
                yield from _in_processes(requests, predictors, progress)
            else:
                yield from _on_cluster(requests, predictors[0], client, progress)
            return
    for request in requests:
        request.write_maps(predictors, client, partial(progress, request.place.name))
        yield request


def _ignore(name: str, done: int, total: int) -> None:
    """Take no note of progress."""


def _in_processes(
    requests: Sequence[MapRequest], predictors: Sequence[Predictor], progress: PlaceProgress
) -> Generator[MapRequest, None, None]:
    """Have processes, one for each predictor, take one request after the other."""

    def receive(number: int, message: tuple[int, int]) -> None:
        progress(requests[number].place.name, *message)

    finished = run_in_processes(_write_in_process, predictors, requests, receive)
    with closing(finished):
        for number, total in finished:
            receive(number, (total, total))
            yield requests[number]


def _write_in_process(predictor: Predictor, request: MapRequest, send: Send) -> int:
    """Write the maps of a request in a process of the pool, and return their pixels."""
    total = 0

    def report(done: int, pixels: int) -> None:
        nonlocal total
        total = pixels
        send((done, pixels))

    request.write_maps([predictor.to_device()], progress=report)
    return total


def _on_cluster(
    requests: Sequence[MapRequest], predictor: Predictor, client: Any, progress: PlaceProgress
) -> Generator[MapRequest, None, None]:
    """Have the workers of a dask cluster, which see the same files, take one request each.

    A request whose worker is lost is continued by another one.
    """
    distributed: Any = importlib.import_module("distributed")

    run = f"semimtl-geo-{uuid4().hex}"
    stopped = distributed.Event(run, client=client)
    reports: dict[str, tuple[int, int]] = {}

    def note(event: tuple[float, tuple[str, int, int]]) -> None:
        name, *counts = event[1]
        reports[name] = counts[0], counts[1]

    client.subscribe_topic(run, note)
    (network,) = client.scatter([predictor], broadcast=True, hash=False)
    running = {
        client.submit(_write_on_worker, request.absolute(), network, run, pure=False): request
        for request in requests
    }
    futures = list(running)

    def report(done: Sequence[Any]) -> None:
        for future, request in running.items():
            made, total = reports.get(request.place.name, (0, 0))
            if total:
                progress(request.place.name, total if future in done else made, total)

    try:
        for future in completed(client, futures, report):
            yield running.pop(future)
    finally:
        with suppress(TimeoutError, OSError, distributed.CancelledError), client.as_current():
            if running:
                stopped.set()
                client.cancel([future for future in futures if future.status == "pending"])
                distributed.wait(futures, timeout=STOP_SECONDS)
        client.unsubscribe_topic(run)
        client.cancel(futures)


def _write_on_worker(request: MapRequest, predictor: Predictor, run: str) -> None:
    """Write the maps of a request on a worker of a cluster."""
    distributed: Any = importlib.import_module("distributed")

    worker, stopped, last = distributed.get_worker(), distributed.Event(run), 0.0

    def report(done: int, total: int) -> None:
        nonlocal last
        if done < total and time.monotonic() - last < REPORT_SECONDS:
            return
        last = time.monotonic()
        if stopped.is_set():
            raise StoppedError
        worker.log_event(run, (request.place.name, done, total))

    request.write_maps([predictor.to_device()], progress=report)
