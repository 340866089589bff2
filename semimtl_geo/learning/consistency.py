"""Consistency of land cover and heights: a lawn is at 0 m, a building is not.

This loss is not in the paper. A label of one task supervises the prediction of the other. If a
domain has neither, the two predictions must agree; only systems with an alignment read such
domains. A class that the prior leaves out may have any
height. Mean heights of the other classes come from domains with height labels, which assumes that
buildings are about equally high in all domains; ``means=False`` turns this off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from semimtl_geo.learning.distributed import average
from semimtl_geo.tasks import Depth, Segmentation, Task
from tiles.errors import InputError
from tiles.settings import check_range
from tiles.types import UNKNOWN_CLASS

MOMENTUM = 0.02
"""Weight of an iteration in the running mean heights of classes."""


@dataclass(frozen=True)
class Consistency:
    """A prior on the heights of classes, for scenes seen from above.

    Attributes:
        heights: Lowest and highest height above ground of the pixels of each class, in metres;
            ``.inf`` where there is no highest. Two or more; classes that are left out may have
            any.
        weight: Weight of the loss, whatever the weights of the tasks are.
        means: Whether mean predicted heights of labelled classes are also pulled to the means in
            domains with heights, where each class of the prior must occur too. Ranges alone raise
            an undetected roof only to the lower end of its range.
        tolerance: Distance in metres by which a labelled height may lie outside a class's range
            while the class still counts as possible, because labels are noisy.
        landcover: The task that predicts the classes.
        height: The task that predicts the heights.

    Example:
        >>> prior = Consistency({"building": (2.5, float("inf")), "low vegetation": (0.0, 0.5)})
        >>> prior.tolerance
        0.5
    """

    heights: dict[str, tuple[float, float]]
    weight: float = 1.0
    means: bool = True
    tolerance: float = 0.5
    landcover: str = "landcover"
    height: str = "height"

    def build(self, tasks: Sequence[Task]) -> SemanticHeight:
        """Return the loss.

        Args:
            tasks: The trained tasks.

        Raises:
            InputError: If they are not land cover and heights above ground, or the prior has an
                unknown class, an invalid range or number, or fewer than two classes.
        """
        named = {task.name: task for task in tasks}
        landcover, height = named.get(self.landcover), named.get(self.height)
        where = "model.consistency"
        if not isinstance(landcover, Segmentation) or not isinstance(height, Depth):
            fault = (
                f"needs the tasks {self.landcover} and {self.height}, but the trained tasks are "
                f"{', '.join(sorted(named))}"
            )
            raise InputError(where, fault, "leave it out, or name a task of classes and a height")
        if height.unit != "m":
            fault = f"needs heights in m, {height.name} is in {height.unit}"
            remedy = "give heights in metres, or leave it out (street views have none)"
            raise InputError(where, fault, remedy)
        for name, (low, high) in self.heights.items():
            if name not in landcover.classes:
                raise InputError(where, f"no class is called {name}", f"use {landcover.classes}")
            if not low <= high:
                raise InputError(
                    where, f"{name}: {low} to {high} m is not a range", "give the lower value first"
                )
        if len(self.heights) < 2:
            fault = f"must have two or more classes, got {', '.join(self.heights) or 'none'}"
            remedy = "name every class whose heights are known, also those in the base file"
            raise InputError(f"{where}.heights", fault, remedy)
        for name, number in (("weight", self.weight), ("tolerance", self.tolerance)):
            check_range(f"{where}.{name}", number, 0)
        return SemanticHeight(self, landcover, height)


class SemanticHeight(nn.Module):
    """Loss of a :class:`Consistency`, without weights.

    Args:
        prior: The prior.
        landcover: The task of the classes.
        height: The task of the heights.
    """

    low: Tensor
    high: Tensor
    listed: Tensor
    sums: Tensor
    counts: Tensor

    def __init__(self, prior: Consistency, landcover: Segmentation, height: Depth) -> None:
        super().__init__()
        self.prior, self.landcover, self.height = prior, landcover, height
        anything = (-torch.inf, torch.inf)
        ranges = [prior.heights.get(name, anything) for name in landcover.classes]
        columns = {"low": [low for low, _ in ranges], "high": [high for _, high in ranges]}
        for name, column in columns.items():
            self.register_buffer(name, torch.tensor(column).view(1, -1, 1, 1), persistent=False)
        listed = torch.tensor([name in prior.heights for name in landcover.classes])
        self.register_buffer("listed", listed.view(1, -1, 1, 1), persistent=False)
        # Running means of heights per class, which a resumed run needs.
        self.register_buffer("sums", torch.zeros(len(ranges)))
        self.register_buffer("counts", torch.zeros(len(ranges)))

    def forward(
        self, outputs: Mapping[str, Tensor], labels: Mapping[str, Tensor]
    ) -> tuple[Task, Tensor] | None:
        """Return the loss on one domain.

        Args:
            outputs: The network's outputs, by task, ``[B, channels, H, W]``.
            labels: The domain's labels, by key, ``[B, H, W]``; absent where it has none.

        Returns:
            The task that learns, and its loss without any weight. None where both are labelled.
        """
        logits, output = outputs[self.landcover.name], outputs[self.height.name]
        classes, truth = labels.get(self.landcover.label), labels.get(self.height.label)
        if truth is not None:
            if self.prior.means:
                if classes is None:
                    shares = self.predicted_shares(logits, truth)
                else:
                    shares = self.labelled_shares(classes, truth)
                self.update_means(shares, truth)
            return (self.landcover, self.class_loss(logits, truth)) if classes is None else None
        if classes is None:
            return self.height, self.agreement_loss(logits, output)
        loss = self.height_range_loss(output, classes)
        if self.prior.means:
            loss = loss + self.mean_height_loss(self.height.regress(output)[:, 0], classes)
        return self.height, loss

    def possible(self, heights: Tensor) -> Tensor:
        """Return the classes of the prior that are possible at labelled heights.

        Args:
            heights: In metres, ``[B, H, W]``; at NaN none is.

        Returns:
            bool ``[B, K, H, W]``.
        """
        metres, slack = heights[:, None], self.prior.tolerance
        return (metres >= self.low - slack) & (metres <= self.high + slack) & self.listed

    def height_range_loss(self, output: Tensor, classes: Tensor) -> Tensor:
        """Return how far predicted heights are outside of the range of their pixel's class.

        Args:
            output: The network's output for heights, ``[B, channels, H, W]``.
            classes: Labels, int64 ``[B, H, W]``.

        Returns:
            The mean of the task's :meth:`~semimtl_geo.tasks.Depth.range_loss` over labelled pixels;
            a scalar.
        """
        known = classes != UNKNOWN_CLASS
        index = torch.where(known, classes, 0)[:, None]
        outside = self._outside(output).gather(1, index)[:, 0]
        return torch.where(known, outside, 0.0).sum() / known.sum().clamp(min=1)

    def _outside(self, output: Tensor) -> Tensor:
        """Return the range loss for each class, ``[B, K, H, W]``."""
        return self.height.range_loss(output, self.low.flatten(), self.high.flatten())

    @torch.no_grad()
    def predicted_shares(self, logits: Tensor, heights: Tensor) -> Tensor:
        """Return the share of each class in each pixel, from predictions and labelled heights.

        They are restricted to the classes of the prior that are possible at the pixel's height,
        and renormalised. Ground mistaken for a roof thus does not lower the mean height of roofs.

        Args:
            logits: Class scores, ``[B, K, H, W]``.
            heights: In metres, float32 ``[B, H, W]``; NaN where unknown.

        Returns:
            ``[B, K, H, W]``; 0 of all classes where none is possible.
        """
        possible = self.possible(heights)
        given = logits.masked_fill(~possible, -torch.inf).softmax(
            dim=1
        )  # NaN if no class is possible.
        return torch.where(possible, given, 0.0)

    def labelled_shares(self, classes: Tensor, heights: Tensor) -> Tensor:
        """Return the result of :meth:`shares` for labelled classes, int64 ``[B, H, W]``."""
        return (self._masks(classes) & self.listed & ~heights.isnan()[:, None]).float()

    @torch.no_grad()
    def update_means(self, shares: Tensor, heights: Tensor) -> None:
        """Average labelled heights by class.

        Args:
            shares: Weight of a pixel for each class, ``[B, K, H, W]``.
            heights: In metres, float32 ``[B, H, W]``; NaN where unknown.
        """
        of_batch = torch.stack(
            [(shares * heights.nan_to_num()[:, None]).sum((0, 2, 3)), shares.sum((0, 2, 3))]
        )
        average([of_batch])
        self.sums.lerp_(of_batch[0], MOMENTUM)
        self.counts.lerp_(of_batch[1], MOMENTUM)

    def _masks(self, classes: Tensor) -> Tensor:
        """Return the mask of each class, bool ``[B, K, H, W]``."""
        return torch.stack([classes == number for number in range(len(self.sums))], dim=1)

    def mean_height_loss(self, heights: Tensor, classes: Tensor) -> Tensor:
        """Return the distance of a batch's mean heights of labelled classes from the running means.

        This pulls the batch's buildings to the common height even if they are lower or higher.

        Args:
            heights: Heights in the network's unit, ``[B, H, W]``.
            classes: Labels, int64 ``[B, H, W]``.

        Returns:
            The mean over classes of the prior of ``|mean h - remembered mean|``, each weighed by
            its share of the labelled pixels, divided by the task's scale; a scalar.
        """
        means = self.sums / self.counts.clamp(min=torch.finfo(self.counts.dtype).tiny)
        seen = self.counts > 0
        masks = self._masks(classes)
        pixels = masks.sum((0, 2, 3))
        total = (heights[:, None] * masks).sum((0, 2, 3)) * self.height.scale
        away = torch.where(seen, (total - pixels * means).abs(), 0.0)
        return away.sum() / (classes != UNKNOWN_CLASS).sum().clamp(min=1) / self.height.scale

    def class_loss(self, logits: Tensor, heights: Tensor) -> Tensor:
        """Return the cross entropy of the classes that are possible at the height of their pixel.

        Only classes of the prior compete: one without a range would be possible at any height and
        absorb all doubtful pixels. Pixels whose height is in no range of the prior, such as those
        between the ground and the objects on it, do not count.

        Args:
            logits: Class scores, ``[B, K, H, W]``.
            heights: Labels in metres, float32 ``[B, H, W]``.

        Returns:
            The mean over pixels that count of ``-log (Σ p_c / Σ p_d)`` over the possible classes
            ``c`` and all classes ``d`` of the prior; for two classes this is the binary cross
            entropy. A scalar.
        """
        possible = self.possible(heights)
        counts = possible.any(dim=1)
        # If all classes are possible, the loss and its gradient are 0.
        possible = possible | (self.listed & ~counts[:, None])
        of_possible = logits.masked_fill(~possible, -torch.inf).logsumexp(dim=1)
        of_listed = logits.masked_fill(~self.listed, -torch.inf).logsumexp(dim=1)
        return (of_listed - of_possible).sum() / counts.sum().clamp(min=1)

    def agreement_loss(self, logits: Tensor, output: Tensor) -> Tensor:
        """Return how far predicted heights are outside of the ranges of predicted classes.

        Args:
            logits: Class scores, ``[B, K, H, W]``.
            output: The network's output for heights, ``[B, channels, H, W]``.

        Returns:
            The mean over pixels of ``Σ p_c l_c``, where ``p_c`` is the probability of a class of
            the prior, given that it is one of them, and ``l_c`` the task's
            :meth:`~semimtl_geo.tasks.Depth.range_loss`; a scalar.
        """
        given = logits.masked_fill(~self.listed, -torch.inf).softmax(dim=1)
        return (given * self._outside(output)).sum(dim=1).mean()
