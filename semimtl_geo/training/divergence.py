"""Stopping a training run whose losses or weights are no longer finite."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from semimtl_geo.training.logs import logs_now
from tiles.errors import InputError

REMEDY = "lower model.optimisation.lr, or set model.optimisation.clip; the last checkpoint is kept"


class StopAtDivergence(Callback):
    """Callback that stops a training whose losses or weights are infinite or NaN.

    It looks at the losses as often as they are logged, and at the weights before each checkpoint
    is written, so that the last checkpoint is of a network that works.

    Example:
        >>> import lightning
        >>> trainer = lightning.Trainer(callbacks=[StopAtDivergence()], logger=False)
    """

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        """Look at the losses in iterations that are logged.

        Raises:
            InputError: If one is not finite.
        """
        if not logs_now(trainer):
            return
        losses = {k: v for k, v in trainer.callback_metrics.items() if k.startswith("train/")}
        if losses and not torch.stack([v.float() for v in losses.values()]).isfinite().all():
            name, value = next((k, v) for k, v in losses.items() if not v.isfinite())
            steps = trainer.global_step
            fault = f"is no longer finite ({float(value)}) after {steps} iterations"
            raise InputError(name, fault, REMEDY)

    def on_save_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Look at the weights.

        Raises:
            InputError: If one is not finite.
        """
        for name, value in checkpoint["state_dict"].items():
            if value.is_floating_point() and not value.isfinite().all():
                raise InputError(name, "has weights that are no longer finite", REMEDY)
