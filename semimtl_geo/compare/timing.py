"""How far a training is, and how long it takes."""

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
    """Tells how far training is, and keeps the time.

    Args:
        say: Takes iterations done, and how many there are.
        keep: Takes the seconds that training took, at each checkpoint.
        before: What it took before it was interrupted.
    """

    def __init__(self, say: ProgressCallback, keep: Callable[[float], None], before: float) -> None:
        self.say = say
        self.keep = keep
        self.times: list[float] = []
        self.started = time.monotonic() - before

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        """Tell how far it is."""
        self.times.append(time.monotonic())
        self.say(trainer.global_step, int(trainer.estimated_stepping_batches))

    def on_save_checkpoint(self, *args: Any) -> None:
        """Keep the seconds so far."""
        # Not into the checkpoint, whose bytes shall not depend on the machine.
        self.keep(self.seconds())

    def seconds(self) -> float:
        """That training has taken, before an interruption as well."""
        return time.monotonic() - self.started

    def step(self) -> float:
        """Median seconds of an iteration, from the end of the one before to its own."""
        steps = [after - before for before, after in pairwise(self.times)]
        return median(steps) if steps else math.nan
