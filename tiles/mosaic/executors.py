"""Work on all panels of a map: in this process, in several processes, or on a cluster."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any
from uuid import uuid4

from tiles.files import write_errors
from tiles.mosaic.clusters import STOP_SECONDS, completed
from tiles.mosaic.networks import Network
from tiles.mosaic.panels import MosaicJob, WorkerContext, map_panel
from tiles.mosaic.processes import Send, run_in_processes
from tiles.types import ProgressCallback


def run_here(
    job: MosaicJob, context: WorkerContext, network: Network, progress: ProgressCallback | None
) -> bool:
    """Map all panels one after the other, and return whether any tile was predicted."""
    total, before, predicted = job.total, 0, False
    for number in range(len(job.plan.panels)):

        def step(done: int, before: int = before) -> None:
            if progress is not None:
                progress(before + done, total)

        predicted |= map_panel(job, number, context, network, step)
        before += job.pixels(number)
        if progress is not None:
            progress(before, total)
    return predicted


def run_processes(
    job: MosaicJob, networks: Sequence[Network], progress: ProgressCallback | None
) -> bool:
    """Map the panels in as many processes as there are networks.

    Returns:
        Whether any tile was predicted.
    """
    done = [0] * len(job.plan.panels)

    def receive(number: int, pixels: int) -> None:
        done[number] = max(done[number], pixels)
        if progress is not None:
            progress(sum(done), job.total)

    states = [(job, network) for network in networks]
    predicted = False
    for number, found in run_in_processes(_map_in_process, states, range(len(done)), receive):
        predicted |= found
        receive(number, job.pixels(number))
    return predicted


def _map_in_process(state: tuple[MosaicJob, Network], number: int, send: Send) -> bool:
    """Map a panel in a process of `run_processes`."""
    job, network = state
    with ExitStack() as stack:
        return map_panel(job, number, job.open(stack), network, send)


def run_cluster(
    job: MosaicJob, network: Network, client: Any, progress: ProgressCallback | None
) -> bool:
    """Map the panels on a dask cluster whose workers see the same files.

    If a worker is lost, another one continues its panel.

    Args:
        job: The map.
        network: The network.
        client: A `distributed.Client`; that package is an extra, so that types do not name it.
        progress: Function that is called with the numbers of finished pixels and of all pixels.

    Returns:
        Whether any tile was predicted.

    Raises:
        InputError: If the cluster loses its workers.
    """
    distributed: Any = importlib.import_module("distributed")

    run = uuid4().hex
    with write_errors(job.run_file):
        job.run_file.write_text(run)
    (remote_network,) = client.scatter([network], broadcast=True, hash=False)
    futures = [
        client.submit(_work_remotely, job, number, remote_network, run, pure=False)
        for number in range(len(job.plan.panels))
    ]

    def report(_: Sequence[Any]) -> None:
        if progress is not None:
            progress(sum(map(job.finished_pixels, range(len(futures)))), job.total)

    try:
        made = [future.result() for future in completed(client, futures, report)]
        return any(made)
    finally:
        job.run_file.unlink(missing_ok=True)
        # Workers stop when the file is gone; the files may be deleted when all have stopped.
        with suppress(TimeoutError, OSError, distributed.CancelledError), client.as_current():
            distributed.wait(futures, timeout=STOP_SECONDS)
        client.cancel(futures)


def _work_remotely(job: MosaicJob, number: int, network: Network, run: str) -> bool:
    """Map a panel in a worker of a cluster."""

    def ended() -> bool:
        return not job.run_file.exists() or job.run_file.read_text() != run

    def check_run(_: int) -> None:
        if ended():
            raise RuntimeError("the run has ended")

    if ended():
        return False
    with ExitStack() as stack:
        return map_panel(job, number, job.open(stack), network, check_run)
