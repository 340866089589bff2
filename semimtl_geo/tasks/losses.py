"""Supervised losses over the pixels whose truth is known.

Each returns a mean over known pixels; a batch without any gives 0 with a zero gradient, so that a
crop that shows only unknown ground does no harm.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def cross_entropy(logits: Tensor, target: Tensor, unknown: int) -> Tensor:
    """Mean cross entropy per known pixel.

    Args:
        logits: Class scores, ``[B, K, H, W]``.
        target: Class indices, int64 ``[B, H, W]``; ``unknown`` where nobody knows.
        unknown: The value of unknown pixels.

    Returns:
        A scalar.
    """
    total = F.cross_entropy(logits, target, ignore_index=unknown, reduction="sum")
    return total / (target != unknown).sum().clamp(min=1)


def berhu(prediction: Tensor, target: Tensor) -> Tensor:
    """Reverse Huber loss (Laina et al., 3DV 2016, equation 2).

    ``|x|`` up to the threshold ``c``, ``(x² + c²) / 2c`` beyond it, with ``c`` a fifth of the
    batch's largest absolute residual. ``c`` is taken as a constant in the gradient.

    Args:
        prediction: ``[B, H, W]``.
        target: ``[B, H, W]``, in the same unit; NaN where nobody knows.

    Returns:
        A scalar.
    """
    known = ~torch.isnan(target)
    # where() before abs(), so that no NaN enters the graph of the gradient.
    residual = torch.where(known, prediction - torch.where(known, target, prediction), 0.0).abs()
    threshold = (0.2 * residual.detach().max()).clamp(min=torch.finfo(residual.dtype).tiny)
    far = (residual.square() + threshold.square()) / (2 * threshold)
    return torch.where(residual <= threshold, residual, far).sum() / known.sum().clamp(min=1)
