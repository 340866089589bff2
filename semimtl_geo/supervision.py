"""Which tasks a system trains, on which domains, and where it may look at labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from semimtl_geo.systems import SYSTEMS
from semimtl_geo.tasks import Task
from tiles.errors import InputError


@dataclass(frozen=True)
class Supervision:
    """What a system learns from.

    Attributes:
        tasks: What it trains.
        domains: Names of the domains that it reads, k = 1..K.
        labelled: By task, the domains with labels for it, numbered from 0.
    """

    tasks: tuple[Task, ...]
    domains: tuple[str, ...]
    labelled: Mapping[str, Sequence[int]]


def supervise(
    system: str, tasks: Sequence[Task], domains: Mapping[str, Sequence[str]]
) -> Supervision:
    """Choose what a system can use.

    Args:
        system: One of :data:`semimtl_geo.systems.SYSTEMS`.
        tasks: All tasks.
        domains: Per domain, the labels that may be used.

    Raises:
        InputError: If tasks, domains and system do not fit together.
    """
    known = sorted({task.label for task in tasks})
    for domain, supervised in domains.items():
        for name in supervised:
            if name not in known:
                raise InputError(f"domain {domain}", f"no task is called {name}", f"use {known}")
    trained = tuple(task for task in tasks if SYSTEMS[system].trains(task.kind))
    if not trained:
        raise InputError(f"system {system}", "no task is of its kind", "choose another system")
    wanted = {task.label for task in trained}
    read = tuple(
        name
        for name, supervised in domains.items()
        if SYSTEMS[system].reads_unlabelled or wanted & set(supervised)
    )
    labelled = {
        task.name: [k for k, name in enumerate(read) if task.label in domains[name]]
        for task in trained
    }
    for name, where in labelled.items():
        if not where:
            remedy = "supervise it somewhere, or drop it"
            raise InputError(f"task {name}", "no domain has labels for it", remedy)
    return Supervision(trained, read, labelled)
