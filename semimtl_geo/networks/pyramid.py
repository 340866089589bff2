"""Pyramid pooling (PSPNet) whose context is a training crop, whatever the size of the image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal, get_args

import torch
import torch.nn.functional as F
from segmentation_models_pytorch.decoders.pspnet.decoder import PSPDecoder
from torch import Tensor, nn

from semimtl_geo.networks.head import Head
from tiles.grid import tile_starts

Pooling = Literal["crop", "image"]
"""Context of pyramid pooling: windows of a training crop's size, or the whole image."""

POOLINGS: Final[tuple[Pooling, ...]] = get_args(Pooling)


class PyramidDecoder(nn.Module):
    """Pyramid pooling on the deepest features (PSPNet), then one score per class.

    PSPNet averages over the whole image. A network that was trained on small crops then sees
    another context on a large image, and its maps become worse. Here each pixel's context comes
    from windows as large as a training crop, which overlap by half and are blended. On an image of
    the size of a window, or a smaller one, both are the same.

    Args:
        in_channels: Channels of the deepest features.
        out_channels: Classes.
        width: Channels between.
        window: Edge of a window in pixels of the features; None pools over the whole image.

    Example:
        >>> decoder = PyramidDecoder(8, 6, width=16, window=4).eval()
        >>> decoder([torch.zeros(1, 8, 12, 10)]).shape
        torch.Size([1, 6, 12, 10])
    """

    def __init__(
        self, in_channels: int, out_channels: int, width: int, window: int | None = None
    ) -> None:
        super().__init__()
        self.window = window
        self.pyramid = PSPDecoder([in_channels], out_channels=width)
        self.head = Head(width, out_channels)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Decode the last of the features ``[B, in_channels, h, w]``, at their resolution."""
        deepest = features[-1]
        if self.window is None or max(deepest.shape[-2:]) <= self.window:
            decoded = self.pyramid([deepest])
        else:
            blocks = self.pyramid.psp.blocks
            contexts = [_context(block, deepest, self.window) for block in blocks]
            joined = torch.cat([*contexts, deepest], dim=1)
            decoded = self.pyramid.dropout(self.pyramid.conv(joined))
        scores: Tensor = self.head(decoded)
        return scores


def _context(block: nn.Module, features: Tensor, window: int) -> Tensor:
    """Apply a block of the pyramid to all windows at once.

    Pooling, up-sampling and blending are linear and separable: two small matrices for each axis.
    """
    convolution: nn.Module = block.pool[1]  # type: ignore[index,assignment]  # smp's, untyped
    bins = int(block.pool_size)  # type: ignore[arg-type]  # smp's, untyped
    rows, columns = (
        _matrices(length, window, bins, features.device) for length in features.shape[-2:]
    )
    pooled = _along_axes(features, rows[0], columns[0])
    return _along_axes(convolution(pooled), rows[1], columns[1])


def _along_axes(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Multiply the rows and the columns of images ``[B, C, H, W]`` with matrices."""
    last = images.permute(0, 2, 3, 1)  # no copy where channels are last in memory
    batch, height, width, channels = last.shape
    rows, columns = rows.to(images.dtype), columns.to(images.dtype)
    high = rows @ last.reshape(batch, height, width * channels)
    wide = columns @ high.reshape(batch * len(rows), width, channels)
    return wide.reshape(batch, len(rows), len(columns), channels).permute(0, 3, 1, 2)


@lru_cache(maxsize=64)
@torch.inference_mode(mode=False)  # what is kept may be used in training
def _matrices(length: int, window: int, bins: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the matrices that pool an axis, and that bring pooled values back to it.

    Args:
        length: Pixels along the axis.
        window: Pixels along a window.
        bins: Bins that a window is divided into.
        device: Device of the matrices.

    Returns:
        float32 ``[windows * bins, length]``, averages as of AdaptiveAvgPool; and
        ``[length, windows * bins]``, bilinear up-sampling within each window and blending of the
        windows by a squared sine.
    """
    window = min(window, length)
    starts = tile_starts(length, window, window // 2)
    average = F.adaptive_avg_pool1d(torch.eye(window)[None], bins)[0].T
    upsample = F.interpolate(torch.eye(bins)[None], size=window, mode="linear", align_corners=True)
    weight = torch.sin(math.pi * (torch.arange(window) + 0.5) / window) ** 2
    pool = torch.zeros(len(starts), bins, length)
    spread = torch.zeros(length, len(starts), bins)
    total = torch.zeros(length)
    for number, start in enumerate(starts):
        pool[number, :, start : start + window] = average
        spread[start : start + window, number] = upsample[0].T * weight[:, None]
        total[start : start + window] += weight
    spread = spread / total[:, None, None]
    return pool.flatten(0, 1).to(device), spread.flatten(1).to(device)
