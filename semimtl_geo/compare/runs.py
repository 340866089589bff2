"""The runs of a comparison, and their training, only as far as it is not done.

A run's folder says how far it is: ``run.json`` holds the settings that it was begun with,
``last.ckpt`` is there while it is being trained, ``<system>.ckpt`` when it has been, and
``scores/<domain>.json`` is what evaluation found. Each file appears whole. So a comparison that was
killed goes on where it was when it is started again.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from semimtl_geo.compare.files import read_json, write_json
from semimtl_geo.compare.scenario import ORDER, Scenario
from semimtl_geo.compare.table import Row
from semimtl_geo.compare.timekeeper import Timekeeper
from semimtl_geo.compare.variant import Variant
from semimtl_geo.configuration import Settings, settings_of
from semimtl_geo.data.frame_files import frame_files
from semimtl_geo.runs import LAST
from semimtl_geo.systems import SYSTEMS
from semimtl_geo.training import train
from tiles.errors import InputError
from tiles.scenes import raster_files

SHOWN: Final = 3
"""Scenes of each domain that the figures show."""

IDLE: Final = (
    "checkpoint.every",
    "data.workers",
    "out",
    "resume",
    "trainer.enable_progress_bar",
    "trainer.log_every_n_steps",
)
"""Settings that change nothing in what is trained."""

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
        *(Run(system) for system in ORDER if system in names),
        *(Run(system, variant=variant) for system, variant in more),
    ]


def check(job: Job, runs: Sequence[Run]) -> None:
    """Refuse, before anything is trained, what cannot be carried out.

    Raises:
        InputError: If data are missing, a run was begun with other settings, or shall be trained
            by several processes.
    """
    scenario = job.scenario
    splits = [(name, "train") for name in scenario.supervised]
    for domain, split in [*splits, *scenario.evaluate.items()]:
        folder = job.data / scenario.folders.get(domain, domain) / split
        if not images_of(folder):
            remedy = f"name another --root, or make them: {scenario.prepare}"
            raise InputError(folder / "image", "holds no images", remedy)
    for run in runs:
        settings = settings_of(job.arguments(run))
        if not _one_process(settings):
            # Each process of DDP would be a comparison of its own, in the same folder.
            fault = "a comparison trains each system in one process"
            remedy = "set trainer.devices to 1; --lanes trains systems side by side"
            raise InputError("trainer.devices", fault, remedy)
        _state(job.folder(run), settings)


def train_run(run: Run, job: Job, say: Say) -> tuple[float, float]:
    """Train a system, if it is not done.

    Args:
        run: The system, and the seed.
        job: What it has in common with others.
        say: Is told how far it is.

    Returns:
        The seconds that it took, and those of an iteration.

    Raises:
        InputError: If data or configuration cannot be used.
    """
    folder, args = job.folder(run), job.arguments(run)
    settings = settings_of(args)
    state = _state(folder, settings)
    last = folder / LAST
    if state and job.checkpoint(run).is_file() and not last.is_file():
        return float(state.get("seconds") or 0), float(state.get("step") or math.nan)
    resume = [f"--resume={last}"] if state and last.is_file() else []
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)

    def keep(seconds: float, **more: float) -> None:
        write_json(folder / "run.json", {"settings": settings, "seconds": seconds, **more})

    before = float(state.get("seconds") or 0) if resume else 0.0
    keep(before)
    title = run.title + (f", seed {run.seed}" if len(job.seeds) > 1 else "")
    report = Timekeeper(partial(say, f"train {title}", "iterations"), keep, before)
    train(
        [
            *args,
            f"--out={folder}",
            "--trainer.enable_progress_bar=false",
            "--trainer.enable_model_summary=false",
            *([] if "trainer.devices" in settings else ["--trainer.devices=1"]),
            *resume,
        ],
        [report],
    )
    seconds = report.seconds()
    keep(seconds, step=report.step())
    return seconds, report.step()


def _state(folder: Path, settings: Settings) -> dict[str, Any]:
    """What a run's folder says of it; empty if it was not begun.

    Raises:
        InputError: If it was begun with other settings.
    """
    state = read_json(folder / "run.json")
    if not state:
        return {}
    # As JSON has them, in which a tuple is a list.
    now = json.loads(json.dumps(settings, default=str))
    then = state.get("settings", {})
    differ = sorted(
        key for key in now.keys() | then.keys() if key not in IDLE and now.get(key) != then.get(key)
    )
    if differ:
        key, more = differ[0], f" and {len(differ) - 1} more" if len(differ) > 1 else ""
        fault = f"was begun with other settings ({key}: {then.get(key)}, now {now.get(key)}{more})"
        remedy = "delete this folder, or give another --out"
        if differ == ["data.root"]:
            remedy += "; if the same data were moved, put a link where they were"
        raise InputError(folder, fault, remedy)
    return state


def _one_process(settings: Settings) -> bool:
    """Whether a run is trained by the process that it is started in."""
    devices = settings.get("trainer.devices", 1)
    # As Lightning reads them: a number is how many; a list, or text with commas, is which ones.
    if isinstance(devices, str) and "," in devices:
        devices = [part for part in devices.split(",") if part.strip()]
    many = len(devices) if isinstance(devices, list) else devices
    return str(many) == "1" and settings.get("trainer.num_nodes", 1) == 1
