"""Work on all panels of a map: in this process, in several processes, or on a cluster."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any, Final
from uuid import uuid4

from tiles.errors import InputError
from tiles.files import write_errors
from tiles.mosaic.networks import Network
from tiles.mosaic.panels import MosaicJob, WorkerContext, map_panel
from tiles.types import ProgressCallback

POLL_SECONDS: Final = 0.5
"""Interval at which the progress of other processes is read."""

STOP_SECONDS: Final = 10.0
"""Time that an interrupted run waits for the workers of a cluster to stop."""


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

    Each process asks for the next panel when it has finished one, and uses as many threads as this
    process. All of them end with this process, even if it is killed.

    Returns:
        Whether any tile was predicted.
    """
    context = multiprocessing.get_context("spawn")
    waiting = list(range(len(job.plan.panels)))
    networks = networks[: len(waiting)]
    # multiprocessing would put tensors into shared memory, which may be small, so pickle here.
    pickled = pickle.dumps(job)
    predicted = False
    with ExitStack() as stack:
        workers: dict[Connection, Any] = {}
        for network in networks:
            ours, theirs = context.Pipe()
            # The job is sent later: a process that dies before it has read its arguments would let
            # this one wait forever.
            process = context.Process(target=_serve, args=(theirs,), daemon=True)
            with _no_interrupt():
                process.start()
            stack.callback(process.join)
            stack.callback(process.kill)
            stack.callback(ours.close)
            theirs.close()
            workers[ours] = process
            with _alive(process):
                ours.send_bytes(pickled)
                ours.send_bytes(pickle.dumps(network))
        unfinished = len(waiting)
        while unfinished:
            for ready in wait(list(workers), timeout=POLL_SECONDS):
                assert isinstance(ready, Connection)  # noqa: S101 - for the type checker
                with _alive(workers[ready]):
                    kind, value = ready.recv()
                if kind == "failed":
                    raise value
                if kind == "done":
                    unfinished, predicted = unfinished - 1, predicted | value
                if waiting:
                    with _alive(workers[ready]):
                        ready.send(waiting.pop(0))
            _report(job, progress)
    return predicted


@contextmanager
def _alive(process: Any) -> Iterator[None]:
    """Raise an InputError if a process dies while messages are exchanged with it."""
    try:
        yield
    except (EOFError, OSError) as error:
        process.join()
        fault = f"ended by itself (exit code {process.exitcode}), perhaps because memory ran out"
        remedy = "start again: the run continues after the finished rows"
        raise InputError(f"process {process.pid}", fault, remedy) from error


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Let processes that are started ignore Ctrl-C: this process stops them."""
    if threading.current_thread() is not threading.main_thread():  # Only that has signals.
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(connection: Connection) -> None:
    """Map panels in a process of `run_processes`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The first process stops this one.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        # Both come from the process that started this one.
        job: MosaicJob = pickle.loads(connection.recv_bytes())  # noqa: S301
        network: Network = pickle.loads(connection.recv_bytes())  # noqa: S301
        with ExitStack() as stack:
            context = job.open(stack)
            connection.send(("ready", None))
            while True:
                number = connection.recv()
                connection.send(("done", map_panel(job, number, context, network)))
    except EOFError:
        pass
    except Exception as error:
        with suppress(OSError):
            connection.send(("failed", _portable(error)))


def _portable(error: Exception) -> Exception:
    """Return an error that can be sent to another process."""
    # Some libraries (tblib) make pickle follow causes, and rasterio's cannot be unpickled.
    error.__cause__ = error.__context__ = None
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - pickled in this line
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


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
    try:
        pending = set(futures)
        while pending:
            with suppress(TimeoutError), client.as_current():
                distributed.wait(pending, timeout=POLL_SECONDS, return_when="FIRST_COMPLETED")
            for future in [future for future in pending if future.done()]:
                future.result()  # Raises the error of the worker.
                pending.discard(future)
            _report(job, progress)
        return any(client.gather(futures))
    except distributed.KilledWorker as error:
        fault = f"lost its workers ({error})"
        raise InputError("cluster", fault, "give them more memory, and start again") from error
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


def _report(job: MosaicJob, progress: ProgressCallback | None) -> None:
    if progress is not None:
        progress(sum(map(job.finished_pixels, range(len(job.plan.panels)))), job.total)
