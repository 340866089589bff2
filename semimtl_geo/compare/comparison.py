"""Runs of a comparison, the places of their files, and their outcomes."""

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
from tiles.datasets.rasters import raster_files

SHOWN: Final = 3
"""Number of scenes of each domain in the figures."""


ReportProgress = Callable[[str, str, int, int], None]
"""Called with the name of an operation, its unit, and the numbers of units done and in total."""


@dataclass(frozen=True)
class Run:
    """Training of a system, or of a variant of it, with one seed."""

    system: str
    seed: int = 0
    variant: Variant | None = None

    @property
    def name(self) -> str:
        """Name of the run's folder."""
        return self.variant.name if self.variant else self.system

    @property
    def title(self) -> str:
        """Title in tables."""
        return self.variant.title if self.variant else SYSTEMS[self.system].title


@dataclass(frozen=True)
class Comparison:
    """Settings that all runs of a comparison share.

    Attributes:
        scenario: The scenario.
        data: Root of the data, with a folder per domain.
        out: Folder for runs, maps and results.
        seeds: All seeds; figures show the first.
        overrides: Further arguments of the training command.
        keep_maps: True to keep the maps of all scenes, not only of those in the figures.
    """

    scenario: Scenario
    data: Path
    out: Path
    seeds: Sequence[int] = (0,)
    overrides: tuple[str, ...] = ()
    keep_maps: bool = False

    def folder(self, run: Run) -> Path:
        """Return the folder of a run's checkpoint, configuration, logs and scores."""
        return self.out / "runs" / run.name / f"seed_{run.seed}"

    def checkpoint(self, run: Run) -> Path:
        """Return the path of a run's trained network."""
        return self.folder(run) / f"{run.system}.ckpt"

    def maps(self, method: str, seed: int, domain: str) -> Path:
        """Return the folder of the maps of a row of the table."""
        slug = method.replace(", ", "_").replace(" ", "_")
        return self.out / "maps_of_all" / slug / f"seed_{seed}" / domain

    def arguments(self, run: Run) -> list[str]:
        """Return the arguments of the training command."""
        variant = run.variant
        return [
            # Each process of DDP would be a comparison of its own, in the same folder.
            "--trainer.devices=1",
            *self.scenario.arguments((variant and variant.config) or run.system),
            f"--data.root={self.data.absolute()}",
            *self.overrides,
            *(variant.overrides if variant else ()),
            f"--seed_everything={run.seed}",
            f"--data.seed={run.seed}",
        ]

    def images(self, domain: str) -> list[Path]:
        """Return the images of the scenes on which a domain is evaluated."""
        return find_images(self.scenario.scenes(self.data, domain))

    def shown(self, domain: str) -> list[Path]:
        """Return the images of the scenes in the figures, spread over those of the domain."""
        images = self.images(domain)
        count = min(SHOWN, len(images))
        return [images[len(images) * number // count] for number in range(count)]


@dataclass(frozen=True)
class Outcome:
    """Outcome of a run.

    Attributes:
        run: The run.
        rows: Scores on all domains.
        checkpoint: Path of the trained network.
        seconds: Duration of the training, without iterations that an interruption undid.
        step: Median duration of an iteration in seconds, loading included.
        tasks: Settings of the predicted tasks.
    """

    run: Run
    rows: list[Row]
    checkpoint: Path
    seconds: float
    step: float = math.nan
    tasks: list[dict[str, Any]] = field(default_factory=list)


def find_images(scenes: Path) -> list[Path]:
    """Return the images of a folder of scenes or of street views."""
    return raster_files(scenes / "image") or frame_files(scenes / "image")


def select_runs(scenario: Scenario, names: Collection[str]) -> list[Run]:
    """Return runs of systems in the paper's order, then of other configurations of the scenario.

    Raises:
        InputError: If there is no such system or configuration.
    """
    more = [scenario.variant(name) for name in names if name not in SYSTEMS]
    return [
        *(Run(system) for system in system_names() if system in names),
        *(Run(system, variant=variant) for system, variant in more),
    ]
