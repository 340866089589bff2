"""Heights as a distribution over bins of growing width."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from semimtl_geo.tasks import losses
from semimtl_geo.tasks.depth import Depth
from tiles.settings import check_range

SMALLEST_PROBABILITY: Final = 1e-12
"""Probabilities below this count as this in logarithms."""

UNKNOWN_BIN: Final = -1
"""Index of the bin of pixels whose height is unknown."""


@dataclass(frozen=True)
class BinnedDepth(Depth):
    """Height above ground as a distribution over bins, whose expectation is the height.

    Most pixels of an orthophoto are at 0 m, and a regression learnt from few scenes tends to
    predict 0 m everywhere. A distribution can separate ground from roofs before it predicts how
    high they are (ordinal and binned depth: Fu et al., CVPR 2018; Bhat et al., CVPR 2021). The
    first bin is the ground, below ``lowest``; the widths of the others grow geometrically up to
    ``highest``, and higher values count as that.

    Attributes:
        bins: Number of bins above the ground.
        lowest: Lower end of the first of them, in ``unit``.
        highest: Upper end of the last, in ``unit``.
        error_weight: Weight of the RMSE of the expectation beside the cross entropy of the bins,
            per ``unit``.

    Example:
        >>> task = BinnedDepth(bins=2, lowest=1.0, highest=100.0)
        >>> task.edges
        (1.0, 10.0, 100.0)
        >>> certain = torch.tensor([0.0, 50.0, 0.0]).view(1, 3, 1, 1)
        >>> round(task.estimate(certain).item(), 2)
        5.5
    """

    weight: float = 1.0
    decoder: str = "psp"
    bins: int = 24
    lowest: float = 0.5
    highest: float = 45.0
    error_weight: float = 0.1

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        check_range(f"task {self.name}: error_weight", self.error_weight, 0, 1e6)
        check_range(f"task {self.name}: bins", self.bins, 1, 8192)
        check_range(f"task {self.name}: lowest", self.lowest, 0, 1e6, above=True)
        check_range(f"task {self.name}: highest", self.highest, self.lowest, 1e6, above=True)

    @property
    def output_channels(self) -> int:
        """Number of scores per pixel: of the ground, and of each bin."""
        return self.bins + 1

    @property
    def edges(self) -> tuple[float, ...]:
        """Ends of the bins above the ground, in ``unit``."""
        growth = (self.highest / self.lowest) ** (1 / self.bins)
        return tuple(self.lowest * growth**number for number in range(self.bins + 1))

    @property
    def centers(self) -> tuple[float, ...]:
        """Values that the ground (0) and the bins stand for, in ``unit``."""
        return (0.0, *((low + high) / 2 for low, high in itertools.pairwise(self.edges)))

    def regress(self, output: Tensor) -> Tensor:
        """Return the expectation of the distribution, divided by ``scale``."""
        centers = torch.tensor(self.centers, device=output.device).view(1, -1, 1, 1) / self.scale
        return (output.float().softmax(dim=1) * centers).sum(dim=1, keepdim=True)

    def range_loss(self, output: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """Return the negative logarithm of the probability that the value is in a range.

        A bin is in a range if they overlap; the last bin has no upper end. The distance of the
        expectation would be too lenient: a 10 % chance of a 10 m tree changes it by 1 m only.
        """
        ends = torch.tensor((-torch.inf, *self.edges[:-1], torch.inf), device=output.device)
        starts, stops = ends[:-1, None], ends[1:, None]
        inside = ((stops > low) & (starts <= high)).to(torch.float32)
        probabilities = torch.einsum("bnhw,nk->bkhw", output.float().softmax(dim=1), inside)
        return -probabilities.clamp(min=SMALLEST_PROBABILITY, max=1.0).log()

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the cross entropy of the bins, plus the RMSE of the expectation."""
        known = ~target.isnan()
        inner = torch.tensor(self.edges[:-1], device=target.device)
        number = torch.bucketize(target.nan_to_num(), inner, right=True)
        bins = torch.where(known, number, UNKNOWN_BIN)
        entropy = losses.cross_entropy(output, bins, UNKNOWN_BIN)
        error = losses.root_mean_square(self.regress(output)[:, 0] * self.scale, target)
        return entropy + self.error_weight * error
