"""Early warning of a discriminator that no longer teaches, and of uniform predictions."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from semimtl_geo.training.logs import logs_now


class TrainingWarning(UserWarning):
    """Warning that training continues, but is unlikely to succeed."""


class CollapseWarning(Callback):
    """Callback that warns once of each of two ways in which adversarial training collapses.

    It reads logged values, as often as they are logged: the diagonal of a discriminator's confusion
    matrix, and the variety of predictions on unlabelled domains
    (:meth:`semimtl_geo.tasks.Task.variety`). Each warning is logged as ``collapse/<subject>``.

    Args:
        perfect: A discriminator that recognises at least this share of the pixels of every source
            gives the generator next to no gradient (Arjovsky and Bottou, ICLR 2017).
        uniform: Predictions are degenerate if their variety is at most this: all pixels but this
            share are of one class, or the standard deviation is this share of the task's scale.
        patience: Iterations that a collapse must last before it is reported.

    Example:
        >>> callback = CollapseWarning(patience=100)
        >>> callback.state_dict()
        {'since': {}, 'reported': []}
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
        self.reported: list[str] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        """Look for a collapse in iterations that are logged."""
        if not logs_now(trainer):
            return
        symptoms = self._symptoms(trainer.callback_metrics)
        self.since = {name: self.since.get(name, trainer.global_step) for name in symptoms}
        for name, since in self.since.items():
            if trainer.global_step - since >= self.patience and name not in self.reported:
                self.reported.append(name)
                pl_module.log(f"collapse/{name}", 1.0)
                if trainer.is_global_zero:
                    duration = f"iterations {since} to {trainer.global_step}"
                    warnings.warn(f"{symptoms[name]} ({duration})", TrainingWarning, stacklevel=1)

    def _symptoms(self, metrics: dict[str, Tensor]) -> dict[str, str]:
        """Return a description of each symptom of a collapse, by its subject."""
        names = [name for name in metrics if name.endswith("/variety") or _is_diagonal(name)]
        if not names:
            return {}
        values = torch.stack([metrics[name].detach().float() for name in names]).tolist()
        recognised: dict[str, float] = {}
        symptoms = {}
        for name, value in zip(names, values, strict=True):
            kind, *subject = name.split("/")
            if kind == "confusion":
                recognised[subject[0]] = min(value, recognised.get(subject[0], 1.0))
            elif value <= self.uniform:
                domain, task = subject[:2]
                symptoms[f"{domain}/{task}"] = (
                    f"{task} on {domain}, which has no labels for it, is predicted nearly the same "
                    f"everywhere (variety {value:.4f}); lower model.adversarial.inter"
                )
        for task, share in recognised.items():
            if share >= self.perfect:
                symptoms[task] = (
                    f"the discriminator of {task} recognises {100 * share:.1f} % of every source: "
                    "the generator learns nothing from it; "
                    "lower model.optimisation.discriminator_lr"
                )
        return symptoms

    def state_dict(self) -> dict[str, Any]:
        """Return the state that a resumed run needs."""
        return {"since": dict(self.since), "reported": list(self.reported)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the result of :meth:`state_dict`."""
        self.since, self.reported = dict(state_dict["since"]), list(state_dict["reported"])


def _is_diagonal(name: str) -> bool:
    """Return whether a logged name is the share of a source that is recognised as itself."""
    kind, _, entry = name.rpartition("/")
    source, _, recognised_as = entry.partition(" as ")
    return kind.startswith("confusion/") and source == recognised_as
