"""Tasks that predict a real value per pixel: height above ground and inverse depth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semimtl_geo.tasks import losses
from semimtl_geo.tasks.coloring import (
    ERROR_RAMP,
    IndexedColors,
    Legend,
    Ramp,
    colorize_ramp,
    round_up,
)
from semimtl_geo.tasks.label_findings import Finding, height_findings
from semimtl_geo.tasks.scores import (
    ABSOLUTE_RELATIVE_ERROR,
    DELTA_1,
    DELTA_2,
    DELTA_3,
    MAE,
    RAISED_FOUND,
    RMSE,
    RMSE_RAISED,
    Score,
)
from semimtl_geo.tasks.task import Task
from tiles.maps.layers import ValueMap
from tiles.maps.qgis import RAMP
from tiles.settings import check_range
from tiles.types import BoolArray, LabelKind

if TYPE_CHECKING:
    from torchmetrics import Metric


@dataclass(frozen=True)
class Depth(Task):
    """Height above ground, or inverse depth in street views.

    The network regresses the value divided by ``scale`` (section 4.1: nDSM in [0, 1]); loss and
    weight refer to that unit.

    Attributes:
        scale: Value that the network represents as 1, in ``unit``.
        unit: Unit of label rasters and maps.
        discriminator_gain: Factor between the network's output and the discriminator's input.
            Heights in [0, 1] are mostly near 0, where the discriminator would hardly see them.
        relative_above: A pixel is raised if its truth is above this, in ``unit``. Relative scores
            (AbR and the deltas) count raised pixels alone: where truth is a few centimetres, errors
            of laser scanning would decide them.

    Example:
        >>> task = Depth(scale=20.0)
        >>> task.decide(task.estimate(torch.full((1, 1, 1, 1), 0.25))).item()
        5.0
    """

    label_kind: ClassVar[LabelKind] = "values"
    order: ClassVar[int] = 1
    main_scores: ClassVar[Sequence[Score]] = (
        ABSOLUTE_RELATIVE_ERROR,
        RMSE,
        DELTA_1,
        DELTA_2,
        DELTA_3,
    )
    further_scores: ClassVar[Sequence[Score]] = (
        MAE,
        RMSE_RAISED,
        RAISED_FOUND,
    )
    headline: ClassVar[Score] = RMSE

    name: str = "height"
    weight: float = 0.01
    adversarial_weight: float = 1.0
    scale: float = 20.0
    unit: str = "m"
    discriminator_gain: float = 4.0
    relative_above: float = 0.5
    decoder: str = "upsampling"

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        check_range(f"task {self.name}: scale", self.scale, 0, 1e6, above=True)
        check_range(f"task {self.name}: relative_above", self.relative_above, 0, 1e6)
        check_range(f"task {self.name}: discriminator_gain", self.discriminator_gain, 0, 1e6)

    @property
    def channels(self) -> int:
        """Number of values per pixel: 1."""
        return 1

    def label_findings(self, sample: NDArray[np.float32], low: float) -> Iterator[Finding]:
        """Yield what is wrong or odd about heights above ground."""
        if self.unit == "m" and self.label == self.name:
            yield from height_findings(sample, low)

    def mask_unknown(self, values: NDArray[Any], known: BoolArray | None = None) -> NDArray[Any]:
        """Set unknown pixels to NaN; float32."""
        return np.where(True if known is None else known, values, np.nan).astype(np.float32)

    def regress(self, output: Tensor) -> Tensor:
        """Return the values that an output stands for, divided by ``scale``; ``[B, 1, H, W]``."""
        return output

    def range_loss(self, output: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """Return how far predictions are outside of ranges: a distance, divided by ``scale``.

        Args:
            output: Output of the network, ``[B, output_channels, H, W]``.
            low: Lowest value of each of K ranges, ``[K]``, in ``unit``.
            high: Highest value of each.

        Returns:
            ``[B, K, H, W]``; 0 inside.
        """
        values = self.regress(output) * self.scale
        below, above = low.view(1, -1, 1, 1) - values, values - high.view(1, -1, 1, 1)
        return (below.relu() + above.relu()) / self.scale

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the BerHu loss (section 3.4) of values divided by ``scale``."""
        return losses.berhu(self.regress(output)[:, 0], target / self.scale)

    def discriminator_input(self, output: Tensor) -> Tensor:
        """Return the values divided by ``scale``, times ``discriminator_gain``."""
        return self.regress(output) * self.discriminator_gain

    def discriminator_truth(self, target: Tensor, prediction: Tensor) -> tuple[Tensor, Tensor]:
        """Return the targets in the unit of :meth:`discriminator_input`."""
        known = ~torch.isnan(target)
        truth = target[:, None] * (self.discriminator_gain / self.scale)
        return torch.where(known[:, None], truth, prediction), known

    def variety(self, output: Tensor) -> Tensor:
        """Return the standard deviation, as a share of ``scale``."""
        return self.regress(output).std()

    def estimate(self, output: Tensor) -> Tensor:
        """Return values in ``unit``; heights and inverse depths are not negative."""
        return self.regress(output).clamp(min=0) * self.scale

    def decide(self, estimate: Tensor) -> Tensor:
        """Return the value itself."""
        return estimate[:, 0]

    def layer(self) -> ValueMap:
        """Return a layer of real values."""
        description = "height above ground" if self.unit == "m" else self.name
        return ValueMap(self.name, self.unit, description, low=0.0, high=self.scale)

    def scores(self) -> Metric:
        """Build the metric of AbR, RMSE and the deltas."""
        from semimtl_geo.tasks.metrics import DepthScores

        return DepthScores(self.relative_above)

    def describe_score(self, score: Score) -> str:
        """Describe a score, with the unit of errors and the values that relative scores count."""
        unit = "metres" if self.unit == "m" else self.unit
        above = f" where the truth is above {self.relative_above:g} {self.unit}"
        return score.describe(unit=f", in {unit}", above=above)

    def score_unit(self, score: Score) -> str:
        """Return the unit of errors; AbR is a ratio, the deltas are percentages."""
        if score in (RMSE, MAE, RMSE_RAISED):
            return self.unit
        return "" if score == ABSOLUTE_RELATIVE_ERROR else "%"

    @property
    def full_scale(self) -> float:
        """Value of the last colour of figures by default, in ``unit``."""
        return self.scale

    def colorize(
        self, values: NDArray[Any], known: BoolArray, high: float | None = None
    ) -> IndexedColors:
        """Give each pixel the colour of its value, from 0 to ``high``."""
        return colorize_ramp(values, known, high or self.full_scale, RAMP)

    def colorize_error(
        self,
        prediction: NDArray[Any],
        truth: NDArray[Any],
        known: BoolArray,
        high: float | None = None,
    ) -> IndexedColors:
        """Give each pixel the colour of its absolute error."""
        error = np.abs(
            np.where(known, prediction, 0).astype(np.float64) - np.where(known, truth, 0)
        )
        return colorize_ramp(error, known, self._error_scale(high), ERROR_RAMP)

    def legend(self, high: float | None = None) -> Legend:
        """Return the ramp of values."""
        return Legend(ramps=(Ramp(self.name, RAMP, high or self.full_scale, self.unit),))

    def error_legend(self, high: float | None = None) -> Legend:
        """Return the ramps of values and of errors."""
        errors = Ramp("error", ERROR_RAMP, self._error_scale(high), self.unit)
        return Legend(ramps=(*self.legend(high).ramps, errors))

    def _error_scale(self, high: float | None) -> float:
        """Return the error of the last colour: half of the largest value shown, rounded."""
        return round_up((high or self.full_scale) / 2)
