"""Adversarial learning (section 3.3): one pass of a discriminator serves both networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from semimtl_geo.learning.alignment import Alignment, discriminator_loss, intra_loss
from semimtl_geo.networks.discriminator import GROUND_TRUTH, average_blocks
from semimtl_geo.tasks import Task
from tiles.settings import check_range


@dataclass(frozen=True)
class AdversarialSettings:
    """Weights λ of the adversarial losses (equation 7), and what discriminators see.

    Attributes:
        intra: Weight of the loss of predictions on labelled domains.
        inter: Weight of the loss of predictions on unlabelled domains.
        stride: Edge in pixels of the blocks that predictions and ground truth are averaged over
            before discriminators see them. The paper's is 1. Decoders predict at half or an eighth
            of the resolution of images, so that a discriminator of every pixel mostly sees what
            interpolation adds. It takes a tenth to a third of a training step
            (benchmarks/step.md).

    Example:
        >>> AdversarialSettings(inter=0.0).intra
        0.001
    """

    intra: float = 0.001
    inter: float = 0.0001
    stride: int = 1

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range("model.adversarial.intra", self.intra, 0)
        check_range("model.adversarial.inter", self.inter, 0)
        check_range("model.adversarial.stride", self.stride, 1)


class AdversarialTerms(NamedTuple):
    """The adversarial terms of one task on one domain.

    Attributes:
        generator_term: A scalar to be added to the generator's loss. Its gradient with respect to G
            is that of λ times equation 3 (labelled) or 4 to 6 (unlabelled); its value has no
            meaning. It is 0 on labelled domains if discriminators do not see ground truth.
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
        settings: λ of equation 7, and the resolution of the discriminators.
        domains: Names of the domains k = 1..K.
        labelled: Numbers, from 0, of the domains with labels, by task.
    """

    alignment: Alignment
    settings: AdversarialSettings
    domains: Sequence[str]
    labelled: Mapping[str, Sequence[int]]

    @property
    def sources(self) -> list[str]:
        """Names of the sources that a discriminator assigns pixels to."""
        return self.alignment.source_names(self.domains)

    def terms(
        self,
        task: Task,
        discriminator: nn.Module,
        domain: int,
        output: Tensor,
        target: Tensor | None,
        loss_scale: Tensor | float = 1.0,
    ) -> AdversarialTerms:
        """Run a task's discriminator on the predictions on one domain.

        One forward pass serves both networks. The generator's gradient passes through D without
        reaching D's weights; the discriminator's gradient stops at the prediction. D is updated
        later, so that separate passes would give the same result.

        Args:
            task: The task.
            discriminator: The task's discriminator.
            domain: The domain, numbered from 0.
            output: Output of the generator, ``[B, channels, H, W]``.
            target: The task's target, ``[B, H, W]``; None on an unlabelled domain.
            loss_scale: Factor of the loss while its gradient passes through the discriminator,
                so that it does not vanish in float16.
        """
        stride = self.settings.stride
        full = task.discriminator_input(output)
        prediction = average_blocks(full, stride)
        detached = prediction.detach().requires_grad_()
        logits = discriminator(detached)
        source = self.alignment.source_of(domain, target is not None)
        of_discriminator = discriminator_loss(logits, source)
        parts = {"discriminator/prediction": of_discriminator}
        counts = {source: _count_sources(logits)}
        if target is None:
            loss = self.alignment.inter_loss(logits, domain, self.labelled[task.name])
            weight, parts["inter"] = self.settings.inter, loss
            parts["variety"] = task.variety(output.detach())
        elif self.alignment.sees_truth:
            loss = intra_loss(logits)
            weight, parts["intra"] = self.settings.intra, loss
            truth, known = task.discriminator_truth(target, full.detach())
            truth, known = average_blocks(truth, stride), average_blocks(known, stride)
            # A separate pass: the generator's gradient above does not involve the ground truth.
            truth_logits = discriminator(truth)
            of_truth = discriminator_loss(truth_logits, GROUND_TRUTH, known)
            parts["discriminator/truth"] = of_truth
            of_discriminator = of_discriminator + of_truth
            counts[GROUND_TRUTH] = _count_sources(truth_logits, known)
        else:
            return AdversarialTerms(output.new_zeros(()), of_discriminator, parts, counts)
        scaled = loss_scale * (weight * task.adversarial_weight) * loss
        (gradient,) = torch.autograd.grad(scaled, detached, retain_graph=True)
        generator_term = (prediction.float() * (gradient.float() / loss_scale)).sum()
        return AdversarialTerms(generator_term, of_discriminator, parts, counts)


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
        """Add the counts of a :class:`AdversarialTerms` of a task."""
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
