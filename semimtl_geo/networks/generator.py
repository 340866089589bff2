"""The multi-task network: a shared encoder and one decoder per task (section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semimtl_geo.networks.batchnorm import BatchNormMode, split_by_domain, use_domain
from semimtl_geo.networks.decoders import SkipDecoder, build_decoder
from semimtl_geo.networks.pyramid import PyramidDecoder
from semimtl_geo.tasks import Task

SKIP_MULTIPLE: Final = 32
"""Images are padded to a multiple of this for decoders with skip connections.

They join stages of an encoder, each of which must be half as large as the one before.
"""


class Generator(nn.Module):
    """Generator G = {E; F_t}, which predicts every task of an image at once.

    Args:
        tasks: The tasks; each gets a decoder of the kind it names.
        domains: Number of domains, K.
        batchnorm: Sharing of BatchNorm statistics between domains.
        encoder: The shared encoder, of segmentation_models_pytorch.
        mean: Mean per band of images in 0..1; its length is the number of bands.
        std: Standard deviation per band.
        width: Channels inside the decoders; PSPNet's is 512.
        context: Edge in pixels of the windows that pyramid pooling averages over; None: the whole
            image.

    Example:
        >>> from semimtl_geo.networks import Encoder
        >>> from semimtl_geo.tasks import Depth, Segmentation
        >>> encoder = Encoder("tu-resnet18", weights=None).build(in_channels=3)
        >>> tasks = [Segmentation(), Depth()]
        >>> generator = Generator(tasks, 2, "mixed", encoder, [0.5] * 3, [0.25] * 3, width=16)
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
        context: int | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        # segmentation_models_pytorch does not declare these attributes.
        channels: Sequence[int] = encoder.out_channels  # type: ignore[assignment]
        stride = int(encoder.output_stride)  # type: ignore[arg-type]
        self.decoders = nn.ModuleDict(
            {
                task.name: build_decoder(
                    task.decoder, channels, task.output_channels, width, stride
                )
                for task in tasks
            }
        )
        if context is not None:
            for decoder in self.decoders.values():
                if isinstance(decoder, PyramidDecoder):
                    decoder.window = -(-context // stride)
        skips = any(isinstance(decoder, SkipDecoder) for decoder in self.decoders.values())
        self.multiple = SKIP_MULTIPLE if skips else 1
        per_band = (1, len(mean), 1, 1)
        self.register_buffer("mean", torch.tensor(list(mean)).view(per_band), persistent=False)
        self.register_buffer("std", torch.tensor(list(std)).view(per_band), persistent=False)
        if batchnorm == "per_domain":
            split_by_domain(self, domains)
        # On a CPU, 1.1 to 2.4 times as fast as with the channels first, in either precision.
        self.to(memory_format=torch.channels_last)

    def use_domain(self, domain: int) -> None:
        """Use the BatchNorm statistics of a domain in forward passes, if it has its own."""
        use_domain(self, domain)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Predict.

        Args:
            images: float32 ``[B, bands, H, W]`` in 0..1, of any H and W.

        Returns:
            Per task, float32 ``[B, output_channels, H, W]``: class scores, or scaled values.
        """
        size = images.shape[-2:]
        right, bottom = (-extent % self.multiple for extent in reversed(size))
        padded = F.pad(images, (0, right, 0, bottom), mode="replicate")
        normalised = (padded - self.mean) / self.std
        features = self.encoder(normalised.contiguous(memory_format=torch.channels_last))
        return {
            name: F.interpolate(
                decoder(features).float(),
                size=padded.shape[-2:],
                mode="bilinear",
                align_corners=False,
            )[..., : size[0], : size[1]]
            for name, decoder in self.decoders.items()
        }
