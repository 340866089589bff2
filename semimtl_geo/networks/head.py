"""The last layer of a decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Head(nn.Conv2d):
    """Convolution to the output, in the precision of its weights also under autocast.

    In bfloat16 a height of 15 m would be rounded to 6 cm.

    Args:
        in_channels: Channels of the decoder.
        out_channels: Channels of the output.

    Example:
        >>> with torch.autocast("cpu", torch.bfloat16):
        ...     print(Head(4, 1)(torch.zeros(1, 4, 8, 8)).dtype)
        torch.float32
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size=3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Return the output ``[B, out_channels, H, W]``."""
        features = features.to(self.weight.dtype)
        if not torch.amp.is_autocast_available(features.device.type):
            return super().forward(features)
        with torch.autocast(features.device.type, enabled=False):
            return super().forward(features)
