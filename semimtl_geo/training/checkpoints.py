"""Checkpoints while a run lasts, and the named one at its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from semimtl_geo.training.card_entries import complete_card
from tiles.errors import InvalidValueError

LAST: Final = "last.ckpt"
"""Checkpoint of a run that is not finished."""


class Checkpoints(Checkpoint):
    """Callback that keeps ``last.ckpt`` during a run, and names it after the system at the end.

    Each checkpoint is written under another name and renamed, so that a whole one exists at any
    moment. (Lightning's ModelCheckpoint saves either within epochs or at their ends, and does not
    rename.)

    Args:
        folder: Folder of the run.
        name: Name of the system.
        every: Iterations between two checkpoints within an epoch; each epoch ends with one, too.
        tiles: Whether the tiles of maps are chosen on validation scenes at the end.

    Raises:
        InvalidValueError: If `every` is less than 1.
    """

    def __init__(self, folder: str, name: str, every: int = 500, tiles: bool = True) -> None:
        if every < 1:
            fault = f"must be >= 1 iteration, got {every}"
            raise InvalidValueError("checkpoint.every", fault, "give 1 or more")
        self.folder = Path(folder)
        self.name = name
        self.every = every
        self.tiles = tiles
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
        """Write the log of the iteration that was saved to the disk."""
        if self._unlogged:
            _flush(trainer)
            self._unlogged = False

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save after validation."""
        self._save(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Complete the model card, and rename the last checkpoint: the run is finished.

        Lightning also calls this where a resumed run has no iteration left.
        """
        last = self.folder / LAST
        if trainer.is_global_zero and last.is_file():
            complete_card(last, trainer, self.tiles)
            last.replace(self.folder / f"{self.name}.ckpt")
        trainer.strategy.barrier()

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Resume a run with ``max_steps`` between two epochs as one with ``max_epochs``.

        Lightning would assume that it stopped within the epoch, and would end that epoch twice.
        """
        # Lightning has no setting for it, so its method is replaced.
        trainer.fit_loop._iteration_based_training = lambda: False  # type: ignore[method-assign]

    def _save(self, trainer: Trainer) -> None:
        _flush(trainer)
        part = self.folder / f".{LAST}"  # for all processes, which save together
        trainer.save_checkpoint(part)
        if trainer.is_global_zero:
            part.replace(self.folder / LAST)


def _flush(trainer: Trainer) -> None:
    """Write all logs to the disk, so that a killed run can continue them."""
    for logger in trainer.loggers:
        logger.save()
