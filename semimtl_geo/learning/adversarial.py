"""What a discriminator's answer means for both sides, and how often it was right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semimtl_geo.tasks import Task


class Verdict(NamedTuple):
    """The adversarial terms of one task on one domain.

    Attributes:
        fooling: Its gradient with respect to G is that of lambda times equation 3 (labelled) or one
            of 4 to 6 (unlabelled); its value means nothing. A scalar.
        telling: Equation 2 of the prediction, and of the ground truth if there is any, for D.
        parts: The single losses, to be logged.
        taken: Pixels per class that D took them for, int64 ``[S]``, by the class that they are of.
    """

    fooling: Tensor
    telling: Tensor
    parts: dict[str, Tensor]
    taken: dict[int, Tensor]


@dataclass(frozen=True)
class Adversary:
    """How predictions are aligned.

    Attributes:
        alignment: The mode.
        weights: Lambda of equation 7.
        domains: Names of the domains k = 1..K.
        labelled: By task, the domains that have labels for it, numbered from 0.
    """

    alignment: Alignment
    weights: AdversarialWeights
    domains: Sequence[str]
    labelled: Mapping[str, Sequence[int]]

    @property
    def sources(self) -> list[str]:
        """Names of the classes that a discriminator tells apart."""
        predictions = ["prediction"] if self.alignment == "binary" else list(self.domains)
        return ["truth", *predictions]

    def judge(
        self, task: Task, discriminator: nn.Module, k: int, output: Tensor, target: Tensor | None
    ) -> Verdict:
        """Let a task's discriminator look at the predictions on one domain.

        It looks once. Its answer serves both losses: the gradient of G's goes through it and stops
        short of D's weights, that of D's stops short of the prediction. D does not change in
        between, so nothing is lost by that.

        Args:
            task: The task.
            discriminator: Its discriminator.
            k: The domain, numbered from 0.
            output: The generator's output, ``[B, channels, H, W]``.
            target: What it should be, as the task wants it; None on an unlabelled domain.
        """
        prediction = task.judged(output)
        seen = prediction.detach().requires_grad_()
        answer = discriminator(seen)
        if target is not None:
            kind, weight = "intra", self.weights.intra
            fooling = intra_loss(answer)
        else:
            kind, weight = "inter", self.weights.inter
            fooling = inter_loss(answer, self.alignment, k, self.labelled[task.name])
        weight *= task.adversary
        (gradient,) = torch.autograd.grad(weight * fooling, seen, retain_graph=True)

        source = source_of(self.alignment, k)
        telling = discriminator_loss(answer, source)
        parts = {kind: fooling, "discriminator/prediction": telling}
        taken = {source: _counts(answer)}
        if target is not None:
            truth, known = task.judged_truth(target, seen.detach())
            # By itself: G's gradient above need not go through it.
            of_truth = discriminator(truth)
            parts["discriminator/truth"] = discriminator_loss(of_truth, GROUND_TRUTH, known)
            telling = telling + parts["discriminator/truth"]
            taken[GROUND_TRUTH] = _counts(of_truth, known)
        else:
            parts["variety"] = task.variety(output.detach())
        return Verdict((prediction * gradient).sum(), telling, parts, taken)


@torch.no_grad()
def _counts(answer: Tensor, known: Tensor | None = None) -> Tensor:
    """Pixels per likeliest class; sums rather than bincount, which would wait for the device."""
    said = answer.max(dim=1).indices  # ten times faster than argmax on a CPU
    masks = [said == source for source in range(answer.shape[1])]
    return torch.stack([(mask if known is None else mask & known).sum() for mask in masks])


class Confusion:
    """How often each source is taken for which, over what one iteration saw; on the device.

    Args:
        sources: Names of the sources.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        self.sources = sources
        self.counts: dict[str, dict[int, Tensor]] = {}

    def add(self, task: str, taken: Mapping[int, Tensor]) -> None:
        """Count what :meth:`Adversary.judge` says of a task."""
        rows = self.counts.setdefault(task, {})
        for source, row in taken.items():
            rows[source] = rows[source] + row if source in rows else row

    def shares(self) -> dict[str, Tensor]:
        """``confusion/<task>/<source> as <source>``: shares of the pixels of the first, scalars."""
        return {
            f"confusion/{task}/{self.sources[source]} as {name}": share
            for task, rows in self.counts.items()
            for source, row in sorted(rows.items())
            for name, share in zip(
                self.sources, (row / row.sum().clamp(min=1)).unbind(), strict=True
            )
        }


@dataclass(frozen=True)
class AdversarialWeights:
    """λ of equation 7.

    Attributes:
        intra: Of predictions on labelled domains.
        inter: Of predictions on unlabelled domains.
    """

    intra: float = 0.001
    inter: float = 0.0001


Alignment = Literal["binary", "m1", "m2", "m3"]
"""How predictions on unlabelled domains are aligned.

``m1`` with the predictions on labelled domains (equation 4), ``m2`` with ground truth (equation 5),
``m3`` away from their own domain, with both of these (equation 6). ``binary`` is the alignment of
DA and SemiSD: one class for ground truth and one for predictions, wherever they come from.
"""


GROUND_TRUTH = 0
"""The discriminator's class of ground truth."""


def source_count(alignment: Alignment, domains: int) -> int:
    """Number of classes that a discriminator tells apart: K + 1, or 2 for ``binary``."""
    return 2 if alignment == "binary" else domains + 1


def source_of(alignment: Alignment, domain: int) -> int:
    """The discriminator's class of predictions on a domain (numbered from 0)."""
    return 1 if alignment == "binary" else domain + 1


def discriminator_loss(logits: Tensor, source: int, known: Tensor | None = None) -> Tensor:
    """Cross entropy of one input to a discriminator (equation 2), mean over pixels.

    Args:
        logits: The discriminator's answer, ``[B, S, H, W]``.
        source: The class that the input belongs to.
        known: Pixels that count, bool ``[B, H, W]``; all of them if None.

    Returns:
        A scalar.
    """
    surprise = -F.log_softmax(logits, dim=1)[:, source]
    if known is None:
        return surprise.mean()
    return torch.where(known, surprise, 0.0).sum() / known.sum().clamp(min=1)


def intra_loss(logits: Tensor) -> Tensor:
    """Equation 3: predictions on a labelled domain shall pass for ground truth.

    Args:
        logits: The discriminator's answer to the predictions, ``[B, S, H, W]``.
    """
    return discriminator_loss(logits, GROUND_TRUTH)


def inter_loss(
    logits: Tensor, alignment: Alignment, domain: int, labelled: Sequence[int]
) -> Tensor:
    """Equations 4 to 6: align the predictions on a domain that has no labels for the task.

    With more than one labelled domain, ``m1`` aligns with predictions on any of them: the
    probability of equation 4 is the sum over these domains.

    Args:
        logits: The discriminator's answer to the predictions, ``[B, S, H, W]``.
        alignment: The mode.
        domain: The domain of the predictions, numbered from 0.
        labelled: The domains that have labels for the task, numbered from 0.

    Returns:
        A scalar.
    """
    if alignment in ("binary", "m2"):
        return discriminator_loss(logits, GROUND_TRUTH)
    if alignment == "m1":
        wanted = [source_of(alignment, k) for k in labelled]
    else:  # -log(1 - p) is the cross entropy of all the other classes together
        wanted = [s for s in range(logits.shape[1]) if s != source_of(alignment, domain)]
    log_probability = F.log_softmax(logits, dim=1)[:, wanted].logsumexp(dim=1)
    return -log_probability.mean()
