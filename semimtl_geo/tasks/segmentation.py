"""The task that predicts a class per pixel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semimtl_geo.class_schemes import ISPRS
from semimtl_geo.tasks import losses
from semimtl_geo.tasks.coloring import CORRECTNESS_COLORS, TRANSPARENT, IndexedColors, Legend
from semimtl_geo.tasks.label_findings import Finding
from semimtl_geo.tasks.scores import (
    MEAN_F1,
    MEAN_IOU,
    MEAN_IOU_OF_MAIN,
    PIXEL_ACCURACY,
    Score,
)
from semimtl_geo.tasks.task import Task
from tiles.errors import InvalidValueError
from tiles.maps.layers import ClassMap
from tiles.settings import check_range
from tiles.types import UNKNOWN_CLASS, BoolArray, Color, LabelKind

if TYPE_CHECKING:
    from torchmetrics import Metric


@dataclass(frozen=True)
class Segmentation(Task):
    """Semantic segmentation: land cover, or any other partition into classes.

    Attributes:
        classes: Class names; the index is the value in label rasters.
        colors: One colour (red, green, blue) per class, 0 to 255.
        lovasz_weight: Weight of the Lovász-Softmax loss, a bound of 1 - mIoU, beside cross entropy.
            It counts all classes of a batch alike, however rare. The paper has none.
        minor: Names of classes that a second mIoU leaves out, such as clutter, or what only one
            domain has.

    Example:
        >>> task = Segmentation(classes=("land", "water"), colors=((0, 128, 0), (0, 0, 255)))
        >>> logits = torch.tensor([1.0, 3.0]).view(1, 2, 1, 1)
        >>> task.classes[task.decide(task.estimate(logits)).item()]
        'water'
    """

    label_kind: ClassVar[LabelKind] = "classes"
    order: ClassVar[int] = 0
    main_scores: ClassVar[Sequence[Score]] = (PIXEL_ACCURACY, MEAN_IOU)
    further_scores: ClassVar[Sequence[Score]] = (MEAN_IOU_OF_MAIN, MEAN_F1)
    headline: ClassVar[Score] = MEAN_IOU

    name: str = "landcover"
    weight: float = 1.0
    adversarial_weight: float = 1.0
    classes: Sequence[str] = ISPRS.names
    colors: Sequence[Sequence[int]] = ISPRS.colors
    lovasz_weight: float = 0.0
    minor: Sequence[str] = ("clutter",)
    decoder: str = "psp"

    def __post_init__(self) -> None:
        """Convert lists, which YAML and checkpoints have, to tuples, and check the classes."""
        super().__post_init__()
        check_range(f"task {self.name}: lovasz_weight", self.lovasz_weight, 0, 1e6)
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "colors", tuple(tuple(color) for color in self.colors))
        object.__setattr__(self, "minor", tuple(self.minor))
        where = f"task {self.name}"
        check_range(f"{where}: number of classes", len(self.classes), 2, UNKNOWN_CLASS)
        if len(set(self.classes)) < len(self.classes):
            raise InvalidValueError(where, "has two classes of one name", "give each its own name")
        if [len(color) for color in self.colors] != [3] * len(self.classes):
            fault = f"must have a colour for each of its {len(self.classes)} classes"
            raise InvalidValueError(where, fault, "give red, green and blue for each class")

    @property
    def channels(self) -> int:
        """Number of classes."""
        return len(self.classes)

    def label_fault(self, labels: Tensor) -> str | None:
        """Report a value that is neither a class nor unknown."""
        invalid = labels[(labels != UNKNOWN_CLASS) & ((labels < 0) | (labels >= self.channels))]
        if invalid.numel():
            return f"has the value {int(invalid[0])}, but classes are 0 to {self.channels - 1}"
        return None

    def label_findings(self, sample: NDArray[np.float32], low: float) -> Iterator[Finding]:
        """Yield values that are no class, and a raster of one class alone."""
        values = np.unique(sample)
        wrong = values[(values < 0) | (values >= self.channels) | (values % 1 != 0)]
        wrong = wrong[wrong != UNKNOWN_CLASS]
        if len(wrong):
            fault = f"has the value {wrong[0]:g}, but classes are 0 to {self.channels - 1}"
            yield Finding(fault, "correct the labels, or declare the value as nodata")
        elif len(values) == 1:
            yield Finding(f"holds class {values[0]:g} only", "check its classes", severe=False)

    def mask_unknown(self, values: NDArray[Any], known: BoolArray | None = None) -> NDArray[Any]:
        """Set unknown pixels to 255; int64."""
        return np.where(True if known is None else known, values, UNKNOWN_CLASS).astype(np.int64)

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the cross entropy (section 3.4), and what :attr:`lovasz_weight` adds."""
        loss = losses.cross_entropy(output, target, UNKNOWN_CLASS)
        if self.lovasz_weight:
            loss = loss + self.lovasz_weight * losses.lovasz_softmax(output, target, UNKNOWN_CLASS)
        return loss

    def discriminator_input(self, output: Tensor) -> Tensor:
        """Return softmax probabilities."""
        return output.softmax(dim=1)

    def discriminator_truth(self, target: Tensor, prediction: Tensor) -> tuple[Tensor, Tensor]:
        """Return one-hot classes."""
        known = target != UNKNOWN_CLASS
        # torch's one_hot looks for the largest class, and so waits for the device.
        classes = torch.arange(self.channels, device=target.device).view(-1, 1, 1)
        one_hot = (target[:, None] == classes).to(prediction.dtype)
        return torch.where(known[:, None], one_hot, prediction), known

    def variety(self, output: Tensor) -> Tensor:
        """Return the share of pixels outside of the commonest class."""
        likeliest = output.max(dim=1).indices  # faster than argmax
        masks = [likeliest == number for number in range(self.channels)]
        return 1 - torch.stack([mask.float().mean() for mask in masks]).max()

    def estimate(self, output: Tensor) -> Tensor:
        """Return softmax probabilities."""
        return output.softmax(dim=1)

    def decide(self, estimate: Tensor) -> Tensor:
        """Return the likeliest class."""
        return estimate.argmax(dim=1)

    def layer(self) -> ClassMap:
        """Return a paletted layer."""
        return ClassMap(self.name, self.classes, self._palette)

    def scores(self) -> Metric:
        """Build the metric of pAcc, mIoU, mF1 and the IoU of each class."""
        from semimtl_geo.tasks.metrics import SegmentationScores

        return SegmentationScores(self.classes, UNKNOWN_CLASS, self.minor)

    def describe_score(self, score: Score) -> str:
        """Describe a score, with the classes that the second mIoU leaves out."""
        minor = [name for name in self.minor if name in self.classes]
        return score.describe(above=f" without {' and '.join(minor)}" if minor else "")

    def score_unit(self, score: Score) -> str:
        """Return %."""
        return "%"

    @property
    def class_colors(self) -> Mapping[str, Color]:
        """Colours of the classes by their names, in the classes' order."""
        return dict(zip(self.classes, self._palette, strict=True))

    @property
    def _palette(self) -> tuple[Color, ...]:
        return tuple((r, g, b) for r, g, b in self.colors)

    def colorize(
        self, values: NDArray[Any], known: BoolArray, high: float | None = None
    ) -> IndexedColors:
        """Give each pixel the colour of its class; values without a class count as unknown."""
        known = known & (values >= 0) & (values < self.channels)
        index = np.where(known, values, TRANSPARENT).astype(np.uint8)
        return IndexedColors(index, self._palette)

    def colorize_error(
        self,
        prediction: NDArray[Any],
        truth: NDArray[Any],
        known: BoolArray,
        high: float | None = None,
    ) -> IndexedColors:
        """Tell right from wrong pixels by two colours."""
        known = known & (truth >= 0) & (truth < self.channels) & (prediction < self.channels)
        index = np.where(known, prediction != truth, TRANSPARENT).astype(np.uint8)
        return IndexedColors(index, tuple(CORRECTNESS_COLORS.values()))

    def legend(self, high: float | None = None) -> Legend:
        """Return the colours of the classes."""
        return Legend(swatches=self.class_colors)

    def error_legend(self, high: float | None = None) -> Legend:
        """Return the colours of right and wrong pixels."""
        return Legend(swatches=CORRECTNESS_COLORS)
