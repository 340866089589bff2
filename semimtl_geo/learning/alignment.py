"""Alignment modes: the sources that discriminators distinguish, and those predictions imitate.

A mode is one object in :data:`ALIGNMENTS`; :func:`register_alignment` adds another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from semimtl_geo.networks.discriminator import GROUND_TRUTH
from tiles.errors import InvalidValueError

LABELLED: Final = 0
"""The source of predictions on labelled domains, of a discriminator that sees no ground truth."""

UNLABELLED: Final = 1
"""The source of predictions on unlabelled domains, of such a discriminator."""


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
    sources, and on labelled domains, predictions that pass for ground truth. A mode with another
    loss overrides :meth:`inter_loss`.

    Attributes:
        targets: Function that returns the target sources.
        separates_domains: Whether predictions on each domain are a source of their own (K + 1
            sources); otherwise all predictions are one (2 sources).
        sees_truth: Whether discriminators see ground truth. Otherwise the two sources are the
            predictions on labelled and on unlabelled domains, and those on labelled domains have
            no adversarial loss.

    Example:
        >>> ALIGNMENTS["m2"].source_names(["city_a", "city_b"])
        ['truth', 'city_a', 'city_b']
        >>> ALIGNMENTS["m1"].target_sources(domain=1, count=3, labelled=[0])
        [1]
    """

    targets: Callable[[TargetRequest], Sequence[int]]
    separates_domains: bool = True
    sees_truth: bool = True

    def source_count(self, domains: int) -> int:
        """Return the number of sources for a number of domains."""
        return domains + 1 if self.separates_domains else 2

    def source_of(self, domain: int, labelled: bool = False) -> int:
        """Return the source of predictions on a domain.

        Args:
            domain: The domain, numbered from 0.
            labelled: Whether it has labels for the task.
        """
        if not self.sees_truth:
            return LABELLED if labelled else UNLABELLED
        return domain + 1 if self.separates_domains else 1

    def source_names(self, domains: Sequence[str]) -> list[str]:
        """Return the names of the sources in the order of the discriminator's channels."""
        if not self.sees_truth:
            return ["labelled", "unlabelled"]
        return ["truth", *(domains if self.separates_domains else ["prediction"])]

    def target_sources(self, domain: int, count: int, labelled: Sequence[int]) -> list[int]:
        """Return the sources that predictions on an unlabelled domain should imitate.

        Args:
            domain: The unlabelled domain, numbered from 0.
            count: Number of sources.
            labelled: Domains with labels for the task, numbered from 0.
        """
        of_labelled = [self.source_of(k, labelled=True) for k in labelled]
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
    "adaptsegnet": Alignment(lambda _: [LABELLED], separates_domains=False, sees_truth=False),
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
of all other sources). ``binary`` is the alignment of SemiSD: the discriminator tells ground truth
from predictions, wherever these come from. ``adaptsegnet`` is that of DA: it tells predictions on
labelled domains from those on unlabelled ones, which are to pass for the former (Tsai et al., CVPR
2018, at the output level).
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
