"""Manual optimisation with Lightning: steps of a generator and of its discriminators."""

from __future__ import annotations

from typing import Any, Final

import lightning
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.plugins.precision import MixedPrecision
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from semimtl_geo.learning.distributed import average_gradients
from semimtl_geo.learning.optimisation import Optimisation
from semimtl_geo.networks.generator import Generator
from tiles.errors import InputError

SCALER: Final = "semimtl_geo_scaler"
"""Key of the state of the loss scaling in a checkpoint."""


class AdversarialOptimisation(lightning.LightningModule):
    """Base class of modules that step a generator, and discriminators if there are any.

    Attributes:
        generator: The generator.
        discriminators: The discriminators, possibly none.
        optimisation: Optimisers and schedule.
        scaler: Scales losses, so that gradients in float16 do not vanish; does nothing in other
            precisions. A step whose gradients are not finite is left out.
    """

    generator: Generator
    discriminators: nn.ModuleDict
    optimisation: Optimisation

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.scaler = torch.amp.GradScaler(enabled=False)

    def setup(self, stage: str) -> None:
        """Take over the loss scaling of ``16-mixed``: Lightning's reaches one optimiser only."""
        plugin = self.trainer.precision_plugin
        if isinstance(plugin, MixedPrecision) and plugin.scaler is not None:
            self.scaler, plugin.scaler = plugin.scaler, None

    @property
    def loss_scale(self) -> Tensor | float:
        """The factor by which losses are multiplied; on the GPU, without waiting for it."""
        if not self.scaler.is_enabled():
            return 1.0
        scale = self.scaler.scale(torch.ones((), device=self.device))
        assert isinstance(scale, Tensor)  # noqa: S101 - one tensor was given
        return scale

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LRScheduler]]:
        """Return one optimiser for G, and one for all D where there are any (section 4.1)."""
        if self.trainer.max_epochs == -1 and self.trainer.max_steps == -1:
            fault, remedy = "the run has no end", "give max_steps or max_epochs, for the schedule"
            raise InputError("trainer", fault, remedy)
        generator = self.optimisation.generator_optimizer(self.generator.parameters())
        # Lightning draws chips to count the batches, so ask only once it knows where a resumed run
        # continues.
        schedule = self.optimisation.schedule(
            generator, lambda: int(self.trainer.estimated_stepping_batches)
        )
        if not len(self.discriminators):
            return [generator], [schedule]
        discriminators = self.optimisation.discriminator_optimizer(self.discriminators.parameters())
        return [generator, discriminators], [schedule]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the state of the loss scaling."""
        checkpoint[SCALER] = self.scaler.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the loss scale of a run that is resumed."""
        if self.scaler.is_enabled() and (state := checkpoint.get(SCALER)):
            self.scaler.load_state_dict(state)

    def _begin_step(self, optimizer: LightningOptimizer, counts: bool = False) -> None:
        """Reset gradients.

        Args:
            optimizer: The optimiser.
            counts: Whether Lightning counts the step as an iteration.
        """
        optimizer.zero_grad()
        if counts:
            # Lightning counts as iterations the steps that are made through it (max_steps,
            # checkpoints, logs). One without gradients changes nothing.
            optimizer.step()

    def _add_gradients(self, optimizer: LightningOptimizer, losses: list[Tensor]) -> None:
        """Add the gradients of the sum of losses."""
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        loss = self.scaler.scale(torch.stack(losses).sum())
        self.manual_backward(loss, inputs=weights)

    def _end_step(self, optimizer: LightningOptimizer, clip: float | None = None) -> None:
        """Step with the gradients, whose norm is clipped to `clip`, if it is given."""
        average_gradients(optimizer.optimizer)
        self.scaler.unscale_(optimizer.optimizer)
        if clip is not None:
            self.clip_gradients(optimizer.optimizer, clip, "norm")
        self.scaler.step(optimizer.optimizer)
        self.scaler.update()

    def _schedule(self) -> LRScheduler:
        schedule = self.lr_schedulers()
        assert isinstance(schedule, LRScheduler)  # noqa: S101 - configure_optimizers makes one
        return schedule

    def _optimizers(self) -> list[LightningOptimizer]:
        optimizers = self.optimizers()
        return optimizers if isinstance(optimizers, list) else [optimizers]
