"""Decoders of tasks: the paper's two (section 3.4), and further ones with skip connections."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import torch.nn.functional as F
from segmentation_models_pytorch.decoders.deeplabv3.decoder import DeepLabV3PlusDecoder
from segmentation_models_pytorch.decoders.fpn.decoder import FPNDecoder
from segmentation_models_pytorch.decoders.segformer.decoder import SegformerDecoder
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder
from torch import Tensor, nn

from semimtl_geo.networks.head import Head
from semimtl_geo.networks.pyramid import PyramidDecoder
from tiles.errors import InvalidValueError


class UpsamplingDecoder(nn.Module):
    """Convolutions with up-sampling by 4 (to half the image's size at stride 8), and a regression.

    Args:
        in_channels: Channels of the deepest features.
        out_channels: Values per pixel.
        width: Channels of the first convolution; each up-sampling halves them.
        steps: Number of times that the resolution doubles.
    """

    def __init__(self, in_channels: int, out_channels: int, width: int, steps: int = 2) -> None:
        super().__init__()
        self.entry = _convolution(in_channels, width)
        widths = [width // 2**step for step in range(steps + 1)]
        self.steps = nn.ModuleList(
            _convolution(before, after) for before, after in itertools.pairwise(widths)
        )
        self.regression = Head(widths[-1], out_channels)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Decode the last of the features to ``[B, out_channels, 2^steps h, 2^steps w]``."""
        decoded = self.entry(features[-1])
        for step in self.steps:
            doubled = F.interpolate(decoded, scale_factor=2, mode="bilinear", align_corners=False)
            decoded = step(doubled)
        values: Tensor = self.regression(decoded)
        return values


class SkipDecoder(nn.Module):
    """A decoder of segmentation_models_pytorch with skip connections, then one score per class.

    Args:
        decoder: The decoder.
        width: Channels of what it returns.
        out_channels: Classes, or values per pixel.
    """

    def __init__(self, decoder: nn.Module, width: int, out_channels: int) -> None:
        super().__init__()
        self.decoder = decoder
        self.head = Head(width, out_channels)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Decode the features of all stages, the image first."""
        scores: Tensor = self.head(self.decoder([*features]))
        return scores


def _convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def _unet(channels: Sequence[int], out_channels: int, width: int, stride: int) -> nn.Module:
    """Build U-Net up to half of the image's size: the full size would cost four times as much."""
    widths = [width, width // 2, width // 4, width // 4]
    return SkipDecoder(UnetDecoder(channels, widths, n_blocks=4), widths[-1], out_channels)


def _fpn(channels: Sequence[int], out_channels: int, width: int, stride: int) -> nn.Module:
    decoder = FPNDecoder([*channels], pyramid_channels=width, segmentation_channels=width)
    return SkipDecoder(decoder, width, out_channels)


def _deeplab(channels: Sequence[int], out_channels: int, width: int, stride: int) -> nn.Module:
    decoder = DeepLabV3PlusDecoder(
        channels,
        encoder_depth=5,
        out_channels=width,
        atrous_rates=(12, 24, 36),
        output_stride=8 if stride == 8 else 16,
        aspp_separable=True,
        aspp_dropout=0.5,
    )
    return SkipDecoder(decoder, width, out_channels)


def _segformer(channels: Sequence[int], out_channels: int, width: int, stride: int) -> nn.Module:
    decoder = SegformerDecoder([*channels], segmentation_channels=width)
    return SkipDecoder(decoder, width, out_channels)


def _upernet(channels: Sequence[int], out_channels: int, width: int, stride: int) -> nn.Module:
    return SkipDecoder(UPerNetDecoder(channels, decoder_channels=width), width, out_channels)


BuildDecoder = Callable[[Sequence[int], int, int, int], nn.Module]
"""Called with the encoder's channels per stage, output channels, width and output stride."""

DECODERS: Final[Mapping[str, BuildDecoder]] = {
    "psp": lambda channels, out, width, _: PyramidDecoder(channels[-1], out, width),
    "upsampling": lambda channels, out, width, _: UpsamplingDecoder(channels[-1], out, width),
    "unet": _unet,
    "fpn": _fpn,
    "deeplabv3plus": _deeplab,
    "segformer": _segformer,
    "upernet": _upernet,
}
"""Decoders by name: the paper's ``psp`` for classes and ``upsampling`` for values, and those of
segmentation_models_pytorch, which suit an encoder of stride 32 (``deeplabv3plus``: 8 or 16)."""

_WIDTHS: Final[Mapping[str, int]] = {"upsampling": 4, "unet": 4, "fpn": 32}
"""Numbers that widths must be multiples of: of halvings, or of groups that are normalised."""

_STRIDES: Final[Mapping[str, Sequence[int]]] = {"fpn": (32,), "deeplabv3plus": (8, 16)}
"""Output strides of the encoder that a decoder can handle; all of them if it is not named here."""


def build_decoder(
    name: str, channels: Sequence[int], out_channels: int, width: int, stride: int
) -> nn.Module:
    """Build a decoder.

    Args:
        name: A key of :data:`DECODERS`.
        channels: Channels of the encoder's stages, the image first.
        out_channels: Channels of the output.
        width: Channels between.
        stride: Output stride of the encoder.

    Raises:
        InvalidValueError: If no decoder has this name, or its width or the stride does not suit it.

    Example:
        >>> decoder = build_decoder("fpn", (3, 8, 8, 16, 16, 32), 6, width=32, stride=32)
        >>> sizes = [(3, 64), (8, 32), (8, 16), (16, 8), (16, 4), (32, 2)]
        >>> import torch
        >>> decoder([torch.zeros(1, c, size, size) for c, size in sizes]).shape
        torch.Size([1, 6, 16, 16])
    """
    if name not in DECODERS:
        fault = f"no decoder is called {name}"
        raise InvalidValueError("task.decoder", fault, f"use one of {', '.join(DECODERS)}")
    if stride not in (strides := _STRIDES.get(name, (stride,))):
        fault = f"{name} cannot decode an encoder of output stride {stride}"
        remedy = f"set model.encoder.output_stride to {' or '.join(map(str, strides))}"
        raise InvalidValueError("task.decoder", fault, remedy)
    if width % (multiple := _WIDTHS.get(name, 1)):
        fault = f"{name} needs a multiple of {multiple}, got {width}"
        raise InvalidValueError("model.decoder_width", fault, "correct it")
    return DECODERS[name](channels, out_channels, width, stride)
