"""Runs of a comparison, one after another or in parallel processes.

Two single-threaded runs use two cores better than one run with two threads.
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

from semimtl_geo.compare.comparison import Comparison, Outcome, ReportProgress, Run
from semimtl_geo.compare.runs import train_run
from semimtl_geo.compare.scoring import score_run
from semimtl_geo.progress import Display

QUIET: Final = "lightning"
"""Module whose warnings, which repeat in every run, would hide the progress bars."""

if TYPE_CHECKING:
    # Arguments of ReportProgress.
    Messages = Queue[tuple[str, str, int, int]]


def run_all(runs: Sequence[Run], comparison: Comparison, processes: int) -> list[Outcome]:
    """Train every system, and map and score the scenes of every domain.

    Args:
        runs: The runs; a free process takes the next one.
        comparison: Settings that all runs share.
        processes: Number of runs at the same time; with 1 they run in this process.

    Returns:
        Outcomes in the order of the runs.

    Raises:
        InputError: If data or configuration cannot be used.
    """
    with Display() as display:
        if processes > 1 and len(runs) > 1:
            return _side_by_side(runs, comparison, min(processes, len(runs)), display)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=QUIET)
            return [run_one(run, comparison, display.show) for run in runs]


def run_one(run: Run, comparison: Comparison, report_progress: ReportProgress) -> Outcome:
    """Train a system, and map and score the scenes of every domain, unless that is done already.

    Args:
        run: The system, and the seed.
        comparison: Settings that all runs share.
        report_progress: Function that is called with the progress.

    Raises:
        InputError: If data or configuration cannot be used.
    """
    seconds, step = train_run(run, comparison, report_progress)
    rows, tasks = score_run(run, comparison, report_progress)
    return Outcome(run, rows, comparison.checkpoint(run), seconds, step, tasks)


def _side_by_side(
    runs: Sequence[Run], comparison: Comparison, processes: int, display: Display
) -> list[Outcome]:
    context = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // processes)
    messages: Messages = context.Queue()
    stop = context.Event()
    begin = (threads, messages, stop)
    with ProcessPoolExecutor(
        processes, context, initializer=_start_process, initargs=begin
    ) as pool:
        running: list[Future[Outcome]] = [
            pool.submit(_run_in_process, run, comparison) for run in runs
        ]
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
            stop.set()  # Stops the other processes.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _Process:
    """Queue through which a process of the pool reports."""

    messages: Messages
    stop: Event


def _start_process(threads: int, messages: Messages, stop: Event) -> None:
    """Prepare a process of the pool."""
    torch.set_num_threads(threads)
    warnings.filterwarnings("ignore", module=QUIET)
    messages.cancel_join_thread()  # Nobody may read the last messages.
    _Process.messages, _Process.stop = messages, stop
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    """End this process when its parent dies; a process of a pool would wait forever."""
    parent.join()
    os._exit(1)


def _run_in_process(run: Run, comparison: Comparison) -> Outcome:
    """Carry out one run in a process of the pool."""

    def report_progress(name: str, unit: str, done: int, total: int) -> None:
        if _Process.stop.is_set():
            raise InterruptedError("another run has failed")
        _Process.messages.put((name, unit, done, total))

    return run_one(run, comparison, report_progress)
