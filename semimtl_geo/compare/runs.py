"""Training of the runs of a comparison, which continues after an interruption.

The folder of a run holds its state: ``run.json`` has the settings that it was begun with,
``last.ckpt`` exists during training, ``<system>.ckpt`` after it, and ``scores/<domain>.json`` after
evaluation. Each file is written atomically.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from semimtl_geo.compare.comparison import Comparison, ReportProgress, Run, find_images
from semimtl_geo.compare.timing import Timekeeper
from semimtl_geo.training.checkpoints import LAST
from semimtl_geo.training.cli import parse_settings, train
from tiles.errors import InputError
from tiles.files import write_text
from tiles.settings import changed_settings, check_same_settings

IGNORED_SETTINGS: Final = (
    "checkpoint.every",
    "data.workers",
    "trainer.enable_progress_bar",
    "trainer.log_every_n_steps",
)
"""Settings that do not affect the trained network."""


def check_runs(comparison: Comparison, runs: Sequence[Run]) -> None:
    """Check data, settings and earlier runs before anything is trained.

    Raises:
        InputError: If data are missing, if a run was begun with other settings, or if it is to be
            trained by several processes.
    """
    scenario = comparison.scenario
    splits = [(name, "train") for name in scenario.supervised]
    for domain, split in [*splits, *scenario.evaluate.items()]:
        folder = comparison.data / scenario.folders.get(domain, domain) / split
        if not find_images(folder):
            remedy = f"name another --root, or make them: {scenario.prepare}"
            raise InputError(folder / "image", "holds no images", remedy)
    for run in runs:
        settings = parse_settings(comparison.arguments(run))
        if not _one_process(settings):
            fault = "a comparison trains each system in one process"
            remedy = "set trainer.devices to 1; --parallel trains several systems at once"
            raise InputError("trainer.devices", fault, remedy)
        _read_state(comparison.folder(run), settings)


def train_run(
    run: Run, comparison: Comparison, report_progress: ReportProgress
) -> tuple[float, float]:
    """Train a system unless it is trained already.

    Args:
        run: The system, and the seed.
        comparison: Settings that all runs share.
        report_progress: Function that is called with the progress.

    Returns:
        Duration of the training and of an iteration in seconds.

    Raises:
        InputError: If data or configuration cannot be used.
    """
    folder, args = comparison.folder(run), comparison.arguments(run)
    settings = parse_settings(args)
    state = _read_state(folder, settings)
    last = folder / LAST
    if state and comparison.checkpoint(run).is_file() and not last.is_file():
        return float(state.get("seconds") or 0), float(state.get("step") or math.nan)
    resume = [f"--resume={last}"] if state and last.is_file() else []
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)

    def keep(seconds: float, **more: float) -> None:
        write_json(folder / "run.json", {"settings": settings, "seconds": seconds, **more})

    before = float(state.get("seconds") or 0) if resume else 0.0
    keep(before)
    title = run.title + (f", seed {run.seed}" if len(comparison.seeds) > 1 else "")
    report = Timekeeper(partial(report_progress, f"train {title}", "iterations"), keep, before)
    train(
        [
            *args,
            f"--out={folder}",
            "--trainer.enable_progress_bar=false",
            "--trainer.enable_model_summary=false",
            *resume,
        ],
        [report],
    )
    seconds = report.seconds()
    keep(seconds, step=report.step())
    return seconds, report.step()


def _read_state(folder: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the recorded state of a run; empty if it was not started.

    Raises:
        InputError: If it was begun with other settings.
    """
    state = read_json(folder / "run.json")
    if not state or not any(folder.glob("*.ckpt")):  # nothing was trained yet
        return {}
    before = state.get("settings", {})
    remedy = "delete this folder, or give another --out"
    if set(changed_settings(before, settings, IGNORED_SETTINGS)) == {"data.root"}:
        remedy += "; if the same data were moved, link them to their old place"
    check_same_settings(folder, before, settings, remedy=remedy, ignored=IGNORED_SETTINGS)
    return state


def _one_process(settings: Mapping[str, Any]) -> bool:
    """Return whether a run is trained in the process that starts it."""
    trainer = settings["trainer"]
    devices = trainer["devices"]
    # Lightning takes a number for a count, and a list or text with commas for device numbers.
    if isinstance(devices, str) and "," in devices:
        devices = [part for part in devices.split(",") if part.strip()]
    many = len(devices) if isinstance(devices, list) else devices
    return str(many) == "1" and trainer["num_nodes"] == 1


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file of a run; return an empty dictionary if it is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file atomically.

    Raises:
        InputError: If it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(content, indent=1, default=str) + "\n")
    except OSError as error:
        fault = f"cannot be written ({error.strerror})"
        raise InputError(path, fault, "choose another --out") from error
