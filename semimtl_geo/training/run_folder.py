"""The folder of a run: its settings, and where an interrupted run continues.

``last.ckpt`` belongs to a run that is not finished, ``<system>.ckpt`` to one that is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from lightning.pytorch.utilities import rank_zero_only

from semimtl_geo.networks.checkpoint import load_generator
from semimtl_geo.networks.weights import read_state_dict
from semimtl_geo.training.checkpoints import LAST
from tiles.errors import InputError, input_errors
from tiles.files import locked
from tiles.settings import check_same_settings, read_yaml

CONFIG: Final = "config.yaml"

DECISIVE: Final = ("model", "data", "seed_everything")
"""Groups of settings that change what is learnt."""

DECISIVE_OF_TRAINER: Final = (
    "max_epochs",
    "max_steps",
    "precision",
    "devices",  # batch sizes are per process
    "num_nodes",
    "sync_batchnorm",
)
"""Settings of the trainer that change what is learnt."""

IRRELEVANT: Final = ("data.workers",)
"""Settings in the decisive groups that do not change what is learnt."""


def find_start(out: Path, settings: Mapping[str, Any], resume: Path | None = None) -> Path | None:
    """Create the folder of a run, and find the checkpoint that the run continues from.

    Args:
        out: Folder of the run.
        settings: All settings of the run, in groups as in ``config.yaml``.
        resume: A checkpoint that the user wants to continue from, with any settings.

    Returns:
        The checkpoint, or None if the run begins anew.

    Raises:
        InputError: If the folder cannot be created, the checkpoint cannot be used, or another run
            was interrupted in the folder, whose work would be lost.
    """
    with input_errors(out, "cannot be created", "choose another folder for the run"):
        out.mkdir(parents=True, exist_ok=True)
    start, last = resume, out / LAST
    if resume is not None and last.is_file() and resume.resolve() != last.resolve():
        fault = "belongs to an unfinished run, which would be lost"
        raise InputError(last, fault, "choose another folder, resume from it, or delete it")
    if resume is None and last.is_file():
        start = last
        remedy = "resume from it explicitly, choose another folder, or delete it"
        before, now = (_decisive(run) for run in (read_settings(out), settings))
        check_same_settings(start, before, now, remedy=remedy, ignored=IRRELEVANT)
    if start is not None:
        load_generator(start)  # names a fault of the checkpoint before Lightning reads it
        if "optimizer_states" not in read_state_dict(start):
            fault = "holds no optimiser states, so that training cannot continue from it"
            raise InputError(start, fault, "give a last.ckpt, or fine-tune with --model.start")
        _report(f"resuming from {start}")
    return start


@contextmanager
def locked_run(out: Path) -> Iterator[None]:
    """Exclude other trainings from the folder of a run: its log would be a mixture.

    Args:
        out: Folder of the run, which exists.

    Raises:
        InputError: If another process trains there.
    """
    # The other processes of a distributed training belong to the first one.
    if getattr(rank_zero_only, "rank", 0) != 0:
        yield
        return
    with locked(out / ".train.lock", out, "wait until it ends, or choose another folder"):
        yield


def read_settings(out: Path) -> Mapping[str, Any]:
    """Return the settings that a run left in its folder; none if there is no such file."""
    path = out / CONFIG
    content = read_yaml(path) if path.is_file() else None
    return content if isinstance(content, Mapping) else {}


def _decisive(settings: Mapping[str, Any]) -> dict[str, Any]:
    trainer = settings.get("trainer") or {}
    return {name: settings.get(name) for name in DECISIVE} | {
        "trainer": {name: trainer.get(name) for name in DECISIVE_OF_TRAINER}
    }


@rank_zero_only
def _report(line: str) -> None:
    print(line)
