"""Runs of a comparison, one after another or in parallel processes.

Two single-threaded runs use two cores better than one run with two threads.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from contextlib import closing
from typing import Final

from semimtl_geo.compare.comparison import Comparison, Outcome, ReportProgress, Run
from semimtl_geo.compare.runs import train_run
from semimtl_geo.compare.scoring import score_run
from semimtl_geo.progress import Display, make_display
from tiles.mosaic.processes import Send, run_in_processes

QUIET: Final = "lightning"
"""Module whose warnings, which repeat in every run, would hide the progress bars."""


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
    with make_display() as display:
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
    threads = max(1, (os.cpu_count() or 1) // processes)

    def show(number: int, message: tuple[str, str, int, int]) -> None:
        display.show(*message)

    finished = run_in_processes(
        _run_in_process, [comparison] * processes, runs, show, threads=threads
    )
    with closing(finished):
        outcomes = dict(finished)
    return [outcomes[number] for number in range(len(runs))]


def _run_in_process(comparison: Comparison, run: Run, send: Send) -> Outcome:
    """Carry out one run in a process of the pool."""
    warnings.filterwarnings("ignore", module=QUIET)
    return run_one(run, comparison, lambda *message: send(message))
