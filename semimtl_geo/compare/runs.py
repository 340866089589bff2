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
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from semimtl_geo.compare.job import Job, Run, Say, images_of
from semimtl_geo.compare.timing import Timekeeper
from semimtl_geo.training.checkpoints import LAST
from semimtl_geo.training.cli import train
from semimtl_geo.training.configuration import Settings, settings_of
from tiles.errors import InputError
from tiles.files import write_text

IDLE: Final = (
    "checkpoint.every",
    "data.workers",
    "out",
    "resume",
    "trainer.enable_progress_bar",
    "trainer.log_every_n_steps",
)
"""Settings that change nothing in what is trained."""


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


def read_json(path: Path) -> dict[str, Any]:
    """A file of ours; empty if there is none, or it is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file, whole or not at all.

    Raises:
        InputError: If it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(content, indent=1, default=str) + "\n")
    except OSError as error:
        fault = f"cannot be written ({error.strerror})"
        raise InputError(path, fault, "choose another --out") from error
