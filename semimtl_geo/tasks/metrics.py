"""Scores: the paper's (section 4.1), and those that real heights and rare classes need besides.

The paper has pAcc, mIoU, AbR, RMSE, accuracies under a threshold, and ΔM.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassConfusionMatrix


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
    "found", "raised pixels found", "pixels whose map is above the limit, too{above}, in percent"
)
DELTA_1: Final = Score(
    "delta1", "δ1", "pixels within a factor of 1.25 of the truth{above}, in percent"
)
DELTA_2: Final = Score("delta2", "δ2", "pixels within a factor of 1.25² = 1.56, in percent")
DELTA_3: Final = Score("delta3", "δ3", "pixels within a factor of 1.25³ = 1.95, in percent")
GAIN: Final = Score(
    "gain",
    "ΔM (%)",
    "mean gain in mIoU and RMSE over the single-task networks, in percent",
)


class SegmentationScores(MulticlassConfusionMatrix):
    """Pixel accuracy, mean IoU, and the IoU of each class, over all pixels seen.

    A class that occurs neither in truth nor in prediction has no IoU (NaN) and does not enter the
    mean.

    Args:
        classes: Class names.
        unknown: The value of pixels that do not count.
        minor: Names of classes that ``mIoU/main`` leaves out of its mean. Their pixels count: a
            class that is wrongly found there has a lower IoU.
    """

    def __init__(self, classes: Sequence[str], unknown: int, minor: Sequence[str] = ()) -> None:
        super().__init__(len(classes), ignore_index=unknown, validate_args=False)
        self.classes = tuple(classes)
        self.unknown = unknown
        self.is_main = torch.tensor([name not in minor for name in classes])

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Count pixels.

        Args:
            prediction: Class indices, int ``[..., H, W]``; ``unknown`` does not count.
            target: Class indices, int ``[..., H, W]``; ``unknown`` does not count.
        """
        target = torch.where(prediction == self.unknown, self.unknown, target)
        super().update(prediction.long(), target.long())

    def compute(self) -> dict[str, Tensor]:  # type: ignore[override]  # a metric may return any
        """Return the scores in percent.

        They are ``pAcc``, ``mIoU``, ``mIoU/main``, ``mF1``, and ``IoU/<class>``.
        """
        confusion = super().compute().double()
        hits = confusion.diagonal()
        union = confusion.sum(0) + confusion.sum(1) - hits
        iou = torch.where(union > 0, hits / union, torch.nan)
        scores = {
            "pAcc": 100 * hits.sum() / confusion.sum(),
            "mIoU": 100 * iou.nanmean(),
            "mIoU/main": 100 * iou[self.is_main].nanmean(),
            "mF1": 100 * (2 * iou / (1 + iou)).nanmean(),
        }
        return scores | {
            f"IoU/{name}": 100 * value for name, value in zip(self.classes, iou, strict=True)
        }


class DepthScores(Metric):
    """Errors of all pixels, and relative errors and accuracies of those that are raised.

    Relative scores need a truth above zero: pixels at or below ``relative_above`` (flat ground, or
    infinitely far) enter RMSE and MAE alone.

    Args:
        relative_above: The truth above which a pixel is raised, in the task's unit.
    """

    full_state_update = False
    squares: Tensor
    distances: Tensor
    raised_squares: Tensor
    found: Tensor
    relative: Tensor
    within: Tensor
    count: Tensor
    positive: Tensor

    def __init__(self, relative_above: float = 0.0) -> None:
        super().__init__()
        self.relative_above = relative_above
        for name, shape in (
            ("squares", ()),
            ("distances", ()),
            ("raised_squares", ()),
            ("found", ()),
            ("relative", ()),
            ("within", (3,)),
            ("count", ()),
            ("positive", ()),
        ):
            self.add_state(name, torch.zeros(shape, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Sum errors.

        Args:
            prediction: Values ``[..., H, W]`` in the task's unit; NaN does not count.
            target: True values ``[..., H, W]`` in the same unit; NaN does not count.
        """
        known = ~(torch.isnan(prediction) | torch.isnan(target))
        guess, truth = prediction[known].double(), target[known].double()
        self.squares += (guess - truth).square().sum()
        self.distances += (guess - truth).abs().sum()
        self.count += truth.numel()
        above = truth > self.relative_above
        guess, truth = guess[above], truth[above]
        self.raised_squares += (guess - truth).square().sum()
        self.found += (guess > self.relative_above).sum()
        self.relative += ((guess - truth).abs() / truth).sum()
        # A guess at or below zero is infinitely many times too small.
        ratio = torch.where(guess > 0, torch.maximum(guess / truth, truth / guess), torch.inf)
        self.within += torch.stack([(ratio < 1.25**i).sum() for i in (1, 2, 3)])
        self.positive += truth.numel()

    def compute(self) -> dict[str, Tensor]:
        """Return the scores.

        They are ``AbR`` (a ratio), ``RMSE``, ``RMSE/raised`` and ``MAE`` (in the task's unit),
        ``delta1`` to ``delta3`` and ``found`` (in percent).
        """
        within = 100 * self.within / self.positive
        return {
            "AbR": self.relative / self.positive,
            "RMSE": (self.squares / self.count).sqrt(),
            "MAE": self.distances / self.count,
            "RMSE/raised": (self.raised_squares / self.positive).sqrt(),
            "found": 100 * self.found / self.positive,
            "delta1": within[0],
            "delta2": within[1],
            "delta3": within[2],
        }


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
