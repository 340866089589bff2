"""Runs in lanes: one after another in each, the lanes side by side.

Two single-threaded runs use two cores better than two threads in one run do.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import threading
import warnings
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from typing import TYPE_CHECKING, Final

import torch

from semimtl_geo.compare.job import Job, Outcome, Run, Say
from semimtl_geo.compare.runs import train_run
from semimtl_geo.compare.scoring import score_run
from semimtl_geo.progress import Display

QUIET: Final = "lightning"
"""What Lightning warns of in every run would drown the bars."""

if TYPE_CHECKING:
    # What is done, its unit, how many are done, and how many there are.
    Messages = Queue[tuple[str, str, int, int]]


def run_lanes(runs: Sequence[Run], job: Job, lanes: int) -> list[Outcome]:
    """Train every system, and map and score the scenes of every domain.

    Args:
        runs: What is trained; a lane that is free takes the next one.
        job: What they have in common.
        lanes: How many side by side. One lane is this process.

    Returns:
        The outcomes, in the order of the runs.

    Raises:
        InputError: If data or configuration cannot be used.
    """
    with Display() as display:
        if lanes > 1 and len(runs) > 1:
            return _side_by_side(runs, job, min(lanes, len(runs)), display)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=QUIET)
            return [carry_out(run, job, display.show) for run in runs]


def carry_out(run: Run, job: Job, say: Say) -> Outcome:
    """Train a system, and map and score the scenes of every domain, as far as it is not done.

    Args:
        run: The system, and the seed.
        job: What it has in common with others.
        say: Is told how far it is.

    Raises:
        InputError: If data or configuration cannot be used.
    """
    seconds, step = train_run(run, job, say)
    rows, tasks = score_run(run, job, say)
    return Outcome(run, rows, job.checkpoint(run), seconds, step, tasks)


def _side_by_side(runs: Sequence[Run], job: Job, lanes: int, display: Display) -> list[Outcome]:
    context = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // lanes)
    messages: Messages = context.Queue()
    stop = context.Event()
    begin = (threads, messages, stop)
    with ProcessPoolExecutor(lanes, context, initializer=_begin, initargs=begin) as pool:
        running: list[Future[Outcome]] = [pool.submit(_in_lane, run, job) for run in runs]
        try:
            while not all(run.done() for run in running):
                for run in running:
                    if run.done() and (error := run.exception()):
                        raise error
                try:
                    display.show(*messages.get(timeout=0.5))
                except queue.Empty:
                    continue
            return [run.result() for run in running]
        except BaseException:
            stop.set()  # the others need not go on
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _Lane:
    """What a process of the pool talks through."""

    messages: Messages
    stop: Event


def _begin(threads: int, messages: Messages, stop: Event) -> None:
    """Prepare a process of the pool."""
    torch.set_num_threads(threads)
    warnings.filterwarnings("ignore", module=QUIET)
    messages.cancel_join_thread()  # nobody may read the last ones
    _Lane.messages, _Lane.stop = messages, stop
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    """A process of a pool whose parent was killed would wait for it for ever."""
    parent.join()
    os._exit(1)


def _in_lane(run: Run, job: Job) -> Outcome:
    """One run, in a process of the pool."""

    def say(name: str, unit: str, done: int, total: int) -> None:
        if _Lane.stop.is_set():
            raise InterruptedError("another lane has failed")
        _Lane.messages.put((name, unit, done, total))

    return carry_out(run, job, say)
