"""Adversarial losses: what a discriminator learns, and how predictions are aligned with truth.

A discriminator says of each pixel which distribution it comes from: class 0 is ground truth, class
``k + 1`` the prediction on domain ``k`` (paper, section 3.2). The paper sums over the pixels of a
map; here every loss is a mean over pixels, so that the weights lambda do not depend on the size of
a crop. Its published weights are of the size that suits a mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

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
