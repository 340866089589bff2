"""The shared encoder, from segmentation_models_pytorch, with dilated convolutions."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import segmentation_models_pytorch.encoders as smp_encoders
from torch import nn

from semimtl_geo.networks.pretrained import IMAGENET, PACKAGED
from tiles.errors import InputError

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's images in 0..1, per band."""

REMEDY: Final = "use a name of segmentation_models_pytorch, or tu- and a name of timm"


@dataclass(frozen=True)
class Encoder:
    """Encoder, and the weights that it starts from.

    Attributes:
        name: A name of segmentation_models_pytorch (``resnet101``), or ``tu-`` and a name of timm.
        weights: ``imagenet``, which the package holds for ``mobilenet_v2`` and which are fetched
            for others; or ``torchgeo:`` and a name of torchgeo's weights, such as
            ``torchgeo:ResNet50_Weights.FMOW_RGB_GASSL``; or a file with a state dict
            (``.safetensors``, or ``.pth`` of plain tensors) of this architecture, such as
            torchvision's or timm's; or None: random.
        output_stride: The features are this many times smaller than the image; the last stages are
            dilated for it. PSPNet has 8; the paper states none.
        options: Further arguments of a timm model (``channels`` of a slimmer ResNet, say).

    Example:
        >>> encoder = Encoder("tu-resnet18", weights=None, output_stride=16).build(in_channels=3)
        >>> encoder.output_stride
        16
    """

    name: str = "resnet101"
    weights: str | None = "imagenet"
    output_stride: int = 8
    options: dict[str, Any] = field(default_factory=dict)

    def build(self, in_channels: int) -> nn.Module:
        """Make the encoder; ImageNet weights of a hub are fetched.

        Weights from files, from torchgeo and from this package are loaded by
        :func:`semimtl_geo.networks.weights.build_encoder`, not here.

        Args:
            in_channels: Bands of an image.

        Raises:
            InputError: If the name is unknown, or the weights cannot be fetched.
        """
        if not re.fullmatch(r"[\w.-]+", self.name):  # nor an address that timm would download from
            raise InputError(f"encoder {self.name}", "is not the name of an encoder", REMEDY)
        imagenet = self.weights == IMAGENET and self.name not in PACKAGED
        try:
            encoder: nn.Module = smp_encoders.get_encoder(
                self.name,
                in_channels=in_channels,
                depth=5,
                weights=(True if self.name.startswith("tu-") else "imagenet") if imagenet else None,
                output_stride=self.output_stride,
                **self.options,
            )
        except (AssertionError, KeyError, RuntimeError, TypeError, ValueError) as error:
            fault = f"cannot be built ({str(error)[:200]})"
            raise InputError(f"encoder {self.name}", fault, REMEDY) from error
        except OSError as error:  # the hub's errors, when it cannot be reached
            raise InputError(
                f"encoder {self.name}",
                f"its ImageNet weights cannot be fetched ({str(error)[:200]})",
                "give a local file as weights, or none",
            ) from error
        return encoder
