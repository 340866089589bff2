"""Progress and duration of a training."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from tiles.types import ProgressCallback


class Timekeeper(Callback):
    """Callback that reports the progress of training and measures its duration.

    Args:
        report_progress: Function of the numbers of finished and of all iterations.
        keep: Function that is called with the duration in seconds at each checkpoint.
        before: Seconds before the interruption.
    """

    def __init__(
        self, report_progress: ProgressCallback, keep: Callable[[float], None], before: float
    ) -> None:
        self.report_progress = report_progress
        self.keep = keep
        self.times: list[float] = []
        self.started = time.monotonic() - before

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        """Report the progress."""
        self.times.append(time.monotonic())
        self.report_progress(trainer.global_step, int(trainer.estimated_stepping_batches))

    def on_save_checkpoint(self, *args: Any) -> None:
        """Pass on the duration so far."""
        # It is not stored in the checkpoint, whose bytes must not depend on the machine.
        self.keep(self.seconds())

    def seconds(self) -> float:
        """Return the seconds that training took, including those before an interruption."""
        return time.monotonic() - self.started

    def step(self) -> float:
        """Return the median duration of an iteration, from the end of the previous one."""
        steps = [after - before for before, after in pairwise(self.times)]
        return median(steps) if steps else math.nan
