"""Metrics that compute the scores of :mod:`semimtl_geo.tasks.scores` over all pixels that they see.

They are imported when something is scored: torchmetrics takes two seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassConfusionMatrix


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


class InverseDepthScores(DepthScores):
    """Errors of distances up to a largest one, and of inverse depths, over all pixels seen.

    Args:
        farthest: Largest distance that counts, in metres.
        disparity: Disparity in pixels at an inverse depth of 1/m.
    """

    inverse_squares: Tensor
    inverse_count: Tensor

    def __init__(self, farthest: float, disparity: float) -> None:
        super().__init__()
        self.farthest = farthest
        self.disparity = disparity
        for name in ("inverse_squares", "inverse_count"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Sum errors.

        Args:
            prediction: Inverse depths ``[..., H, W]`` in 1/m; NaN does not count.
            target: True inverse depths ``[..., H, W]``; NaN does not count.
        """
        known = ~(torch.isnan(prediction) | torch.isnan(target))
        guess, truth = prediction[known].double(), target[known].double()
        self.inverse_squares += (guess - truth).square().sum()
        self.inverse_count += truth.numel()
        nearest_to_zero = 1 / self.farthest
        near = truth >= nearest_to_zero
        super().update(1 / guess[near].clamp(min=nearest_to_zero), 1 / truth[near])

    def compute(self) -> dict[str, Tensor]:
        """Return the scores.

        They are ``AbR`` (a ratio), ``RMSE`` and ``MAE`` (in metres), ``delta1`` to ``delta3`` (in
        percent), ``RMSE/inverse`` (in 1/m) and ``RMSE/px`` (in pixels).
        """
        of_distances = super().compute()
        inverse = (self.inverse_squares / self.inverse_count).sqrt()
        scores = {
            name: of_distances[name]
            for name in ("AbR", "RMSE", "MAE", "delta1", "delta2", "delta3")
        }
        return scores | {"RMSE/inverse": inverse, "RMSE/px": inverse * self.disparity}
