"""CSV and TensorBoard logs of a run, which a resumed run continues."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.loggers.csv_logs import ExperimentWriter
from lightning.pytorch.utilities import rank_zero_only

from tiles.files import atomic_write

METRICS: Final = "metrics.csv"
EVENTS: Final = "tensorboard"


def logs_now(trainer: Trainer) -> bool:
    """Return whether Lightning logs the iteration that has just stepped."""
    interval = int(trainer.log_every_n_steps)  # type: ignore[attr-defined]  # set without a type
    return interval > 0 and trainer.global_step % interval == 0


def make_loggers(folder: Path, resumed: Path | None) -> list[Logger]:
    """Make CSV and TensorBoard loggers that write to the folder of a run.

    Args:
        folder: Folder of the run.
        resumed: The checkpoint that the run continues from. If it lies in the folder, its logs are
            continued; otherwise the logs in the folder are replaced.

    Raises:
        InputError: If the checkpoint cannot be read.
    """
    metrics, events = folder / METRICS, folder / EVENTS
    replaced = [metrics, *events.glob("events.out.tfevents.*")]
    done: int | None = None
    if resumed is not None and resumed.resolve().parent == folder.resolve():
        done = int(torch.load(resumed, weights_only=True, mmap=True)["global_step"])
        _truncate(metrics, done)
        replaced = []
    # What was logged after the checkpoint comes again, and is purged. The suffix distinguishes the
    # file from that of an earlier run that began within the same second.
    tensorboard = TensorBoardLogger(
        folder,
        name=events.name,
        version="",
        purge_step=done,
        filename_suffix=f".{time.time_ns()}",
    )
    return [AppendingCSVLogger(folder, replaced), tensorboard]


@rank_zero_only  # other processes start later, when the log is in use
def _truncate(metrics: Path, done: int) -> None:
    """Remove what was logged after so many iterations, and will be logged again."""
    if metrics.is_file():
        names, rows = _read(metrics)
        rows = [row for row in rows if (row["step"] or "").isdigit() and int(row["step"]) < done]
        _write(metrics, names, rows)


def _read(metrics: Path) -> tuple[Sequence[str], list[dict[str, str]]]:
    with metrics.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        return reader.fieldnames or [], list(reader)


def _write(metrics: Path, names: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    with atomic_write(metrics) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)


class AppendingCSVLogger(CSVLogger):
    """Lightning's CSVLogger, which deletes an existing file, made to append to it.

    Args:
        folder: Folder of the run.
        replaced: Logs of an earlier run in the folder. They are kept until the first iteration of
            this run is done, because it may fail before.
    """

    def __init__(self, folder: Path, replaced: Iterable[Path]) -> None:
        super().__init__(folder, name="", version="")
        self._replaced = list(replaced)

    @property
    def experiment(self) -> Any:
        """The writer of the file."""
        if self._experiment is None:
            self._experiment = _AppendingWriter(self.log_dir, replace=bool(self._replaced))
        return super().experiment

    @rank_zero_only
    def delete_replaced(self) -> None:
        """Delete the logs of an earlier run."""
        while self._replaced:
            self._replaced.pop().unlink(missing_ok=True)


class _AppendingWriter(ExperimentWriter):
    def __init__(self, folder: str, replace: bool) -> None:
        super().__init__(folder)
        metrics = Path(self.metrics_file_path)
        if metrics.is_file() and not replace:
            self.metrics_keys = list(_read(metrics)[0])

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        """Write the file anew under another name: Lightning empties it first, and may be killed."""
        metrics = Path(self.metrics_file_path)
        _write(metrics, fieldnames, _read(metrics)[1])

    def _check_log_dir_exists(self) -> None:
        """Keep the files of an earlier run, which Lightning deletes here."""
