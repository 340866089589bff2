"""CSV and TensorBoard logs of a run, which a resumed run continues."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import Logger, TensorBoardLogger
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
    """
    events = folder / EVENTS
    replaced = list(events.glob("events.out.tfevents.*"))
    done: int | None = None
    if resumed is not None and resumed.resolve().parent == folder.resolve():
        done = int(torch.load(resumed, weights_only=True, mmap=True)["global_step"])
        replaced = []
    # Iterations after the checkpoint run again, so their earlier entries are purged. The suffix
    # distinguishes the file from that of an earlier run that began within the same second.
    tensorboard = TensorBoardLogger(
        folder,
        name=events.name,
        version="",
        purge_step=done,
        filename_suffix=f".{time.time_ns()}",
    )
    return [MetricsLogger(folder / METRICS, done, replaced), tensorboard]


class MetricsLogger(Logger):
    """Logger of a CSV file, which a resumed run continues and a new run replaces.

    Lightning's CSVLogger deletes the file of an earlier run, and empties it when columns are added.

    Args:
        file: The file.
        done: Iterations that the run continues from; rows of later ones are removed, as these run
            again. None if the run begins anew.
        replaced: Further logs of an earlier run. They and the rows to remove are kept until this
            run first logs: it may fail before, and another process may use the folder.
    """

    def __init__(self, file: Path, done: int | None = None, replaced: Iterable[Path] = ()) -> None:
        super().__init__()
        self._file, self._replaced = file, list(replaced)
        self._done = done if file.is_file() else None
        self._columns: list[str] = []
        self._new: list[dict[str, float]] = []

    @property
    def name(self) -> str:
        """Return an empty name, as the file is in the folder of the run."""
        return ""

    @property
    def version(self) -> str:
        """Return an empty version."""
        return ""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Remember metrics until they are saved."""
        while self._replaced:
            self._replaced.pop().unlink(missing_ok=True)
        if self._done is not None:
            self._truncate(self._done)
            self._done = None
        self._new.append({**metrics, "step": -1 if step is None else step})

    @rank_zero_only
    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: ``config.yaml`` has the settings."""

    @rank_zero_only
    def save(self) -> None:
        """Append what is new; if columns are added, replace the file."""
        if not self._new:
            return
        new = pd.DataFrame(self._new).astype(object)
        if set(new) <= set(self._columns):
            new = new.reindex(columns=self._columns)
            new.to_csv(self._file, mode="a", header=False, index=False)
        else:
            self._replace(pd.concat([self._read(), new]))
        self._new.clear()

    def _truncate(self, done: int) -> None:
        self._columns = ["step"]
        table = self._read()
        self._replace(table[pd.to_numeric(table["step"], errors="coerce") < done])

    def _read(self) -> pd.DataFrame:
        """Return what this run has in the file, as text, which keeps all digits."""
        return pd.read_csv(self._file, dtype=str) if self._columns else pd.DataFrame()

    def _replace(self, table: pd.DataFrame) -> None:
        with atomic_write(self._file) as part:
            table.to_csv(part, index=False)
        self._columns = [str(name) for name in table]
