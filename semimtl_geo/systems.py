"""The systems of the paper's tables: one trainer with other settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from semimtl_geo.alignment import Alignment

Kind = Literal["segmentation", "depth"]


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
