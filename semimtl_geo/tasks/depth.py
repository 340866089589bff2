"""A real value per pixel: height above ground, inverse depth, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torchmetrics import Metric

from semimtl_geo.tasks import losses
from semimtl_geo.tasks.metrics import DepthScores
from semimtl_geo.tasks.task import Kind, Task
from tiles.maps.layers import ValueMap


@dataclass(frozen=True)
class Depth(Task):
    """Height above ground, or inverse depth in street views.

    The network regresses the value divided by ``scale`` (section 4.1: nDSM in [0, 1]), and its loss
    and weight are in that unit.

    Attributes:
        scale: The value that the network shows as 1, in ``unit``.
        unit: The unit of label rasters and maps.
        adversary_gain: The discriminator sees the network's output times this. Heights in [0, 1]
            are mostly near 0, which the discriminator would barely see.
        relative_above: The truth above which AbR and the deltas count, in ``unit``.
    """

    kind: ClassVar[Kind] = "depth"
    decoder: ClassVar[str] = "upsampling"

    name: str = "height"
    weight: float = 0.01
    adversary: float = 1.0
    scale: float = 20.0
    unit: str = "m"
    adversary_gain: float = 4.0
    relative_above: float = 0.0

    @property
    def channels(self) -> int:
        """One."""
        return 1

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """BerHu (section 3.4), on values divided by ``scale``."""
        return losses.berhu(output[:, 0], target / self.scale)

    def judged(self, output: Tensor) -> Tensor:
        """The output times ``adversary_gain``."""
        return output * self.adversary_gain

    def judged_truth(self, target: Tensor, prediction: Tensor) -> tuple[Tensor, Tensor]:
        """The labels in the same unit as :meth:`judged`."""
        known = ~torch.isnan(target)
        truth = target[:, None] * (self.adversary_gain / self.scale)
        return torch.where(known[:, None], truth, prediction), known

    def variety(self, output: Tensor) -> Tensor:
        """The standard deviation, as a share of ``scale``."""
        return output.std()

    def estimate(self, output: Tensor) -> Tensor:
        """In ``unit``; nothing stands below the ground, nor nearer than infinity's zero."""
        return output.clamp(min=0) * self.scale

    def decide(self, estimate: Tensor) -> Tensor:
        """The value itself."""
        return estimate[:, 0]

    def scores(self) -> Metric:
        """AbR, RMSE and deltas."""
        return DepthScores(self.relative_above)

    def layer(self) -> ValueMap:
        """A real-valued map."""
        description = "height above ground" if self.unit == "m" else self.name
        return ValueMap(self.name, self.unit, description, low=0.0, high=self.scale)


@dataclass(frozen=True)
class Slope(Depth):
    """How steep the surface is, learnt from heights: a third task where there are two labels.

    Attributes:
        gsd: Ground sampling distance of the heights in metres.
        of: The key in a batch of the heights.
    """

    name: str = "slope"
    scale: float = 90.0
    unit: str = "degrees"
    adversary_gain: float = 1.0
    gsd: float = 1.0
    of: str = "height"

    @property
    def label(self) -> str:
        """Heights."""
        return self.of

    def target(self, labels: Tensor) -> Tensor:
        """The angle of the surface by central differences; unknown beside unknown heights."""
        down, right = torch.gradient(labels, spacing=self.gsd, dim=(1, 2))
        angle = torch.hypot(down, right).atan().rad2deg()
        return torch.where(labels.isnan(), torch.nan, angle)
