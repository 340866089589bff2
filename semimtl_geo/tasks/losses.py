"""Supervised losses: means over the pixels whose label is known.

A batch without any known pixel has a loss of 0 and a zero gradient.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from segmentation_models_pytorch.losses import LovaszLoss
from torch import Tensor


def cross_entropy(logits: Tensor, target: Tensor, unknown: int) -> Tensor:
    """Return the mean cross entropy of known pixels.

    Args:
        logits: Class scores, ``[B, K, H, W]``.
        target: Class indices, int64 ``[B, H, W]``.
        unknown: Class index of unknown pixels.

    Returns:
        A scalar.
    """
    total = F.cross_entropy(logits, target, ignore_index=unknown, reduction="sum")
    return total / (target != unknown).sum().clamp(min=1)


def lovasz_softmax(logits: Tensor, target: Tensor, unknown: int) -> Tensor:
    """Return the Lovász-Softmax loss (Berman et al., CVPR 2018) of known pixels.

    It is a convex bound of 1 - IoU, averaged over the classes that the batch's labels hold.

    Args:
        logits: Class scores, ``[B, K, H, W]``.
        target: Class indices, int64 ``[B, H, W]``.
        unknown: Class index of unknown pixels.

    Returns:
        A scalar.
    """
    if not (target != unknown).any():
        return logits.sum() * 0
    loss: Tensor = LovaszLoss("multiclass", ignore_index=unknown)(logits.float(), target)
    return loss


def root_mean_square(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the root of the mean squared error of known pixels.

    Args:
        prediction: Predicted values, ``[B, H, W]``.
        target: True values in the same unit, ``[B, H, W]``; NaN where unknown.

    Returns:
        A scalar. Its gradient is 0 where it is 0, rather than infinite.
    """
    known = ~torch.isnan(target)
    residual = torch.where(known, prediction - torch.where(known, target, prediction), 0.0)
    mean = residual.square().sum() / known.sum().clamp(min=1)
    return mean.clamp(min=torch.finfo(mean.dtype).tiny).sqrt()


def berhu(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the reverse Huber loss (Laina et al., 3DV 2016, equation 2).

    ``|x|`` up to the threshold ``c``, ``(x² + c²) / 2c`` beyond it, with ``c`` a fifth of the
    batch's largest absolute residual. No gradient flows through ``c``.

    Args:
        prediction: Predicted values, ``[B, H, W]``.
        target: True values in the same unit, ``[B, H, W]``; NaN where unknown.

    Returns:
        A scalar.
    """
    known = ~torch.isnan(target)
    # where() comes before abs(), so that no NaN enters the gradient.
    residual = torch.where(known, prediction - torch.where(known, target, prediction), 0.0).abs()
    threshold = (0.2 * residual.detach().max()).clamp(min=torch.finfo(residual.dtype).tiny)
    far = (residual.square() + threshold.square()) / (2 * threshold)
    return torch.where(residual <= threshold, residual, far).sum() / known.sum().clamp(min=1)
