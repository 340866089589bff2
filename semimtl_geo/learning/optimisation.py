"""Optimisers and learning rates (section 4.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from tiles.settings import check_range


@dataclass(frozen=True)
class Optimisation:
    """Optimisers and learning rates (section 4.1).

    Attributes:
        optimizer: Optimiser of the generator: ``sgd`` with momentum 0.9, or ``adamw``.
        lr: Initial learning rate of the generator, decayed polynomially to 0 over the run.
        weight_decay: Weight decay of the generator.
        power: Power of the polynomial decay.
        discriminator_lr: Constant learning rate of the discriminators' Adam (0.9, 0.99).
        clip: Largest norm of the generator's gradient; None: it is not clipped.
        synchronous: Whether the generator makes one step per iteration, with the gradients of all
            domains (synchronous SGD, section 3.3), rather than one after each domain (Algorithm 1
            as printed). With ``batchnorm: mixed`` it always does.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> type(Optimisation("adamw", lr=0.002).generator_optimizer(layer.parameters())).__name__
        'AdamW'
    """

    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: float = 0.01
    weight_decay: float = 1e-4
    power: float = 0.9
    discriminator_lr: float = 1e-4
    clip: float | None = None
    synchronous: bool = False

    def __post_init__(self) -> None:
        """Check the numbers."""
        setting = "model.optimisation"
        check_range(f"{setting}.lr", self.lr, 0, 1000)
        check_range(f"{setting}.discriminator_lr", self.discriminator_lr, 0, 1000)
        check_range(f"{setting}.weight_decay", self.weight_decay, 0)
        check_range(f"{setting}.power", self.power, 0)
        if self.clip is not None:
            check_range(f"{setting}.clip", self.clip, 0, above=True)

    def generator_optimizer(self, weights: Iterable[nn.Parameter]) -> Optimizer:
        """Return the optimiser of the generator."""
        if self.optimizer == "sgd":
            return SGD(weights, self.lr, momentum=0.9, weight_decay=self.weight_decay)
        weights = list(weights)
        return AdamW(weights, self.lr, weight_decay=self.weight_decay, fused=_fused(weights))

    def discriminator_optimizer(self, weights: Iterable[nn.Parameter]) -> Optimizer:
        """Return the optimiser of all discriminators."""
        weights = list(weights)
        return Adam(weights, self.discriminator_lr, betas=(0.9, 0.99), fused=_fused(weights))

    def schedule(self, generator: Optimizer, iterations: Callable[[], int]) -> LRScheduler:
        """Return the schedule that decays the generator's learning rate polynomially to 0.

        Args:
            generator: Optimiser of the generator.
            iterations: Function that returns the number of iterations; called after the first one.
        """

        def rate(done: int) -> float:
            return max(0.0, 1 - done / iterations()) ** self.power if done else 1.0

        return LambdaLR(generator, rate)


def _fused(weights: list[nn.Parameter]) -> bool | None:
    """Choose the fused kernel on a CPU, where PyTorch's default takes seven times as long."""
    return True if all(weight.device.type == "cpu" for weight in weights) else None
