"""Work on all panels of a map: in this process, in several, or on a cluster."""

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
from typing import Any
from uuid import uuid4

from tiles.errors import InputError
from tiles.files import write_errors
from tiles.mosaic.panels import Desk, Job, Predict, work_on
from tiles.types import ProgressCallback

# Seconds between two looks at how far other processes have come.
LOOK = 0.5

# Seconds that a run which ends too early waits for the workers of a cluster to notice.
STOP = 10.0


def run_here(job: Job, desk: Desk, predict: Predict, progress: ProgressCallback | None) -> bool:
    """Work on all panels, one after the other; whether any tile was predicted."""
    total, before, predicted = job.total, 0, False
    for number in range(len(job.plan.panels)):

        def step(done: int, before: int = before) -> None:
            if progress is not None:
                progress(before + done, total)

        predicted |= work_on(job, number, desk, predict, step)
        before += job.pixels(number)
        if progress is not None:
            progress(before, total)
    return predicted


def run_processes(job: Job, predicts: Sequence[Predict], progress: ProgressCallback | None) -> bool:
    """Work on the panels in as many processes as there are networks.

    Each process asks for the next panel when it is done with one, and uses as many threads as this
    one does. They end with this process, however it ends.
    """
    context = multiprocessing.get_context("spawn")
    waiting = list(range(len(job.plan.panels)))
    predicts = predicts[: len(waiting)]
    # Pickled here, for multiprocessing would put tensors into shared memory, which may be small.
    plain = pickle.dumps(job)
    predicted = False
    with ExitStack() as stack:
        workers: dict[Connection, Any] = {}
        for predict in predicts:
            ours, theirs = context.Pipe()
            # The rest is sent later: a process that dies before it has read its arguments would
            # let this one wait forever.
            process = context.Process(target=_serve, args=(theirs,), daemon=True)
            with _no_interrupt():
                process.start()
            stack.callback(process.join)
            stack.callback(process.kill)
            stack.callback(ours.close)
            theirs.close()
            workers[ours] = process
            with _alive(process):
                ours.send_bytes(plain)
                ours.send_bytes(pickle.dumps(predict))
        left = len(waiting)
        while left:
            for ready in wait(list(workers), timeout=LOOK):
                assert isinstance(ready, Connection)  # noqa: S101 - for the type checker
                with _alive(workers[ready]):
                    kind, value = ready.recv()
                if kind == "failed":
                    raise value
                if kind == "done":
                    left, predicted = left - 1, predicted | value
                if waiting:
                    with _alive(workers[ready]):
                        ready.send(waiting.pop(0))
            _look(job, progress)
    return predicted


@contextmanager
def _alive(process: Any) -> Iterator[None]:
    """Say in one line that a process has died while it was talked to."""
    try:
        yield
    except (EOFError, OSError) as error:
        process.join()
        fault = f"ended by itself (exit code {process.exitcode}), as when memory is short"
        remedy = "start again, which goes on after what is done"
        raise InputError(f"process {process.pid}", fault, remedy) from error


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Let processes that are started ignore Ctrl-C: this one says when to stop."""
    if threading.current_thread() is not threading.main_thread():  # which alone has signals
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _serve(connection: Connection) -> None:
    """What a process of `run_processes` does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process says when to stop
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        # From the process that started this one.
        job: Job = pickle.loads(connection.recv_bytes())  # noqa: S301
        network: Predict = pickle.loads(connection.recv_bytes())  # noqa: S301
        with ExitStack() as stack:
            desk = job.open(stack)
            connection.send(("ready", None))
            while True:
                number = connection.recv()
                connection.send(("done", work_on(job, number, desk, network)))
    except EOFError:
        pass
    except Exception as error:
        with suppress(OSError):
            connection.send(("failed", _portable(error)))


def _portable(error: Exception) -> Exception:
    """Return an error that can be sent to another process."""
    # Some libraries (tblib) make pickle follow causes, and those of rasterio cannot be rebuilt.
    error.__cause__ = error.__context__ = None
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def run_cluster(job: Job, predict: Predict, client: Any, progress: ProgressCallback | None) -> bool:
    """Work on the panels on a dask cluster, whose workers see the same files.

    A panel whose worker is lost is gone on with by another one.

    Args:
        job: What is made.
        predict: The network.
        client: A `distributed.Client`; that package is an extra, and this one's types need not
            know it.
        progress: Called with the pixels that are done, and with all of them.
    """
    distributed: Any = importlib.import_module("distributed")

    run = uuid4().hex
    with write_errors(job.ticket):
        job.ticket.write_text(run)
    (network,) = client.scatter([predict], broadcast=True, hash=False)
    futures = [
        client.submit(_remotely, job, number, network, run, pure=False)
        for number in range(len(job.plan.panels))
    ]
    try:
        pending = set(futures)
        while pending:
            with suppress(TimeoutError), client.as_current():
                distributed.wait(pending, timeout=LOOK, return_when="FIRST_COMPLETED")
            for future in [future for future in pending if future.done()]:
                future.result()  # raises what went wrong
                pending.discard(future)
            _look(job, progress)
        return any(client.gather(futures))
    except distributed.KilledWorker as error:
        fault = f"lost its workers ({error})"
        raise InputError("cluster", fault, "give them more memory, and start again") from error
    finally:
        job.ticket.unlink(missing_ok=True)
        # Workers that see it gone leave the files alone, which may be deleted when all have.
        with suppress(TimeoutError, OSError, distributed.CancelledError), client.as_current():
            distributed.wait(futures, timeout=STOP)
        client.cancel(futures)


def _remotely(job: Job, number: int, predict: Predict, run: str) -> bool:
    """What a worker of a cluster does."""

    def ended() -> bool:
        return not job.ticket.exists() or job.ticket.read_text() != run

    def go_on(_: int) -> None:
        if ended():
            raise RuntimeError("the run has ended")

    if ended():
        return False
    with ExitStack() as stack:
        return work_on(job, number, job.open(stack), predict, go_on)


def _look(job: Job, progress: ProgressCallback | None) -> None:
    if progress is not None:
        progress(sum(map(job.made, range(len(job.plan.panels)))), job.total)
