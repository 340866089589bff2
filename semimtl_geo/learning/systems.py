"""The systems of the paper's tables: one training with different settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from semimtl_geo.learning.alignment import ALIGNMENTS
from semimtl_geo.tasks import Task
from tiles.errors import InputError, InvalidValueError
from tiles.types import LabelKind

SystemName = str
"""Name of a registered system, a key of :data:`SYSTEMS`."""


@dataclass(frozen=True)
class System:
    """System of the paper's tables: settings of training.

    Attributes:
        title: Name in tables.
        description: Description, in which ``{classes}`` and ``{values}`` stand for the names
            of the tasks of these kinds.
        order: Tables and pages list systems in ascending order.
        alignment: Alignment of predictions on unlabelled domains, a key of
            :data:`semimtl_geo.learning.alignment.ALIGNMENTS`; None for no alignment.
        label_kind: Kind of the tasks that are trained; None for all tasks.

    Example:
        >>> SYSTEMS["semimtl"].title, SYSTEMS["semimtl"].alignment
        ('SemiMTL', 'm2')
        >>> SYSTEMS["stl_seg"].trains("values")
        False
    """

    title: str
    description: str
    order: int = 100
    alignment: str | None = None
    label_kind: LabelKind | None = None

    def trains(self, label_kind: LabelKind) -> bool:
        """Return whether tasks with this kind of labels are trained."""
        return self.label_kind in (None, label_kind)

    @property
    def reads_unlabelled(self) -> bool:
        """True if it learns from domains without labels for the trained tasks."""
        return self.alignment is not None


SYSTEMS: Final[dict[str, System]] = {
    "stl_seg": System(
        "STL_Seg",
        "a network for {classes} alone, trained where there are labels of it",
        order=0,
        label_kind="classes",
    ),
    "da_seg": System(
        "DA_Seg",
        "STL_Seg adapted to the other domain as AdaptSegNet (Tsai et al., CVPR 2018) does",
        order=1,
        alignment="adaptsegnet",
        label_kind="classes",
    ),
    "stl_depth": System(
        "STL_Depth",
        "a network for {values} alone, trained where there are labels of it",
        order=2,
        label_kind="values",
    ),
    "da_depth": System(
        "DA_Depth",
        "STL_Depth adapted to the other domain as AdaptSegNet (Tsai et al., CVPR 2018) does",
        order=3,
        alignment="adaptsegnet",
        label_kind="values",
    ),
    "jtl": System("JTL", "one network for both, trained on labels only", order=4),
    "semisd": System(
        "SemiSD",
        "JTL with discriminators that tell truth from predictions, but not the domains apart",
        order=5,
        alignment="binary",
    ),
    "semimtl_m1": System(
        "SemiMTL (M1)",
        "SemiMTL aligned with the predictions on the domain that has the labels",
        order=6,
        alignment="m1",
    ),
    "semimtl_m3": System(
        "SemiMTL (M3)",
        "SemiMTL aligned with all sources except the predictions on the domain itself",
        order=7,
        alignment="m3",
    ),
    "semimtl": System(
        "SemiMTL",
        "JTL with discriminators that know the domains; predictions aligned with truth (M2)",
        order=8,
        alignment="m2",
    ),
}
"""Systems by name: single-task learning, domain adaptation of one task, joint training, and the
semi-supervised systems of section 4.2 and table 3. The paper's default is ``semimtl``, mode 2."""


def register_system(name: str, system: System) -> None:
    """Register a system, so that configurations, comparisons and tables know it.

    Raises:
        InvalidValueError: If the name is taken, or the alignment mode is not registered.

    Example:
        >>> register_system("jtl_roofs", System("JTL (roofs)", "JTL on labels of roofs"))
        >>> system_names()[-1]
        'jtl_roofs'
        >>> del SYSTEMS["jtl_roofs"]
    """
    if name in SYSTEMS:
        raise InvalidValueError(f"system {name}", "is registered already", "choose another name")
    if system.alignment is not None and system.alignment not in ALIGNMENTS:
        fault = f"no alignment is called {system.alignment}"
        raise InvalidValueError(f"system {name}", fault, f"use one of {', '.join(ALIGNMENTS)}")
    SYSTEMS[name] = system


def system_names() -> list[str]:
    """Return the names of all systems in the order of tables.

    Example:
        >>> system_names()[0], system_names()[-1]
        ('stl_seg', 'semimtl')
    """
    return sorted(SYSTEMS, key=lambda name: SYSTEMS[name].order)


def find_system(name: str) -> System:
    """Return the system of a name.

    Raises:
        InvalidValueError: If no system has this name.

    Example:
        >>> find_system("semi")
        Traceback (most recent call last):
        tiles.errors.InvalidValueError: model.system: no system is called semi; use one of \
stl_seg, da_seg, stl_depth, da_depth, jtl, semisd, semimtl_m1, semimtl_m3, semimtl
    """
    if name not in SYSTEMS:
        names = ", ".join(system_names())
        raise InvalidValueError(
            "model.system", f"no system is called {name}", f"use one of {names}"
        )
    return SYSTEMS[name]


@dataclass(frozen=True)
class Supervision:
    """The tasks, domains and labels that a system uses.

    Attributes:
        tasks: The tasks that it trains.
        domains: Names of the domains that it reads, k = 1..K.
        labelled: Numbers, from 0, of the domains with labels, by task.
    """

    tasks: tuple[Task, ...]
    domains: tuple[str, ...]
    labelled: Mapping[str, Sequence[int]]


def supervise(
    system: str, tasks: Sequence[Task], domains: Mapping[str, Sequence[str]]
) -> Supervision:
    """Choose the tasks, domains and labels that a system uses.

    Args:
        system: Name of the system.
        tasks: All tasks.
        domains: Per domain, the labels that may be used.

    Raises:
        InvalidValueError: If no system has this name.
        InputError: If tasks, domains and system do not fit together.
    """
    chosen = find_system(system)
    label_names = sorted({task.label for task in tasks})
    for domain, supervised in domains.items():
        for name in supervised:
            if name not in label_names:
                fault = f"no task has labels called {name}"
                raise InputError(f"domain {domain}", fault, f"use {label_names}")
    trained = tuple(task for task in tasks if chosen.trains(task.label_kind))
    if not trained:
        fault = f"no task has labels of {chosen.label_kind}"
        raise InputError(f"system {system}", fault, "choose another system")
    trained_labels = {task.label for task in trained}
    used_domains = tuple(
        name
        for name, supervised in domains.items()
        if chosen.reads_unlabelled or trained_labels & set(supervised)
    )
    labelled = {
        task.name: [k for k, name in enumerate(used_domains) if task.label in domains[name]]
        for task in trained
    }
    for name, numbers in labelled.items():
        if not numbers:
            remedy = "supervise it in some domain, or remove it"
            raise InputError(f"task {name}", "no domain has labels for it", remedy)
    return Supervision(trained, used_domains, labelled)
