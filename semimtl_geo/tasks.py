"""What is predicted per pixel. A task is one class: its output, loss, scores, and adversary's view.

A third task is a third class here (or a third instance, such as a second class scheme); nothing
else in the package names a task.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from semimtl_geo import losses
from semimtl_geo.data import isprs
from semimtl_geo.metrics import DepthScores, SegmentationScores
from semimtl_geo.systems import Kind
from tiles.layers import ClassMap, Layer, ValueMap


@dataclass(frozen=True)
class Task(ABC):
    """One thing to predict per pixel.

    Attributes:
        name: The key of its labels in a batch, and of its maps.
        weight: w_t of equation 1.
        adversary: What the lambdas of equation 7 are multiplied by for this task.
    """

    kind: ClassVar[Kind]
    decoder: ClassVar[str]

    name: str
    weight: float
    adversary: float

    @property
    @abstractmethod
    def channels(self) -> int:
        """Channels of the network's output."""

    @abstractmethod
    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Supervised loss L_gt, without its weight.

        Args:
            output: The network's output, ``[B, channels, H, W]``.
            target: Labels as in a batch, ``[B, H, W]``.
        """

    def check(self, target: Tensor) -> str | None:
        """What is wrong with labels, if anything: values that no pixel can have."""
        return None

    @abstractmethod
    def judged(self, output: Tensor) -> Tensor:
        """A prediction as its discriminator sees it, ``[B, channels, H, W]``."""

    @abstractmethod
    def judged_truth(self, target: Tensor, prediction: Tensor) -> tuple[Tensor, Tensor]:
        """Labels as the discriminator sees them, and which pixels are known.

        Unknown pixels show the prediction instead, so that a hole in the labels does not give the
        ground truth away; they do not count in the discriminator's loss either.

        Args:
            target: Labels as in a batch, ``[B, H, W]``.
            prediction: What :meth:`judged` made of the output for the same pixels.

        Returns:
            ``[B, channels, H, W]``, and bool ``[B, H, W]``.
        """

    @abstractmethod
    def estimate(self, output: Tensor) -> Tensor:
        """The output in the map's unit, ``[B, channels, H, W]``: probabilities, or metres."""

    @abstractmethod
    def decide(self, estimate: Tensor) -> Tensor:
        """What a map says per pixel, ``[B, H, W]``: class indices, or metres."""

    @abstractmethod
    def scores(self) -> Metric:
        """A fresh metric for decisions against labels."""

    @abstractmethod
    def layer(self) -> Layer:
        """How its map is written."""

    def settings(self) -> dict[str, Any]:
        """Plain settings for a checkpoint; :func:`from_settings` builds the task again."""
        plain = {key: _plain(value) for key, value in asdict(self).items() if value is not None}
        return {"kind": self.kind, **plain}


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
    classes: Sequence[str] = isprs.CLASSES
    colors: Sequence[Sequence[int]] = isprs.COLORS

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
        return losses.cross_entropy(output, target, isprs.UNKNOWN)

    def check(self, target: Tensor) -> str | None:
        """Values must be those of a class, or unknown."""
        strange = target[(target != isprs.UNKNOWN) & ((target < 0) | (target >= self.channels))]
        if strange.numel():
            return f"has the value {int(strange[0])}, there are {self.channels} classes from 0"
        return None

    def judged(self, output: Tensor) -> Tensor:
        """Softmax probabilities."""
        return output.softmax(dim=1)

    def judged_truth(self, target: Tensor, prediction: Tensor) -> tuple[Tensor, Tensor]:
        """One-hot classes."""
        known = target != isprs.UNKNOWN
        classes = torch.where(known, target, 0)
        one_hot = F.one_hot(classes, self.channels).movedim(-1, 1).to(prediction.dtype)
        return torch.where(known[:, None], one_hot, prediction), known

    def estimate(self, output: Tensor) -> Tensor:
        """Softmax probabilities."""
        return output.softmax(dim=1)

    def decide(self, estimate: Tensor) -> Tensor:
        """The likeliest class."""
        return estimate.argmax(dim=1)

    def scores(self) -> Metric:
        """pAcc, mIoU and IoU per class."""
        return SegmentationScores(self.classes, isprs.UNKNOWN)

    def layer(self) -> ClassMap:
        """A paletted map."""
        return ClassMap(self.name, self.classes, tuple((r, g, b) for r, g, b in self.colors))


@dataclass(frozen=True)
class Depth(Task):
    """Height above ground, or inverse depth in street views.

    The network regresses the value divided by ``scale`` (section 4.1: nDSM in [0, 1]), and its loss
    and weight are in that unit.

    Attributes:
        scale: The value that the network shows as 1, in ``unit``.
        unit: The unit of label rasters and maps.
        adversary_gain: The discriminator sees the network's output times this. Heights in [0, 1]
            are mostly near 0, which the discriminator would barely see.
        relative_above: The truth above which AbR and the deltas count, in ``unit``.
    """

    kind: ClassVar[Kind] = "depth"
    decoder: ClassVar[str] = "upsampling"

    name: str = "height"
    weight: float = 0.01
    adversary: float = 1.0
    scale: float = 20.0
    unit: str = "m"
    adversary_gain: float = 4.0
    relative_above: float = 0.0

    @property
    def channels(self) -> int:
        """One."""
        return 1

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """BerHu (section 3.4), on values divided by ``scale``."""
        return losses.berhu(output[:, 0], target / self.scale)

    def judged(self, output: Tensor) -> Tensor:
        """The output times ``adversary_gain``."""
        return output * self.adversary_gain

    def judged_truth(self, target: Tensor, prediction: Tensor) -> tuple[Tensor, Tensor]:
        """The labels in the same unit as :meth:`judged`."""
        known = ~torch.isnan(target)
        truth = target[:, None] * (self.adversary_gain / self.scale)
        return torch.where(known[:, None], truth, prediction), known

    def estimate(self, output: Tensor) -> Tensor:
        """In ``unit``; nothing stands below the ground, nor nearer than infinity's zero."""
        return output.clamp(min=0) * self.scale

    def decide(self, estimate: Tensor) -> Tensor:
        """The value itself."""
        return estimate[:, 0]

    def scores(self) -> Metric:
        """AbR, RMSE and deltas."""
        return DepthScores(self.relative_above)

    def layer(self) -> ValueMap:
        """A real-valued map."""
        description = "height above ground" if self.unit == "m" else self.name
        return ValueMap(self.name, self.unit, description, low=0.0, high=self.scale)


KINDS: dict[str, type[Segmentation] | type[Depth]] = {
    kind.kind: kind for kind in (Segmentation, Depth)
}


def from_settings(settings: Mapping[str, Any]) -> Task:
    """Build a task from :meth:`Task.settings`.

    Raises:
        KeyError: If the kind is unknown.
        TypeError: If the settings do not fit the kind.
    """
    rest = {key: value for key, value in settings.items() if key != "kind"}
    return KINDS[settings["kind"]](**rest)


def _plain(value: Any) -> Any:
    """Tuples as lists: what a checkpoint, YAML and JSON all know."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
