"""How the networks are stepped, and what the adversarial losses weigh (section 4.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler


@dataclass(frozen=True)
class Optimisation:
    """How the networks are stepped (section 4.1).

    Attributes:
        optimizer: Of the generator: ``sgd`` with momentum 0.9, or ``adamw``.
        lr: Its first learning rate, decreased polynomially to 0 over the run.
        weight_decay: Its weight decay.
        power: Of the polynomial.
        discriminator_lr: Of the discriminators' Adam (0.9, 0.99); constant.
        clip: Largest norm of the generator's gradient; None: it is not clipped.
    """

    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: float = 0.01
    weight_decay: float = 1e-4
    power: float = 0.9
    discriminator_lr: float = 1e-4
    clip: float | None = None

    def of_generator(self, weights: Iterable[nn.Parameter]) -> Optimizer:
        """The generator's optimiser."""
        if self.optimizer == "sgd":
            return SGD(weights, self.lr, momentum=0.9, weight_decay=self.weight_decay)
        return AdamW(weights, self.lr, weight_decay=self.weight_decay)

    def of_discriminators(self, weights: Iterable[nn.Parameter]) -> Optimizer:
        """The optimiser of all discriminators."""
        return Adam(weights, self.discriminator_lr, betas=(0.9, 0.99))

    def schedule(self, generator: Optimizer, iterations: Callable[[], int]) -> LRScheduler:
        """Polynomial decrease of the generator's learning rate to 0.

        Args:
            generator: Its optimiser.
            iterations: Tells after how many iterations; is not asked before the first is done.
        """

        def rate(done: int) -> float:
            return max(0.0, 1 - done / iterations()) ** self.power if done else 1.0

        return LambdaLR(generator, rate)
