"""Early warning: an adversary that has stopped teaching, predictions that have become all alike."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from semimtl_geo.training.module import logs_now


class TrainingWarning(UserWarning):
    """Training goes on, but is unlikely to lead anywhere."""


class Watch(Callback):
    """Warns once of each of two ways in which adversarial training collapses.

    It looks at what is logged anyway, as often as that is: the diagonal of a discriminator's
    confusion, and the variety of predictions on unlabelled domains
    (:meth:`semimtl_geo.tasks.Task.variety`). What is found is logged as ``collapse/<what>``.

    Args:
        perfect: A discriminator that recognises at least this share of the pixels of every source
            gives the generator next to no gradient (Arjovsky and Bottou, ICLR 2017).
        uniform: Predictions are degenerate whose variety is at most this: all pixels but this share
            are of one class, or the standard deviation is this share of the task's scale.
        patience: Iterations that it must have lasted.
    """

    def __init__(
        self,
        perfect: float = 0.99,
        uniform: float = 0.005,
        patience: int = 300,
    ) -> None:
        self.perfect = perfect
        self.uniform = uniform
        self.patience = patience
        self.since: dict[str, int] = {}
        self.told: list[str] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        """Look, where there is something new."""
        if not logs_now(trainer):
            return
        doubts = self._doubts(trainer.callback_metrics)
        self.since = {name: self.since.get(name, trainer.global_step) for name in doubts}
        for name, since in self.since.items():
            if trainer.global_step - since >= self.patience and name not in self.told:
                self.told.append(name)
                pl_module.log(f"collapse/{name}", 1.0)
                if trainer.is_global_zero:
                    lasted = f"iterations {since} to {trainer.global_step}"
                    warnings.warn(f"{doubts[name]} ({lasted})", TrainingWarning, stacklevel=1)

    def _doubts(self, metrics: dict[str, Tensor]) -> dict[str, str]:
        """What looks wrong now, and how to say it."""
        names = [name for name in metrics if name.endswith("/variety") or _is_diagonal(name)]
        if not names:
            return {}
        values = torch.stack([metrics[name].detach().float() for name in names]).tolist()
        recognised: dict[str, float] = {}
        doubts = {}
        for name, value in zip(names, values, strict=True):
            kind, *where = name.split("/")
            if kind == "confusion":
                recognised[where[0]] = min(value, recognised.get(where[0], 1.0))
            elif value <= self.uniform:
                domain, task = where[:2]
                doubts[f"{domain}/{task}"] = (
                    f"{task} on {domain}, which has no labels for it, is predicted nearly the same "
                    f"everywhere (variety {value:.4f}); lower adversarial.inter"
                )
        for task, share in recognised.items():
            if share >= self.perfect:
                doubts[task] = (
                    f"the discriminator of {task} recognises {100 * share:.1f} % of every source: "
                    "the generator learns nothing from it; lower optimisation.discriminator_lr"
                )
        return doubts

    def state_dict(self) -> dict[str, Any]:
        """What a run that is continued must know."""
        return {"since": dict(self.since), "told": list(self.told)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Undo :meth:`state_dict`."""
        self.since, self.told = dict(state_dict["since"]), list(state_dict["told"])


def _is_diagonal(name: str) -> bool:
    """Whether a logged name is the share of a source that is taken for itself."""
    kind, _, entry = name.rpartition("/")
    source, _, taken = entry.partition(" as ")
    return kind.startswith("confusion/") and source == taken
