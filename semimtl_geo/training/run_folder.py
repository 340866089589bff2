"""The folder of a run: checkpoints, configuration and logs, and how an interrupted run goes on.

``last.ckpt`` is of a run that is not finished, ``<system>.ckpt`` of one that is.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
import yaml
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.utilities import rank_zero_only

from tiles.errors import InputError
from tiles.files import aside

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
        for logger in trainer.loggers:
            if isinstance(logger, _Csv):
                logger.forget()
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
        # Lightning has no setting for it, so its method is replaced.
        trainer.fit_loop._iteration_based_training = lambda: False  # type: ignore[method-assign]  # so

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
    metrics, events = folder / METRICS, folder / "tensorboard"
    old = [metrics, *events.glob("events.out.tfevents.*")]
    done: int | None = None
    if resumed is not None and resumed.resolve().parent == folder.resolve():
        done = int(torch.load(resumed, weights_only=True, mmap=True)["global_step"])
        _cut(metrics, done)
        old = []
    # Purged: what was logged after the checkpoint, and comes again. The suffix tells the file from
    # one of an earlier run that began within the same second.
    tensorboard = TensorBoardLogger(
        folder,
        name=events.name,
        version="",
        purge_step=done,
        filename_suffix=f".{time.time_ns()}",
    )
    return [_Csv(folder, old), tensorboard]


@rank_zero_only  # other processes start later, when the log is in use
def _cut(metrics: Path, done: int) -> None:
    """Leave out what was logged after so many iterations, and comes again."""
    if metrics.is_file():
        names, rows = _read(metrics)
        kept = [row for row in rows if (row["step"] or "").isdigit() and int(row["step"]) < done]
        _write(metrics, names, kept)


def _read(metrics: Path) -> tuple[Sequence[str], list[dict[str, str]]]:
    with metrics.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        return reader.fieldnames or [], list(reader)


def _write(metrics: Path, names: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    with aside(metrics) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


class _Csv(CSVLogger):
    """Lightning's, which deletes the file that is there, made to append to it.

    Args:
        folder: The run's folder.
        old: Logs of an earlier run there. They are kept until an iteration of this one is done: it
            may fail before.
    """

    def __init__(self, folder: Path, old: Iterable[Path]) -> None:
        super().__init__(folder, name="", version="")
        self._old = list(old)

    @property
    def experiment(self) -> Any:
        """The writer."""
        if self._experiment is None:
            self._experiment = _Appending(self.log_dir, anew=bool(self._old))
        return super().experiment

    @rank_zero_only
    def forget(self) -> None:
        """Delete the logs of an earlier run."""
        while self._old:
            self._old.pop().unlink(missing_ok=True)


class _Appending(ExperimentWriter):
    def __init__(self, folder: str, anew: bool) -> None:
        super().__init__(folder)
        metrics = Path(self.metrics_file_path)
        if metrics.is_file() and not anew:
            self.metrics_keys = list(_read(metrics)[0])

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        """Lightning's empties the file first, which a kill would leave so."""
        metrics = Path(self.metrics_file_path)
        _write(metrics, fieldnames, _read(metrics)[1])

    def _check_log_dir_exists(self) -> None:
        """Delete nothing."""
