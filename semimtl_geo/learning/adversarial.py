"""Adversarial learning (section 3.3): alignment modes, and the losses of both networks.

An alignment mode is one object in :data:`ALIGNMENTS`; :func:`register_alignment` adds another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semimtl_geo.networks.discriminator import GROUND_TRUTH
from semimtl_geo.tasks import Task
from tiles.errors import InvalidValueError


@dataclass(frozen=True)
class AdversarialWeights:
    """Weights λ of the adversarial losses (equation 7).

    Attributes:
        intra: Weight of the loss of predictions on labelled domains.
        inter: Weight of the loss of predictions on unlabelled domains.

    Example:
        >>> AdversarialWeights(inter=0.0).intra
        0.001
    """

    intra: float = 0.001
    inter: float = 0.0001


# --- Losses ------------------------------------------------------------------------------------


def discriminator_loss(logits: Tensor, source: int, known: Tensor | None = None) -> Tensor:
    """Return the cross entropy of one input to a discriminator (equation 2), mean over pixels.

    Args:
        logits: Output of the discriminator, ``[B, S, H, W]``.
        source: The true source of the input, a channel of the output.
        known: Pixels that count, bool ``[B, H, W]``; all of them if None.

    Returns:
        A scalar.
    """
    surprise = -F.log_softmax(logits, dim=1)[:, source]
    if known is None:
        return surprise.mean()
    return torch.where(known, surprise, 0.0).sum() / known.sum().clamp(min=1)


def intra_loss(logits: Tensor) -> Tensor:
    """Return the loss of predictions on a labelled domain (equation 3), a scalar.

    The generator minimises it by predictions that pass for ground truth.

    Args:
        logits: Output of the discriminator for the predictions, ``[B, S, H, W]``.
    """
    return discriminator_loss(logits, GROUND_TRUTH)


class TargetRequest(NamedTuple):
    """Facts from which an alignment mode chooses its target sources.

    Attributes:
        source: The source of predictions on the unlabelled domain itself.
        labelled: The sources of predictions on domains with labels.
        source_count: Number of sources.
    """

    source: int
    labelled: Sequence[int]
    source_count: int


@dataclass(frozen=True)
class Alignment:
    """Alignment of predictions on unlabelled domains.

    The discriminator assigns each pixel to a source: ground truth, or the predictions on a domain.
    On an unlabelled domain the generator learns predictions that pass for one of the mode's target
    sources. A mode with another loss overrides :meth:`inter_loss`.

    Attributes:
        targets: Function that returns the target sources.
        separates_domains: Whether predictions on each domain are a source of their own (K + 1
            sources); otherwise all predictions are one (2 sources).

    Example:
        >>> ALIGNMENTS["m2"].source_names(["city_a", "city_b"])
        ['truth', 'city_a', 'city_b']
        >>> ALIGNMENTS["m1"].target_sources(domain=1, count=3, labelled=[0])
        [1]
    """

    targets: Callable[[TargetRequest], Sequence[int]]
    separates_domains: bool = True

    def source_count(self, domains: int) -> int:
        """Return the number of sources for a number of domains."""
        return domains + 1 if self.separates_domains else 2

    def source_of(self, domain: int) -> int:
        """Return the source of predictions on a domain, which is numbered from 0."""
        return domain + 1 if self.separates_domains else 1

    def source_names(self, domains: Sequence[str]) -> list[str]:
        """Return the names of the sources in the order of the discriminator's channels."""
        return ["truth", *(domains if self.separates_domains else ["prediction"])]

    def target_sources(self, domain: int, count: int, labelled: Sequence[int]) -> list[int]:
        """Return the sources that predictions on an unlabelled domain shall pass for.

        Args:
            domain: The unlabelled domain, numbered from 0.
            count: Number of sources.
            labelled: Domains with labels for the task, numbered from 0.
        """
        of_labelled = [self.source_of(k) for k in labelled]
        return list(self.targets(TargetRequest(self.source_of(domain), of_labelled, count)))

    def inter_loss(self, logits: Tensor, domain: int, labelled: Sequence[int]) -> Tensor:
        """Return the loss of predictions on an unlabelled domain (equations 4 to 6), a scalar.

        It is the cross entropy of the union of the target sources: their probabilities are added.

        Args:
            logits: Output of the discriminator for the predictions, ``[B, S, H, W]``.
            domain: The domain of the predictions, numbered from 0.
            labelled: Domains with labels for the task, numbered from 0.
        """
        targets = self.target_sources(domain, logits.shape[1], labelled)
        if len(targets) == 1:
            return discriminator_loss(logits, targets[0])
        return -F.log_softmax(logits, dim=1)[:, targets].logsumexp(dim=1).mean()


ALIGNMENTS: Final[dict[str, Alignment]] = {
    "binary": Alignment(lambda _: [GROUND_TRUTH], separates_domains=False),
    "m1": Alignment(lambda request: request.labelled),
    "m2": Alignment(lambda _: [GROUND_TRUTH]),
    "m3": Alignment(
        lambda request: [s for s in range(request.source_count) if s != request.source]
    ),
}
"""Alignment modes by name.

``m1`` aligns with the predictions on labelled domains (equation 4), ``m2`` with ground truth
(equation 5), ``m3`` away from the predictions' own domain (equation 6: ``1 - p`` is the probability
of all other sources). ``binary`` is the alignment of DA and SemiSD: the discriminator tells ground
truth from predictions, wherever these come from.
"""


def register_alignment(name: str, alignment: Alignment) -> None:
    """Register an alignment mode, so that a :class:`~semimtl_geo.learning.System` can use it.

    Raises:
        InvalidValueError: If the name is taken.

    Example:
        >>> register_alignment("truth_or_labelled", Alignment(lambda r: [0, *r.labelled]))
        >>> ALIGNMENTS.pop("truth_or_labelled").target_sources(domain=1, count=3, labelled=[0])
        [0, 1]
    """
    if name in ALIGNMENTS:
        raise InvalidValueError(f"alignment {name}", "is registered already", "choose another name")
    ALIGNMENTS[name] = alignment


# --- One discriminator pass for both networks --------------------------------------------------


class Verdict(NamedTuple):
    """The adversarial terms of one task on one domain.

    Attributes:
        generator_term: A scalar to be added to the generator's loss. Its gradient with respect to G
            is that of λ times equation 3 (labelled) or 4 to 6 (unlabelled); its value has no
            meaning.
        discriminator_loss: Equation 2 of the prediction, and of the ground truth if there is any.
        parts: The single losses, for the log.
        confusion_counts: Number of pixels by true source that the discriminator assigns to
            each source, int64 ``[S]``.
    """

    generator_term: Tensor
    discriminator_loss: Tensor
    parts: dict[str, Tensor]
    confusion_counts: dict[int, Tensor]


@dataclass(frozen=True)
class Adversary:
    """The adversarial part of a training run.

    Attributes:
        alignment: The alignment mode.
        weights: λ of equation 7.
        domains: Names of the domains k = 1..K.
        labelled: Numbers, from 0, of the domains with labels, by task.
    """

    alignment: Alignment
    weights: AdversarialWeights
    domains: Sequence[str]
    labelled: Mapping[str, Sequence[int]]

    @property
    def sources(self) -> list[str]:
        """Names of the sources that a discriminator assigns pixels to."""
        return self.alignment.source_names(self.domains)

    def judge(
        self,
        task: Task,
        discriminator: nn.Module,
        k: int,
        output: Tensor,
        target: Tensor | None,
        loss_scale: Tensor | float = 1.0,
    ) -> Verdict:
        """Run a task's discriminator on the predictions on one domain.

        A single forward pass serves both networks. The gradient of the generator's loss goes
        through the discriminator without reaching its weights, that of the discriminator's loss
        stops at the prediction. D is stepped later, so that two passes would give the same.

        Args:
            task: The task.
            discriminator: The task's discriminator.
            k: The domain, numbered from 0.
            output: Output of the generator, ``[B, channels, H, W]``.
            target: The task's target, ``[B, H, W]``; None on an unlabelled domain.
            loss_scale: Factor of the loss while its gradient passes through the discriminator,
                so that it does not vanish in float16.
        """
        prediction = task.discriminator_input(output)
        detached = prediction.detach().requires_grad_()
        logits = discriminator(detached)
        if target is not None:
            name, weight = "intra", self.weights.intra
            loss = intra_loss(logits)
        else:
            name, weight = "inter", self.weights.inter
            loss = self.alignment.inter_loss(logits, k, self.labelled[task.name])
        weight *= task.adversary
        scaled = loss_scale * weight * loss
        (gradient,) = torch.autograd.grad(scaled, detached, retain_graph=True)
        gradient = gradient.float() / loss_scale

        source = self.alignment.source_of(k)
        of_discriminator = discriminator_loss(logits, source)
        parts = {name: loss, "discriminator/prediction": of_discriminator}
        counts = {source: _count_sources(logits)}
        if target is not None:
            truth, known = task.discriminator_truth(target, detached.detach())
            # A separate pass: the generator's gradient above does not involve the ground truth.
            truth_logits = discriminator(truth)
            of_truth = discriminator_loss(truth_logits, GROUND_TRUTH, known)
            parts["discriminator/truth"] = of_truth
            of_discriminator = of_discriminator + of_truth
            counts[GROUND_TRUTH] = _count_sources(truth_logits, known)
        else:
            parts["variety"] = task.variety(output.detach())
        return Verdict((prediction.float() * gradient).sum(), of_discriminator, parts, counts)


@torch.no_grad()
def _count_sources(logits: Tensor, known: Tensor | None = None) -> Tensor:
    """Count the pixels per likeliest source, int64 ``[S]``."""
    likeliest = logits.max(dim=1).indices  # Ten times faster than argmax on a CPU.
    masks = [likeliest == source for source in range(logits.shape[1])]
    # Sums rather than bincount, which would wait for the device.
    return torch.stack([(mask if known is None else mask & known).sum() for mask in masks])


class Confusion:
    """The discriminators' confusion matrices over one iteration, kept on the device.

    Args:
        sources: Names of the sources.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        self.sources = sources
        self.counts: dict[str, dict[int, Tensor]] = {}

    def add(self, task: str, confusion_counts: Mapping[int, Tensor]) -> None:
        """Add the counts of a :class:`Verdict` of a task."""
        rows = self.counts.setdefault(task, {})
        for source, row in confusion_counts.items():
            rows[source] = rows[source] + row if source in rows else row

    def shares(self) -> dict[str, Tensor]:
        """Return ``confusion/<task>/<source> as <source>``: shares of the first source's pixels."""
        return {
            f"confusion/{task}/{self.sources[source]} as {name}": share
            for task, rows in self.counts.items()
            for source, row in sorted(rows.items())
            for name, share in zip(
                self.sources, (row / row.sum().clamp(min=1)).unbind(), strict=True
            )
        }
