"""Manual optimisation with Lightning: steps of a generator and of its discriminators."""

from __future__ import annotations

import lightning
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from semimtl_geo.learning.distributed import average_gradients
from semimtl_geo.learning.optimisation import Optimisation
from semimtl_geo.networks.generator import Generator
from tiles.errors import InputError, InvalidValueError


class AdversarialOptimisation(lightning.LightningModule):
    """Base class of modules that step a generator, and discriminators if there are any.

    Attributes:
        generator: The generator.
        discriminators: The discriminators, possibly none.
        optimisation: Optimisers and schedule.
    """

    generator: Generator
    discriminators: nn.ModuleDict
    optimisation: Optimisation

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LRScheduler]]:
        """Return one optimiser for G, and one for all D where there are any (section 4.1)."""
        if self.trainer.precision == "16-mixed":
            # Its loss scaling reaches an optimiser only by Lightning's step, see _step.
            raise InvalidValueError("precision 16-mixed", "is not supported", "use bf16-mixed")
        if self.trainer.max_epochs == -1 and self.trainer.max_steps == -1:
            fault, remedy = "the run has no end", "give max_steps or max_epochs, for the schedule"
            raise InputError("trainer", fault, remedy)
        generator = self.optimisation.of_generator(self.generator.parameters())
        # Lightning draws chips to count the batches, so ask only once it knows where a resumed run
        # continues.
        schedule = self.optimisation.schedule(
            generator, lambda: int(self.trainer.estimated_stepping_batches)
        )
        if not len(self.discriminators):
            return [generator], [schedule]
        discriminators = self.optimisation.of_discriminators(self.discriminators.parameters())
        return [generator, discriminators], [schedule]

    def _step(
        self,
        optimizer: LightningOptimizer,
        losses: list[Tensor],
        clip: float | None = None,
        counts: bool = False,
    ) -> None:
        """Make one step of an optimiser.

        Args:
            optimizer: The optimiser.
            losses: Losses, which are summed.
            clip: Largest norm of the gradient, if it is clipped.
            counts: Whether Lightning counts the step as an iteration.
        """
        optimizer.zero_grad()
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        self.manual_backward(torch.stack(losses).sum(), inputs=weights)
        average_gradients(optimizer.optimizer)
        if clip is not None:
            self.clip_gradients(optimizer.optimizer, clip, "norm")
        # Lightning takes the number of steps that are made through it for the number of iterations
        # (max_steps, checkpoints, logs), so only one step of an iteration goes through it.
        if counts:
            optimizer.step()
        else:
            optimizer.optimizer.step()

    def _schedule(self) -> LRScheduler:
        schedule = self.lr_schedulers()
        assert isinstance(schedule, LRScheduler)  # noqa: S101 - configure_optimizers makes one
        return schedule

    def _optimizers(self) -> list[LightningOptimizer]:
        optimizers = self.optimizers()
        return optimizers if isinstance(optimizers, list) else [optimizers]
