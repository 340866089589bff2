"""Classes per pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torchmetrics import Metric

from semimtl_geo.class_schemes import ISPRS
from semimtl_geo.tasks import losses
from semimtl_geo.tasks.metrics import SegmentationScores
from semimtl_geo.tasks.task import Kind, Task
from tiles.maps.layers import ClassMap
from tiles.types import UNKNOWN_CLASS


@dataclass(frozen=True)
class Segmentation(Task):
    """Land cover, or any other partition into classes.

    Attributes:
        classes: Class names; the index is the value in label rasters.
        colors: One (R, G, B) per class, 0 to 255.
    """

    kind: ClassVar[Kind] = "segmentation"
    decoder: ClassVar[str] = "psp"

    name: str = "landcover"
    weight: float = 1.0
    adversary: float = 1.0
    classes: Sequence[str] = ISPRS.names
    colors: Sequence[Sequence[int]] = ISPRS.colors

    def __post_init__(self) -> None:
        """Lists, as YAML and checkpoints have them, become tuples."""
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "colors", tuple(tuple(color) for color in self.colors))

    @property
    def channels(self) -> int:
        """One per class."""
        return len(self.classes)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Cross entropy (section 3.4)."""
        return losses.cross_entropy(output, target, UNKNOWN_CLASS)

    def check(self, target: Tensor) -> str | None:
        """Values must be those of a class, or unknown."""
        strange = target[(target != UNKNOWN_CLASS) & ((target < 0) | (target >= self.channels))]
        if strange.numel():
            return f"has the value {int(strange[0])}, there are {self.channels} classes from 0"
        return None

    def judged(self, output: Tensor) -> Tensor:
        """Softmax probabilities."""
        return output.softmax(dim=1)

    def judged_truth(self, target: Tensor, prediction: Tensor) -> tuple[Tensor, Tensor]:
        """One-hot classes."""
        known = target != UNKNOWN_CLASS
        # torch's one_hot reads the largest class, and so waits for it.
        classes = torch.arange(self.channels, device=target.device).view(-1, 1, 1)
        one_hot = (target[:, None] == classes).to(prediction.dtype)
        return torch.where(known[:, None], one_hot, prediction), known

    def variety(self, output: Tensor) -> Tensor:
        """The share of pixels that are not of the commonest class."""
        likeliest = output.max(dim=1).indices  # faster than argmax
        masks = [likeliest == number for number in range(self.channels)]
        return 1 - torch.stack([mask.float().mean() for mask in masks]).max()

    def estimate(self, output: Tensor) -> Tensor:
        """Softmax probabilities."""
        return output.softmax(dim=1)

    def decide(self, estimate: Tensor) -> Tensor:
        """The likeliest class."""
        return estimate.argmax(dim=1)

    def scores(self) -> Metric:
        """pAcc, mIoU and IoU per class."""
        return SegmentationScores(self.classes, UNKNOWN_CLASS)

    def layer(self) -> ClassMap:
        """A paletted map."""
        return ClassMap(self.name, self.classes, tuple((r, g, b) for r, g, b in self.colors))
