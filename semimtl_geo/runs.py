"""The folder of a run: checkpoints, configuration and logs, and how an interrupted run goes on.

``last.ckpt`` is of a run that is not finished, ``<system>.ckpt`` of one that is.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import torch
import yaml
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.utilities import rank_zero_only

from tiles.aside import aside
from tiles.errors import InputError

LAST: Final = "last.ckpt"
CONFIG: Final = "config.yaml"
METRICS: Final = "metrics.csv"

SHAPING: Final = ("max_epochs", "max_steps", "precision", "limit_train_batches")
"""The settings of the trainer that change what is learnt."""


class Checkpoints(Checkpoint):
    """Keeps ``last.ckpt`` while a run lasts, and names it after the system at its end.

    Each is written aside and renamed, so that there is a whole one at any moment.

    Args:
        folder: The run's folder.
        name: The system's.
        every: Iterations between two checkpoints within an epoch; there is one after each, too.
    """

    def __init__(self, folder: str, name: str, every: int = 500) -> None:
        if every < 1:
            raise InputError("checkpoint.every", f"{every} is none", "give 1 or more")
        self.folder = Path(folder)
        self.name = name
        self.every = every
        self._unlogged = False

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        """Save within an epoch; its last iteration is saved after validation."""
        within = not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
        if within and trainer.global_step % self.every == 0:
            self._save(trainer)
            self._unlogged = True  # Lightning logs this iteration after this hook

    def on_train_batch_start(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        """Bring the log of the iteration that was saved to the disk."""
        if self._unlogged:
            _flush(trainer)
            self._unlogged = False

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save after validation."""
        self._save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The run is finished."""
        last = self.folder / LAST
        if trainer.is_global_zero and last.is_file():
            last.replace(self.folder / f"{self.name}.ckpt")
        trainer.strategy.barrier()

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Let a run with ``max_steps`` go on between two epochs as one with ``max_epochs`` does.

        Lightning would take it for one that stopped within the epoch, and end that epoch twice.
        """
        # Lightning has no setting for it.
        trainer.fit_loop._iteration_based_training = lambda: False  # type: ignore[method-assign]

    def _save(self, trainer: Trainer) -> None:
        if trainer.fast_dev_run:  # type: ignore[attr-defined]  # Lightning's, without a type
            return
        _flush(trainer)
        part = self.folder / f".{LAST}"  # for all processes, which save together
        trainer.save_checkpoint(part)
        if trainer.is_global_zero:
            part.replace(self.folder / LAST)


def _flush(trainer: Trainer) -> None:
    """What is logged shall be on the disk, or a run that is killed could not go on with its log."""
    for logger in trainer.loggers:
        logger.save()


def unfinished(folder: Path, config: str) -> Path | None:
    """The checkpoint from which a run in this folder goes on, if there is one.

    Args:
        folder: The run's folder.
        config: The configuration of the run that is to be started, as YAML.

    Raises:
        InputError: If another run was interrupted there, whose work would be lost.
    """
    last = folder / LAST
    if not last.is_file():
        return None
    found: Any = None
    if (folder / CONFIG).is_file():
        found = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    other = next(_differences(found or {}, yaml.safe_load(config)), None)
    if other is not None:
        fault = f"holds an unfinished run with other settings ({other})"
        remedy = f"go on with it: --resume {last}; or choose another --out, or delete it"
        raise InputError(folder, fault, remedy)
    return last


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    """Names of the settings that change what is learnt, and differ."""
    pairs: list[tuple[str, Any, Any]] = [
        (name, one.get(name), other.get(name)) for name in ("model", "data", "seed_everything")
    ]
    trainers = [side.get("trainer") or {} for side in (one, other)]
    for name in SHAPING:
        left, right = (trainer.get(name) for trainer in trainers)
        pairs.append((f"trainer.{name}", left, right))
    while pairs:
        name, left, right = pairs.pop(0)
        if name == "data.workers":
            continue
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            pairs += [
                (f"{name}.{key}", left.get(key), right.get(key))
                for key in sorted({*left, *right}, key=str)
            ]
        elif left != right:
            yield name


def loggers(folder: Path, resumed: Path | None) -> list[Logger]:
    """CSV and TensorBoard logs in a run's folder; those of a run that goes on are continued.

    Args:
        folder: The run's folder.
        resumed: The checkpoint that it goes on from.

    Raises:
        InputError: If the checkpoint cannot be read.
    """
    events = folder / "tensorboard"
    done: int | None = None
    if resumed is not None and resumed.resolve().parent == folder.resolve():
        done = int(torch.load(resumed, weights_only=True, mmap=True)["global_step"])
    _prepare_logs(folder / METRICS, events, done)
    # Purged: what was logged after the checkpoint, and comes again.
    tensorboard = TensorBoardLogger(folder, name=events.name, version="", purge_step=done)
    return [_Csv(folder, name="", version=""), tensorboard]


@rank_zero_only  # other processes start later, when the logs are in use
def _prepare_logs(metrics: Path, events: Path, done: int | None) -> None:
    """Delete old logs, or leave out what was logged after so many iterations and comes again."""
    if done is None:
        for old in (metrics, *events.glob("events.out.tfevents.*")):
            old.unlink(missing_ok=True)
        return
    if not metrics.is_file():
        return
    with metrics.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = [row for row in reader if (row["step"] or "").isdigit() and int(row["step"]) < done]
        names = reader.fieldnames or []
    with aside(metrics) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


class _Csv(CSVLogger):
    """Lightning's, which deletes the file that is there, made to append to it."""

    @property
    def experiment(self) -> Any:
        """The writer."""
        if self._experiment is None:
            self._experiment = _Appending(self.log_dir)
        return super().experiment


class _Appending(ExperimentWriter):
    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        metrics = Path(self.metrics_file_path)
        if metrics.is_file():
            with metrics.open(newline="", encoding="utf-8") as file:
                self.metrics_keys = next(csv.reader(file), [])

    def _check_log_dir_exists(self) -> None:
        """Delete nothing."""
