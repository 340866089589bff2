"""How long everything is trained, so that a comparison ends in time.

The paper's systems get the same number of iterations, which a short measurement of all of them
sets. What is given SemiMTL's time instead gets as many as its seconds per iteration allow: those of
JTL are known from the training of the systems themselves; another configuration is measured side by
side with SemiMTL. All of it is decided once and kept in a file: what goes on after an interruption
is trained as long as it would have been.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from measuring import say
from orderings import LONGER

from semimtl_geo.compare.comparison import Comparison, Outcome, Run
from semimtl_geo.compare.parallel_runs import run_all
from semimtl_geo.compare.runs import check_runs, read_json, write_json
from semimtl_geo.compare.scenario import Variant
from tiles.errors import InputError

METHOD = "semimtl"
"""Whose time the others are given."""
LONGER_JTL = Run("jtl", variant=Variant("jtl_longer", LONGER))
EPOCHS = 5
SHORT, PAIRED = 8, 12
"""Iterations per epoch of a run that is measured, among all and beside SemiMTL."""
ROUNDS = 2
MARGIN = 0.93
"""Share of the time that is planned for: machines are not always as fast."""


@dataclass(frozen=True)
class Plan:
    """How long everything is trained.

    Attributes:
        minutes: The budget that it was made for.
        precision: Of training; what was faster when it was made.
        processes: Number of runs in parallel.
        iterations: Per epoch, of every system.
        relative: Seconds of an iteration over those of SemiMTL, by configuration.
    """

    minutes: float
    precision: str
    processes: int
    iterations: int
    relative: Mapping[str, float] = field(default_factory=dict)

    def overrides(self) -> tuple[str, ...]:
        """Return the settings of training that all systems share."""
        return (*schedule(self.iterations), f"--trainer.precision={self.precision}")

    def in_equal_time(self, run: Run) -> Run:
        """Return the run, to be trained for as long as SemiMTL."""
        if run.variant is None:
            raise ValueError(f"{run.name} has the iterations of the paper's systems")
        iterations = max(1, round(self.iterations / self.relative[config_of(run)]))
        overrides = (*run.variant.overrides, f"--data.iterations={iterations}")
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
    comparison: Comparison,
    systems: Sequence[Run],
    timed: int,
    *,
    minutes: float,
    precision: str,
    processes: int,
    started: float,
) -> Plan:
    """Read the plan, or measure and make it.

    Args:
        file: Where it is kept.
        comparison: What all runs have in common.
        systems: What gets the same number of iterations, of one seed; SemiMTL is among them. One
            that differs from another in its start alone is not measured.
        timed: How many more are given SemiMTL's time.
        minutes: For everything.
        precision: Of training, if there is no plan yet.
        processes: Number of runs in parallel.
        started: When the time began, by ``time.monotonic``.

    Raises:
        InputError: If the time is too short, or the plan is for another number of processes.
    """
    found = read_json(file)
    if found:
        plan = Plan(**found)
        if plan.processes != processes:
            fault = f"{processes}, but {file} was made with {plan.processes}"
            raise InputError("--parallel", fault, "give as many, or another --out")
        return plan
    distinct = [run for run in systems if run.variant is None]
    steps, rest = measure(distinct, comparison, precision, processes)
    seconds = MARGIN * 60 * minutes - (time.monotonic() - started)
    runs = len(systems) + timed
    per_seed = seconds * processes / len(comparison.seeds) - rest * runs
    each = sum(steps[config_of(run)] for run in systems) + timed * steps[METHOD]
    iterations = math.floor(per_seed / each / EPOCHS)
    if iterations < 1:
        fault = f"{minutes:g} leave no time to train {runs * len(comparison.seeds)} networks"
        raise InputError("--minutes", fault, "give more, or fewer seeds")
    plan = Plan(minutes, precision, processes, iterations)
    write_json(file, asdict(plan))
    return plan


def with_relative(
    plan: Plan, file: Path, comparison: Comparison, timed: Sequence[Run], trained: Sequence[Outcome]
) -> Plan:
    """Add what is not known yet of how long iterations take.

    Args:
        plan: The plan so far.
        file: Where it is kept.
        comparison: What all runs have in common.
        timed: What is given SemiMTL's time, of one seed.
        trained: The paper's systems.
    """
    known, relative = medians(trained, config_of), dict(plan.relative)
    method = next(outcome.run for outcome in trained if outcome.run.name == METHOD)
    for run in timed:
        config = config_of(run)
        if config not in relative:
            steps = known
            if not {config, METHOD} <= steps.keys():
                # The two alone, so that what slows one down slows down the other.
                steps, _ = measure(
                    [method, run], comparison, plan.precision, plan.processes, PAIRED
                )
            relative[config] = steps[config] / steps[METHOD]
            plan = replace(plan, relative=relative)
            write_json(file, asdict(plan))
    return plan


def trained(runs: Sequence[Run], comparison: Comparison, processes: int) -> list[Outcome]:
    """Carry out runs with all seeds, some in parallel."""
    every = [replace(run, seed=seed) for seed in comparison.seeds for run in runs]
    check_runs(comparison, every)
    return run_all(every, comparison, processes)


def medians(outcomes: Sequence[Outcome], by: Callable[[Run], str]) -> dict[str, float]:
    """Seconds of an iteration by what is asked of a run, of those where they are known."""
    found: dict[str, list[float]] = {}
    for outcome in outcomes:
        # A run that was killed as it ended does not know them.
        if not math.isnan(outcome.step):
            found.setdefault(by(outcome.run), []).append(outcome.step)
    return {name: statistics.median(steps) for name, steps in found.items()}


def measure(
    runs: Sequence[Run],
    comparison: Comparison,
    precision: str,
    processes: int,
    iterations: int = SHORT,
) -> tuple[dict[str, float], float]:
    """Train, map and score everything once and again, with few iterations per epoch.

    Returns:
        Seconds of an iteration by configuration, and what a run takes besides its iterations.
    """
    steps: dict[str, list[float]] = {config_of(run): [] for run in runs}
    rest: list[float] = []
    overrides = (*comparison.overrides, *schedule(iterations), f"--trainer.precision={precision}")
    for number in range(ROUNDS):
        say(f"measure {', '.join(steps)}, round {number + 1} of {ROUNDS}")
        with tempfile.TemporaryDirectory() as folder:
            short = replace(comparison, out=Path(folder), seeds=(0,), overrides=overrides)
            began = time.monotonic()
            # In turn from either end, so that a machine whose speed drifts tells on all.
            order = list(runs)[:: 1 if number % 2 else -1]
            outcomes = run_all(order, short, processes)
            whole = (time.monotonic() - began) * min(processes, len(order))
        for outcome in outcomes:
            steps[config_of(outcome.run)].append(outcome.step)
        trained = sum(outcome.step for outcome in outcomes) * EPOCHS * iterations
        rest.append(max(0.0, whole - trained) / len(order))
    return {name: statistics.fmean(taken) for name, taken in steps.items()}, min(rest)
