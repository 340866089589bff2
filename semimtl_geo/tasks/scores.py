"""Names and meanings of scores; :mod:`semimtl_geo.tasks.metrics` computes them.

The paper has pAcc, mIoU, AbR, RMSE, accuracies under a threshold, and ΔM (section 4.1); the other
scores were added for heights and for rare classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Score:
    """A score as tables show it.

    Attributes:
        name: Key in the results of a metric.
        heading: Heading of the column.
        meaning: Meaning in words; may hold the placeholders ``{unit}`` and ``{above}``.
        decimals: Number of decimals.
        lower_is_better: Whether small scores are good.

    Example:
        >>> RMSE.describe(unit=", in metres")
        'root mean square error, in metres'
    """

    name: str
    heading: str
    meaning: str
    decimals: int = 1
    lower_is_better: bool = False

    def describe(self, unit: str = "", above: str = "") -> str:
        """Return its meaning with the placeholders filled in."""
        return self.meaning.format(unit=unit, above=above)


PIXEL_ACCURACY: Final = Score("pAcc", "pAcc", "pixels with the right class, in percent")
MEAN_IOU: Final = Score(
    "mIoU",
    "mIoU",
    "overlap of map and truth (intersection over union), mean of the classes that occur in either, "
    "in percent",
)
ABSOLUTE_RELATIVE_ERROR: Final = Score(
    "AbR",
    "AbR",
    "absolute error relative to the true value{above}, mean",
    decimals=3,
    lower_is_better=True,
)
RMSE: Final = Score(
    "RMSE", "RMSE", "root mean square error{unit}", decimals=3, lower_is_better=True
)
MEAN_F1: Final = Score(
    "mF1", "mF1", "mean of the classes' F1 (harmonic mean of precision and recall), in percent"
)
MEAN_IOU_OF_MAIN: Final = Score("mIoU/main", "mIoU of main classes", "mIoU{above}, in percent")
MAE: Final = Score("MAE", "MAE", "mean absolute error{unit}", decimals=3, lower_is_better=True)
RMSE_RAISED: Final = Score(
    "RMSE/raised",
    "RMSE of raised pixels",
    "root mean square error{above}{unit}",
    decimals=3,
    lower_is_better=True,
)
RAISED_FOUND: Final = Score(
    "found", "raised pixels found", "recall of raised pixels{above}, in percent"
)
RMSE_INVERSE: Final = Score(
    "RMSE/inverse",
    "RMSE of inverse depth",
    "root mean square error of inverse depth, in 1/m; the sky counts",
    decimals=4,
    lower_is_better=True,
)
RMSE_DISPARITY: Final = Score(
    "RMSE/px",
    "RMSE of disparity",
    "root mean square error of disparity, in pixels of the stereo camera; the sky counts",
    decimals=2,
    lower_is_better=True,
)
DELTA_1: Final = Score(
    "delta1", "δ1", "pixels within a factor of 1.25 of the truth{above}, in percent"
)
DELTA_2: Final = Score(
    "delta2", "δ2", "pixels within a factor of 1.25² = 1.56 of the truth{above}, in percent"
)
DELTA_3: Final = Score(
    "delta3", "δ3", "pixels within a factor of 1.25³ = 1.95 of the truth{above}, in percent"
)
GAIN: Final = Score(
    "gain",
    "ΔM (%)",
    "mean gain in mIoU and RMSE over the single-task networks, in percent",
)


def multi_task_gain(scores: Mapping[str, float], baseline: Mapping[str, float]) -> float:
    """Compute ΔM (equation 10), the mean relative gain over the single-task networks.

    Args:
        scores: Scores of the multi-task network by metric, ``mIoU`` and ``RMSE``.
        baseline: Scores of the single-task networks, with the same keys.

    Returns:
        ΔM in percent; above zero where the multi-task network is better.
    """
    lower_is_better = {score.name for score in (MEAN_IOU, RMSE) if score.lower_is_better}
    gains = [
        (baseline[key] - value if key in lower_is_better else value - baseline[key]) / baseline[key]
        for key, value in scores.items()
    ]
    return 100 * sum(gains) / len(gains)
