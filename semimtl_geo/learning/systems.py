"""The systems of the paper's tables: one trainer with other settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from semimtl_geo.learning.adversarial import Alignment
from semimtl_geo.tasks import Task
from semimtl_geo.tasks.task import Kind
from tiles.errors import InputError


@dataclass(frozen=True)
class System:
    """One way to train.

    Attributes:
        title: Its name in the paper's tables.
        alignment: How predictions on unlabelled domains are aligned; None: they are not.
        kind: The kind of the tasks that are trained; None for all of them.
    """

    title: str
    alignment: Alignment | None = None
    kind: Kind | None = None

    def trains(self, kind: Kind) -> bool:
        """Whether tasks of a kind are trained."""
        return self.kind in (None, kind)

    @property
    def reads_unlabelled(self) -> bool:
        """Whether a domain without any label for the trained tasks is of use."""
        return self.alignment is not None


SYSTEMS: Final[dict[str, System]] = {
    "stl_seg": System("STL_Seg", kind="segmentation"),
    "stl_depth": System("STL_Depth", kind="depth"),
    "da_seg": System("DA_Seg", alignment="binary", kind="segmentation"),
    "da_depth": System("DA_Depth", alignment="binary", kind="depth"),
    "jtl": System("JTL"),
    "semisd": System("SemiSD", alignment="binary"),
    "semimtl_m1": System("SemiMTL (M1)", alignment="m1"),
    "semimtl": System("SemiMTL", alignment="m2"),
    "semimtl_m3": System("SemiMTL (M3)", alignment="m3"),
}
"""Single-task learning, domain adaptation of one task, joint training, and the semi-supervised
systems of section 4.2 and table 3; ``semimtl`` is the paper's default, mode 2."""

SystemName = Literal[
    "stl_seg",
    "stl_depth",
    "da_seg",
    "da_depth",
    "jtl",
    "semisd",
    "semimtl_m1",
    "semimtl",
    "semimtl_m3",
]


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
        system: One of :data:`semimtl_geo.learning.systems.SYSTEMS`.
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
