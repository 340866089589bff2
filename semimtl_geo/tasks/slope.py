"""A task that is learnt from the labels of another: the slope of the surface."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from semimtl_geo.tasks.depth import Depth
from tiles.settings import check_range


@dataclass(frozen=True)
class Slope(Depth):
    """Slope of the surface, learnt from labels of heights: a third task from two labels.

    Train it without random scaling (``data.augmentation.scale: [1, 1]``), which changes the ground
    sampling distance of a crop.

    Attributes:
        gsd: Ground sampling distance of the heights in metres.
        of: Key of the heights in a batch.

    Example:
        >>> roof = torch.arange(3.0).repeat(3, 1)[None]  # rises 1 m per metre
        >>> round(Slope(gsd=1.0).target(roof).mean().item())
        45
    """

    name: str = "slope"
    scale: float = 90.0
    unit: str = "degrees"
    discriminator_gain: float = 1.0
    gsd: float = 1.0
    of: str = "height"

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        check_range(f"task {self.name}: gsd", self.gsd, 0, 1e6, above=True)

    @property
    def label(self) -> str:
        """Key of the labels of heights in a batch."""
        return self.of

    def resolution_fault(self, gsd: float | None) -> str | None:
        """Report data of another resolution, whose slopes would be wrong."""
        if gsd is not None and not math.isclose(gsd, self.gsd, rel_tol=0.01):
            return f"gsd is {self.gsd:g} m, but that of the data is {gsd:g} m"
        return None

    def target(self, labels: Tensor) -> Tensor:
        """Return the surface's angle by central differences; unknown beside unknown heights."""
        down, right = torch.gradient(labels, spacing=self.gsd, dim=(1, 2))
        angle = torch.hypot(down, right).atan().rad2deg()
        return torch.where(labels.isnan(), torch.nan, angle)
