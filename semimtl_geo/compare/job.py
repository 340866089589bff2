"""What a comparison consists of: its runs, where their files lie, and what they leave."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from semimtl_geo.compare.scenario import Scenario, Variant
from semimtl_geo.compare.table import Row
from semimtl_geo.learning.systems import SYSTEMS, system_names
from semimtl_geo.streetview.files import frame_files
from tiles.datasets.scenes import raster_files

SHOWN: Final = 3
"""Scenes of each domain that the figures show."""


Say = Callable[[str, str, int, int], None]
"""Takes what is done, its unit, how many are done, and how many there are."""


@dataclass(frozen=True)
class Run:
    """One system, or a variant of it, trained once."""

    system: str
    seed: int = 0
    variant: Variant | None = None

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.variant.name if self.variant else self.system

    @property
    def title(self) -> str:
        """Its name in the table."""
        return self.variant.title if self.variant else SYSTEMS[self.system].title


@dataclass(frozen=True)
class Job:
    """What all runs of a comparison have in common.

    Attributes:
        scenario: What is compared.
        data: Root of the data, with a folder per domain.
        out: Folder for runs, maps and results.
        seeds: All seeds; figures show the first.
        overrides: Further arguments of the training command.
        keep_maps: Keep the maps of all scenes, not only of those that the figures show.
    """

    scenario: Scenario
    data: Path
    out: Path
    seeds: Sequence[int] = (0,)
    overrides: tuple[str, ...] = ()
    keep_maps: bool = False

    def folder(self, run: Run) -> Path:
        """Where a run's checkpoint, configuration, logs and scores are."""
        return self.out / "runs" / run.name / f"seed_{run.seed}"

    def checkpoint(self, run: Run) -> Path:
        """Where a run's network is when it is trained."""
        return self.folder(run) / f"{run.system}.ckpt"

    def maps(self, method: str, seed: int, domain: str) -> Path:
        """Where the maps of a row of the table are."""
        slug = method.replace(", ", "_").replace(" ", "_")
        return self.out / "maps_of_all" / slug / f"seed_{seed}" / domain

    def arguments(self, run: Run) -> list[str]:
        """What the training command is told."""
        variant = run.variant
        return [
            *self.scenario.arguments((variant and variant.config) or run.system),
            f"--data.root={self.data.absolute()}",
            *self.overrides,
            *(variant.overrides if variant else ()),
            f"--seed_everything={run.seed}",
            f"--data.seed={run.seed}",
        ]

    def images(self, domain: str) -> list[Path]:
        """Images of the scenes that a domain is evaluated on."""
        return images_of(self.scenario.scenes(self.data, domain))

    def shown(self, domain: str) -> list[Path]:
        """Images of the scenes that the figures show, spread over the domain's."""
        images = self.images(domain)
        count = min(SHOWN, len(images))
        return [images[len(images) * number // count] for number in range(count)]


@dataclass(frozen=True)
class Outcome:
    """What one run left.

    Attributes:
        run: Which it is.
        rows: Its scores on all domains.
        checkpoint: Its network.
        seconds: Its training took; what an interruption undid does not count.
        step: Seconds of an iteration, chips included: the median.
        tasks: Settings of what it predicts.
    """

    run: Run
    rows: list[Row]
    checkpoint: Path
    seconds: float
    step: float = math.nan
    tasks: list[dict[str, Any]] = field(default_factory=list)


def images_of(scenes: Path) -> list[Path]:
    """The images of a folder of scenes or of street views."""
    return raster_files(scenes / "image") or frame_files(scenes / "image")


def runs_of(scenario: Scenario, names: Collection[str]) -> list[Run]:
    """Systems in the paper's order, then other configurations of the scenario's folder.

    Raises:
        InputError: If there is no such system or configuration.
    """
    more = [scenario.variant(name) for name in names if name not in SYSTEMS]
    return [
        *(Run(system) for system in system_names() if system in names),
        *(Run(system, variant=variant) for system, variant in more),
    ]
