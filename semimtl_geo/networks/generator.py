"""The multi-task network: a shared encoder and one decoder per task (section 3.4)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from segmentation_models_pytorch.decoders.pspnet.decoder import PSPDecoder
from torch import Tensor, nn

from semimtl_geo.networks.batchnorm import BatchNormMode, split_by_domain, use_domain
from semimtl_geo.tasks import Task
from tiles.errors import InputError


class PyramidDecoder(nn.Module):
    """Pyramid pooling on the deepest features (PSPNet), then one score per class.

    Args:
        in_channels: Channels of the deepest features.
        out_channels: Classes.
        width: Channels between.
    """

    def __init__(self, in_channels: int, out_channels: int, width: int) -> None:
        super().__init__()
        self.pyramid = PSPDecoder([in_channels], out_channels=width)
        self.head = nn.Conv2d(width, out_channels, kernel_size=3, padding=1)

    def forward(self, deepest: Tensor) -> Tensor:
        """Decode ``[B, in_channels, h, w]`` to ``[B, out_channels, h, w]``."""
        scores: Tensor = self.head(self.pyramid([deepest]))
        return scores


class UpsamplingDecoder(nn.Module):
    """Convolutions and up-sampling to half of the image's size, then a regression layer.

    Args:
        in_channels: Channels of the deepest features.
        out_channels: Values per pixel.
        width: Channels of the first convolution; each up-sampling halves them.
        steps: Number of times that the resolution doubles.
    """

    def __init__(self, in_channels: int, out_channels: int, width: int, steps: int = 2) -> None:
        super().__init__()
        if width % 2**steps:
            raise InputError(f"decoder width {width}", "is not even enough", "use a multiple of 4")
        self.entry = _convolution(in_channels, width)
        widths = [width // 2**step for step in range(steps + 1)]
        self.steps = nn.ModuleList(
            _convolution(before, after) for before, after in itertools.pairwise(widths)
        )
        self.regression = nn.Conv2d(widths[-1], out_channels, kernel_size=3, padding=1)

    def forward(self, deepest: Tensor) -> Tensor:
        """Decode ``[B, in_channels, h, w]`` to ``[B, out_channels, 2^steps h, 2^steps w]``."""
        features = self.entry(deepest)
        for step in self.steps:
            doubled = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
            features = step(doubled)
        values: Tensor = self.regression(features)
        return values


def _convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


DECODERS: dict[str, type[PyramidDecoder] | type[UpsamplingDecoder]] = {
    "psp": PyramidDecoder,
    "upsampling": UpsamplingDecoder,
}


class Generator(nn.Module):
    """Generator G = {E; F_t}, which predicts every task of an image at once.

    Args:
        tasks: The tasks; each gets a decoder of the kind it names.
        domains: Number of domains, K.
        batchnorm: Statistics of BatchNorm: shared, or one set per domain.
        encoder: The shared encoder, of segmentation_models_pytorch.
        mean: Mean per band of images in 0..1; its length is the number of bands.
        std: Standard deviation per band.
        width: Channels inside the decoders; PSPNet's is 512.

    Example:
        >>> from semimtl_geo.networks import Encoder
        >>> from semimtl_geo.tasks import Depth, Segmentation
        >>> encoder = Encoder("tu-resnet18", weights=None).build(in_channels=3)
        >>> tasks = [Segmentation(), Depth()]
        >>> generator = Generator(tasks, 2, "shared", encoder, [0.5] * 3, [0.25] * 3, width=16)
        >>> outputs = generator.eval()(torch.zeros(1, 3, 64, 64))
        >>> {name: tuple(output.shape) for name, output in outputs.items()}
        {'landcover': (1, 6, 64, 64), 'height': (1, 1, 64, 64)}
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        tasks: Sequence[Task],
        domains: int,
        batchnorm: BatchNormMode,
        encoder: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        width: int = 512,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        deepest: int = encoder.out_channels[-1]  # type: ignore[index, assignment]  # smp's, untyped
        self.decoders = nn.ModuleDict(
            {task.name: DECODERS[task.decoder](deepest, task.channels, width) for task in tasks}
        )
        per_band = (1, len(mean), 1, 1)
        self.register_buffer("mean", torch.tensor(list(mean)).view(per_band), persistent=False)
        self.register_buffer("std", torch.tensor(list(std)).view(per_band), persistent=False)
        if batchnorm == "per_domain":
            split_by_domain(self, domains)

    def use_domain(self, domain: int) -> None:
        """Use the BatchNorm statistics of a domain in forward passes, if it has its own."""
        use_domain(self, domain)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Predict.

        Args:
            images: float32 ``[B, bands, H, W]`` in 0..1, of any H and W.

        Returns:
            Per task, float32 ``[B, channels, H, W]``: class scores, or scaled values.
        """
        deepest = self.encoder((images - self.mean) / self.std)[-1]
        size = images.shape[-2:]
        return {
            name: F.interpolate(
                decoder(deepest).float(), size=size, mode="bilinear", align_corners=False
            )
            for name, decoder in self.decoders.items()
        }
