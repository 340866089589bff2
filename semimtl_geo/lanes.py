"""Systems trained, mapped and scored in lanes: one after another in each, the lanes side by side.

Two single-threaded runs use two cores better than two threads in one run do.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import shutil
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from semimtl_geo.compare import Row, make_row
from semimtl_geo.evaluation import evaluate
from semimtl_geo.mapping import Mapper
from semimtl_geo.progress import Display
from semimtl_geo.systems import SYSTEMS
from semimtl_geo.training import packaged_config, train

REESTIMATED: Final = ", statistics re-estimated"
"""Added to the name of a single-task network that was given the new city's BatchNorm statistics."""

Say = Callable[[str, str, int, int], None]
"""Takes what is done, its unit, how many are done, and how many there are."""


@dataclass(frozen=True)
class Job:
    """What all systems have in common.

    Attributes:
        scenario: Folder of the configurations, such as ``cities``.
        data: Root of the data, with a folder per domain.
        out: Folder for runs and maps.
        overrides: Further arguments of the training command.
    """

    scenario: str
    data: Path
    out: Path
    overrides: tuple[str, ...] = ()

    def run(self, system: str) -> Path:
        """Where a system's checkpoint, configuration and log are."""
        return self.out / "runs" / system

    def maps(self, method: str) -> Path:
        """Where the maps of a row of the table are."""
        return self.out / "maps_of_all" / method.replace(", ", "_").replace(" ", "_")


@dataclass(frozen=True)
class Outcome:
    """What one system left.

    Attributes:
        system: Its name.
        rows: Its scores on all domains.
        checkpoint: Its network.
        seconds: Its training took.
    """

    system: str
    rows: list[Row]
    checkpoint: Path
    seconds: float


class _Report(Callback):
    """Tells how far training is."""

    def __init__(self, system: str, say: Say) -> None:
        self.name, self.say = f"train {SYSTEMS[system].title}", say

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        total = int(trainer.estimated_stepping_batches)
        self.say(self.name, "iterations", trainer.global_step, total)


def run_lanes(lanes: Sequence[Sequence[str]], domains: Sequence[str], job: Job) -> list[Outcome]:
    """Train every system, and map and score the test scenes of every domain.

    Args:
        lanes: Names of systems; each lane is a process.
        domains: Names of the domains.
        job: What they have in common.

    Returns:
        The outcomes, lane by lane.

    Raises:
        InputError: If data or configuration cannot be used.
    """
    context = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // len(lanes))
    with (
        context.Manager() as manager,
        ProcessPoolExecutor(len(lanes), mp_context=context) as pool,
        Display() as display,
    ):
        messages, stop = manager.Queue(), manager.Event()
        running: list[Future[list[Outcome]]] = [
            pool.submit(_run_lane, lane, domains, job, threads, messages, stop) for lane in lanes
        ]
        while not all(lane.done() for lane in running):
            for lane in running:
                if lane.done() and (error := lane.exception()):
                    stop.set()  # the others need not go on
                    raise error
            try:
                display.show(*messages.get(timeout=0.5))
            except queue.Empty:
                continue
        return [outcome for lane in running for outcome in lane.result()]


def _run_lane(
    systems: Sequence[str],
    domains: Sequence[str],
    job: Job,
    threads: int,
    messages: queue.Queue[tuple[str, str, int, int]],
    stop: threading.Event,
) -> list[Outcome]:
    """One lane, in a process of its own."""
    torch.set_num_threads(threads)
    # What Lightning warns of in every run would drown the bars.
    warnings.filterwarnings("ignore", module="lightning")

    parent = multiprocessing.parent_process()

    def say(name: str, unit: str, done: int, total: int) -> None:
        if parent is not None and not parent.is_alive():
            os._exit(1)  # killed; a pool's process would wait for it for ever
        if stop.is_set():
            raise InterruptedError("another lane has failed")
        messages.put((name, unit, done, total))

    outcomes = []
    for system in systems:
        started = time.monotonic()
        shutil.rmtree(job.run(system), ignore_errors=True)
        args = [
            f"--config={packaged_config(f'{job.scenario}/{system}.yaml')}",
            f"--data.root={job.data}",
            f"--out={job.run(system)}",
            "--trainer.enable_progress_bar=false",
            "--trainer.enable_model_summary=false",
            *job.overrides,
        ]
        checkpoint = train(args, [_Report(system, say)])
        seconds = time.monotonic() - started
        rows = _score(Mapper.load(checkpoint), domains, job, say)
        outcomes.append(Outcome(system, rows, checkpoint, seconds))
    return outcomes


def _score(mapper: Mapper, domains: Sequence[str], job: Job, say: Say) -> list[Row]:
    """Map the test scenes of all domains, and compare with the truth."""
    title = SYSTEMS[mapper.card.system].title
    rows = []
    for domain in domains:
        # A network that never saw the domain: as it stands, and with the domain's statistics, so
        # that nobody takes their effect for a method's.
        variants: dict[str, str | None] = {title: domain}
        if domain not in mapper.card.domains:
            variants = {title: mapper.card.domains[0], title + REESTIMATED: None}
        for method, statistics in variants.items():
            scores = evaluate(
                mapper,
                job.data / domain / "test",
                job.maps(method),
                statistics,
                progress=partial(say, f"map {domain}, {method}", "scenes"),
            )
            rows.append(make_row(domain, method, scores))
    return rows
