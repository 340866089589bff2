"""Augmentation of whole batches on their device by kornia: flips, scale, blur, colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from kornia import augmentation as kornia
from kornia.constants import DataKey
from torch import Tensor, nn


@dataclass(frozen=True)
class Augmentation:
    """How training chips are varied (section 4.1, after EncNet: Zhang et al., CVPR 2018).

    Attributes:
        flip: Mirror left and right.
        from_above: The view has no up: mirror top and bottom and turn by quarters too. If not, it
            is a street view.
        scale: Smallest and largest magnification; 1 and 1 for none. What leaves the chip is lost,
            what is missing is mirrored. From above, values of labels (metres above ground) stay as
            they are. In a street view they are inverse depths: what looks twice as large is half
            as far (Eigen et al., NIPS 2014, section 3.4), so they are magnified too.
        blur: Probability of a slight blur.
        brightness: Largest change, of 1.
        contrast: Largest relative change.
        gamma: Largest relative change of the exponent.
    """

    flip: bool = True
    from_above: bool = True
    scale: tuple[float, float] = (0.5, 2.0)
    blur: float = 0.2
    brightness: float = 0.1
    contrast: float = 0.2
    gamma: float = 0.2

    def build(self) -> Augment:
        """The module that does it."""
        return Augment(self)


class Augment(nn.Module):
    """Varies a batch: image and labels by the same geometry, the image's colours besides."""

    def __init__(self, settings: Augmentation) -> None:
        super().__init__()
        geometry: list[Any] = []
        if settings.flip:
            geometry.append(kornia.RandomHorizontalFlip(p=0.5))
        if settings.from_above:
            geometry.append(kornia.RandomVerticalFlip(p=0.5))
            geometry.append(kornia.RandomRotation90(times=(0, 3), p=1.0))
        if settings.scale != (1.0, 1.0):
            geometry.append(
                kornia.RandomAffine(
                    degrees=0.0, scale=tuple(settings.scale), padding_mode="reflection", p=1.0
                )
            )
        self.geometry = kornia.AugmentationSequential(
            *geometry,
            data_keys=["input", "mask"],
            # By nearest neighbour no label is mixed with another, nor with an unknown one.
            extra_args={DataKey.MASK: {"resample": "nearest", "align_corners": False}},
        )
        self.moves = bool(geometry)
        self.nears = not settings.from_above and settings.scale != (1.0, 1.0)
        self.colours = nn.Sequential(
            kornia.RandomGaussianBlur((3, 3), (0.1, 1.0), p=settings.blur),
            kornia.RandomBrightness((1 - settings.brightness, 1 + settings.brightness), p=0.5),
            kornia.RandomContrast((1 - settings.contrast, 1 + settings.contrast), p=0.5),
            kornia.RandomGamma((1 - settings.gamma, 1 + settings.gamma), p=0.5),
        )

    @torch.no_grad()
    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Vary a batch.

        Args:
            batch: ``image`` float32 ``[B, C, H, W]`` in 0..1; labels ``[B, H, W]``, int64 or
                float32.

        Returns:
            The same keys, shapes and types.
        """
        labels = [key for key in batch if key != "image"]
        image = batch["image"]
        masks = [batch[key].to(image.dtype) for key in labels]
        # A mask is always given, so that a domain draws the same random numbers whether its labels
        # are supervised or hidden.
        stack = torch.stack([*masks, torch.zeros_like(image[:, 0])], dim=1)
        if self.moves:
            image, stack = self.geometry(image, stack)
        varied = {key: stack[:, i].to(batch[key].dtype) for i, key in enumerate(labels)}
        if self.nears:
            magnified = self._magnification(image)
            for key, values in varied.items():
                if values.is_floating_point():
                    varied[key] = values * magnified
        return {"image": self.colours(image).clamp(0, 1), **varied}

    def _magnification(self, image: Tensor) -> Tensor:
        """How many times each image was magnified just now, ``[B, 1, 1]``."""
        matrix = self.geometry.transform_matrix
        assert isinstance(matrix, Tensor)  # noqa: S101 - all of the geometry is affine
        return matrix[:, :2, :2].det().abs().sqrt().view(-1, 1, 1).to(image.dtype)
