"""The discriminator of section 3.4: it assigns each pixel of a label map to its source."""

from __future__ import annotations

import itertools
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from tiles.errors import InvalidValueError

GROUND_TRUTH: Final = 0
"""The output channel of ground truth; the channels after it are of predictions."""

SMALLEST_INPUT: Final = 32
"""Smallest height and width of an input in pixels: five layers of stride 2 leave one cell."""


def check_crop(crop: int, stride: int) -> None:
    """Check that crops of training are large enough for discriminators.

    Args:
        crop: Edge of a crop in pixels.
        stride: Pixels of a crop per pixel of a discriminator's input.

    Raises:
        InvalidValueError: If they are not.
    """
    if crop // stride < SMALLEST_INPUT:
        fault = f"must be >= {SMALLEST_INPUT * stride} px for the discriminators, got {crop}"
        smaller = " or a smaller model.adversarial.stride" if stride > 1 else ""
        raise InvalidValueError("data.crop", fault, f"use a larger crop{smaller}")


def average_blocks(maps: Tensor, edge: int) -> Tensor:
    """Average maps over square blocks of pixels.

    Args:
        maps: ``[B, C, H, W]``; or a mask, bool ``[B, H, W]``.
        edge: Edge of a block in pixels. What is left at the right and the bottom is cut off.

    Returns:
        ``[B, C, H // edge, W // edge]``; or the mask of the blocks that are all True.

    Example:
        >>> average_blocks(torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]]), 2)
        tensor([[[[0.5000]]]])
    """
    if edge == 1:
        return maps
    if maps.dtype == torch.bool:
        return F.avg_pool2d(maps.float(), edge) == 1
    return F.avg_pool2d(maps, edge)


class Discriminator(nn.Module):
    """Discriminator of five 4x4 convolutions of stride 2, with up-sampling to the input's size.

    The first four are spectrally normalised and followed by a leaky ReLU of slope 0.2; the channels
    are 64, 128, 256, 512 and the number of sources.

    Args:
        in_channels: Channels of the task's discriminator input.
        sources: Classes to tell apart (K + 1: ground truth, and predictions on K domains).
        width: Channels of the first layer; the paper's is 64.

    Example:
        >>> discriminator = Discriminator(in_channels=6, sources=3, width=4)
        >>> discriminator(torch.zeros(1, 6, 64, 64)).shape
        torch.Size([1, 3, 64, 64])
    """

    def __init__(self, in_channels: int, sources: int, width: int = 64) -> None:
        super().__init__()
        channels = [in_channels, width, 2 * width, 4 * width, 8 * width]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(channels):
            layers += [
                spectral_norm(nn.Conv2d(before, after, kernel_size=4, stride=2, padding=1)),
                nn.LeakyReLU(0.2),
            ]
        layers.append(nn.Conv2d(channels[-1], sources, kernel_size=4, stride=2, padding=1))
        # Convolutions of few channels are faster with the channels last in memory.
        self.layers = nn.Sequential(*layers).to(memory_format=torch.channels_last)

    def forward(self, label_map: Tensor) -> Tensor:
        """Assign each pixel of label maps to a source.

        Args:
            label_map: ``[B, in_channels, H, W]``, H and W at least 32.

        Returns:
            Logits ``[B, sources, H, W]``.

        Raises:
            ValueError: If the maps are too small for five halvings.
        """
        size = label_map.shape[-2:]
        if min(size) < SMALLEST_INPUT:
            raise ValueError(
                f"a discriminator needs at least {SMALLEST_INPUT} x {SMALLEST_INPUT} px, "
                f"got {size[0]} x {size[1]}"
            )
        channels_last = label_map.contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.layers(channels_last).float()
        return F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
