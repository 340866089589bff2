"""How long everything is trained, so that a comparison ends in time.

Every system gets the same number of iterations. What is given SemiMTL's time instead gets as many
as SemiMTL's seconds per iteration over its own allow, both measured in one run, side by side. The
plan is made once and kept in a file: what goes on after an interruption, or is added later, is
trained as long as it would have been.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from measuring import say

from semimtl_geo.compare.files import read_json, write_json
from semimtl_geo.compare.runs import Job, Run
from semimtl_geo.lanes import run_lanes
from tiles.errors import InputError

METHOD = "semimtl"
"""Whose time the others are given."""
EPOCHS = 5
SHORT = 8
"""Iterations per epoch of a run that is measured."""
ROUNDS = 2
MARGIN = 0.93
"""Share of the time that is planned for: machines are not always as fast."""


@dataclass(frozen=True)
class Plan:
    """How long everything is trained.

    Attributes:
        minutes: The budget that it was made for.
        precision: Of training; what was faster when it was made.
        iterations: Per epoch, of every system.
        steps: Seconds of an iteration, by configuration.
    """

    minutes: float
    precision: str
    iterations: int
    steps: Mapping[str, float]

    def overrides(self) -> tuple[str, ...]:
        """What training is told of every system."""
        return (*schedule(self.iterations), f"--trainer.precision={self.precision}")

    def in_equal_time(self, run: Run) -> Run:
        """A variant that is trained for as long as SemiMTL."""
        if run.variant is None:
            fault = "is one of the paper's systems"
            raise InputError(f"--variants {run.name}", fault, "give it by --systems")
        ratio = self.steps[METHOD] / self.steps[config_of(run)]
        iterations = max(1, round(self.iterations * ratio))
        overrides = (f"--data.iterations={iterations}",)
        return replace(run, variant=replace(run.variant, overrides=overrides))


def config_of(run: Run) -> str:
    """The configuration's name: runs that differ in length alone cost the same per iteration."""
    return (run.variant and run.variant.config) or run.system


def schedule(iterations: int) -> tuple[str, ...]:
    """Epochs of so many iterations, and one validation at the end, which nothing is chosen by."""
    return (
        f"--trainer.max_epochs={EPOCHS}",
        f"--trainer.check_val_every_n_epoch={EPOCHS}",
        f"--data.iterations={iterations}",
    )


def make_plan(
    file: Path,
    job: Job,
    systems: Sequence[Run],
    timed: Sequence[Run],
    *,
    minutes: float,
    precision: str,
    lanes: int,
    started: float,
) -> Plan:
    """Read the plan, or measure and make it; what a plan does not know yet is measured and added.

    Args:
        file: Where it is kept.
        job: What all runs have in common.
        systems: What gets the same number of iterations, of one seed; SemiMTL is among them.
        timed: What is given SemiMTL's time, of one seed.
        minutes: For everything.
        precision: Of training, if there is no plan yet.
        lanes: Runs side by side.
        started: When the time began, by ``time.monotonic``.

    Raises:
        InputError: If the time is too short.
    """
    found = read_json(file)
    if found:
        plan = Plan(**found)
        precision = plan.precision
        new = [run for run in [*systems, *timed] if config_of(run) not in plan.steps]
        if not new:
            return plan
        # Beside SemiMTL once more: this may be another hour.
        method = next(run for run in systems if run.name == METHOD)
        steps, _ = measure([method, *new], job, precision, lanes)
        drift = plan.steps[METHOD] / steps[METHOD]
        added = {config_of(run): steps[config_of(run)] * drift for run in new}
        plan = replace(plan, steps={**plan.steps, **added})
    else:
        steps, rest = measure([*systems, *timed], job, precision, lanes)
        seconds = MARGIN * 60 * minutes - (time.monotonic() - started)
        runs = len(systems) + len(timed)
        per_seed = seconds * lanes / len(job.seeds) - rest * runs
        at_once = sum(steps[run.name] for run in systems) + len(timed) * steps[METHOD]
        iterations = math.floor(per_seed / at_once / EPOCHS)
        if iterations < 1:
            fault = f"{minutes:g} leave no time to train {runs * len(job.seeds)} networks"
            raise InputError("--minutes", fault, "give more, or fewer seeds")
        plan = Plan(minutes, precision, iterations, steps)
    write_json(file, asdict(plan))
    return plan


def measure(
    runs: Sequence[Run], job: Job, precision: str, lanes: int
) -> tuple[dict[str, float], float]:
    """Train, map and score everything once and again, with few iterations.

    Returns:
        Seconds of an iteration by configuration, and what a run takes besides its iterations.
    """
    once = {config_of(run): replace(run, seed=0) for run in reversed(runs)}
    steps: dict[str, list[float]] = {name: [] for name in once}
    rest: list[float] = []
    overrides = (*job.overrides, *schedule(SHORT), f"--trainer.precision={precision}")
    for number in range(ROUNDS):
        say(f"measure, round {number + 1} of {ROUNDS}")
        with tempfile.TemporaryDirectory() as folder:
            short = replace(job, out=Path(folder), seeds=(0,), overrides=overrides)
            began = time.monotonic()
            # In turn from either end, so that a machine whose speed drifts tells on all.
            order = list(once.values())[:: 1 if number % 2 else -1]
            outcomes = run_lanes(order, short, lanes)
            whole = (time.monotonic() - began) * min(lanes, len(order))
        for outcome in outcomes:
            steps[config_of(outcome.run)].append(outcome.step)
        trained = sum(outcome.step for outcome in outcomes) * EPOCHS * SHORT
        rest.append(max(0.0, whole - trained) / len(order))
    return {name: statistics.fmean(taken) for name, taken in steps.items()}, min(rest)
