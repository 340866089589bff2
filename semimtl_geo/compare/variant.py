"""What is compared besides the systems of the paper."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """A system that is not as it stands: a control, or a setting that is not the paper's.

    Attributes:
        name: Of its folder.
        title: Its name in the table.
        config: Its configuration's name in the scenario's folder; the system's own if None.
        overrides: Further arguments of the training command, which count more than the job's.
    """

    name: str
    title: str
    config: str | None = None
    overrides: tuple[str, ...] = ()
