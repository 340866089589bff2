"""Augmentation: its settings, and flips, blur and colour changes of whole batches by kornia."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import torch
from kornia import augmentation as kornia
from kornia.constants import DataKey
from torch import Tensor, nn

from tiles.errors import InvalidValueError
from tiles.settings import check_range

MOST_MAGNIFIED: Final = 16
"""Bound of the magnification and of its reciprocal."""


@dataclass(frozen=True)
class Augmentation:
    """Settings of the augmentation (section 4.1, after EncNet: Zhang et al., CVPR 2018).

    Attributes:
        flip: Whether chips are mirrored left to right at random.
        from_above: Whether the view has no up, so that chips are also mirrored top to bottom and
            rotated by quarter turns. False for street views.
        scale: Smallest and largest magnification; 1 and 1 for none. A crop that is magnified by
            0.5 shows twice the ground in each direction, see
            :class:`tiles.datasets.ResizedChips`.
        blur: Probability of a slight blur.
        brightness: Largest value that is added to or subtracted from an image in 0..1.
        contrast: Largest relative change of the contrast.
        gamma: Largest relative change of the exponent.

    Example:
        >>> batch = {"image": torch.rand(2, 3, 32, 32), "height": torch.rand(2, 32, 32)}
        >>> augmented = Augmentation(blur=0.5).build()(batch)
        >>> augmented["height"].shape
        torch.Size([2, 32, 32])
    """

    flip: bool = True
    from_above: bool = True
    scale: tuple[float, float] = (0.5, 2.0)
    blur: float = 0.2
    brightness: float = 0.1
    contrast: float = 0.2
    gamma: float = 0.2

    def __post_init__(self) -> None:
        """Check the magnification."""
        low, high = (*self.scale, math.nan)[:2]
        if len(self.scale) != 2 or not 0 < low <= high < float("inf"):
            fault = f"must be two numbers > 0, the smaller first, got {list(self.scale)}"
            raise InvalidValueError("data.augmentation.scale", fault, "give [1, 1] for none")
        check_range("data.augmentation.scale[0]", low, 1 / MOST_MAGNIFIED)
        check_range("data.augmentation.scale[1]", high, 1 / MOST_MAGNIFIED, MOST_MAGNIFIED)
        for name in ("blur", "brightness", "contrast", "gamma"):
            check_range(f"data.augmentation.{name}", getattr(self, name), 0, 1)

    def build(self) -> Augment:
        """Make the module that augments batches; crops are magnified when they are read."""
        return Augment(self)


class Augment(nn.Module):
    """Module that mirrors and turns image and labels alike, and changes the image's colours.

    Args:
        settings: Kinds and strengths of the transforms.
    """

    def __init__(self, settings: Augmentation) -> None:
        super().__init__()
        geometry: list[Any] = []
        if settings.flip:
            geometry.append(kornia.RandomHorizontalFlip(p=0.5))
        if settings.from_above:
            geometry.append(kornia.RandomVerticalFlip(p=0.5))
            geometry.append(kornia.RandomRotation90(times=(0, 3), p=1.0))
        self.geometry = kornia.AugmentationSequential(
            *geometry,
            data_keys=["input", "mask"],
            # Nearest-neighbour resampling mixes neither labels nor known and unknown pixels.
            extra_args={DataKey.MASK: {"resample": "nearest", "align_corners": False}},
        )
        self.changes_geometry = bool(geometry)
        self.colours = nn.Sequential(
            kornia.RandomGaussianBlur((3, 3), (0.1, 1.0), p=settings.blur),
            kornia.RandomBrightness((1 - settings.brightness, 1 + settings.brightness), p=0.5),
            kornia.RandomContrast((1 - settings.contrast, 1 + settings.contrast), p=0.5),
            kornia.RandomGamma((1 - settings.gamma, 1 + settings.gamma), p=0.5),
        )

    @torch.no_grad()
    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Augment a batch.

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
        if self.changes_geometry:
            image, stack = self.geometry(image, stack)
        result = {key: stack[:, i].to(batch[key].dtype) for i, key in enumerate(labels)}
        return {"image": self.colours(image).clamp(0, 1), **result}
