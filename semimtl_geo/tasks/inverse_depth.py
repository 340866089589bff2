"""The depth task of street views: inverse depth, scored in metres and in pixels of disparity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from semimtl_geo.tasks.depth import Depth
from semimtl_geo.tasks.scores import MAE, RMSE, RMSE_DISPARITY, RMSE_INVERSE, Score
from tiles.settings import check_range

if TYPE_CHECKING:
    from torchmetrics import Metric


@dataclass(frozen=True)
class InverseDepth(Depth):
    """Inverse depth in 1/m, so that the sky is 0 (section 4.1).

    Networks learn inverse depth, and maps hold it. AbR, RMSE, MAE and the deltas are of distances
    in metres, as the paper defines them for depth. This matters: 10 m that are taken for 20 m have
    an AbR of 1, and of 0.5 as inverse depths.

    Attributes:
        farthest: Largest distance that is scored, in metres. Points that are truly farther away do
            not count, and predictions beyond it count as this distance.
        disparity: Baseline times focal length of a stereo camera, in m px: an inverse depth of 1/m
            is a disparity of as many pixels. By default that of Cityscapes, 0.209313 m times
            2262.52 px, in images of 2048 px width.

    ``relative_above`` has no effect: all points up to ``farthest`` count.

    Example:
        >>> from semimtl_geo.tasks.scores import RMSE
        >>> InverseDepth(farthest=50.0).describe_score(RMSE)
        'root mean square error, in metres, of distances up to 50 m'
    """

    further_scores: ClassVar[Sequence[Score]] = (MAE, RMSE_INVERSE, RMSE_DISPARITY)

    name: str = "depth"
    scale: float = 0.25
    unit: str = "1/m"
    discriminator_gain: float = 1.0
    farthest: float = 80.0
    disparity: float = 473.57

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        check_range(f"task {self.name}: farthest", self.farthest, 0, 1e6, above=True)
        check_range(f"task {self.name}: disparity", self.disparity, 0, 1e9, above=True)

    def scores(self) -> Metric:
        """Build the metric of distances and inverse depths."""
        from semimtl_geo.tasks.metrics import InverseDepthScores

        return InverseDepthScores(self.farthest, self.disparity)

    def describe_score(self, score: Score) -> str:
        """Describe a score, with the unit of errors and the pixels that count."""
        distances = f", of distances up to {self.farthest:g} m"
        return score.describe(unit=f", in metres{distances}", above=distances)

    def score_unit(self, score: Score) -> str:
        """Return the unit of errors."""
        units = {RMSE: "m", MAE: "m", RMSE_INVERSE: "1/m", RMSE_DISPARITY: "px"}
        return units[score] if score in units else super().score_unit(score)
