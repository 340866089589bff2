"""What a task is: its output, targets, loss, scores, and how a discriminator sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor
from torchmetrics import Metric

from tiles.maps.layers import Layer


@dataclass(frozen=True)
class Task(ABC):
    """One thing to predict per pixel.

    Attributes:
        name: The key of its labels in a batch, and of its maps.
        weight: w_t of equation 1.
        adversary: What the lambdas of equation 7 are multiplied by for this task.
        kind: Which of the paper's two tasks it goes with, where a system trains one of them alone.
        decoder: Its decoder, a key of :data:`semimtl_geo.networks.generator.DECODERS`.
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

    @property
    def label(self) -> str:
        """The key in a batch of the labels that it learns from: its own name, or another task's."""
        return self.name

    def target(self, labels: Tensor) -> Tensor:
        """What it learns, ``[B, H, W]``, from labels as in a batch: these, or derived from them."""
        return labels

    @abstractmethod
    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Supervised loss L_gt, without its weight.

        Args:
            output: The network's output, ``[B, channels, H, W]``.
            target: What :meth:`target` made of the labels, ``[B, H, W]``.
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
            target: What :meth:`target` made of the labels, ``[B, H, W]``.
            prediction: What :meth:`judged` made of the output for the same pixels.

        Returns:
            ``[B, channels, H, W]``, and bool ``[B, H, W]``.
        """

    @abstractmethod
    def variety(self, output: Tensor) -> Tensor:
        """How unlike the pixels of a prediction are, a scalar; 0 if they are all the same.

        The share of pixels that are not of the commonest class, or the standard deviation in the
        network's unit.
        """

    @abstractmethod
    def estimate(self, output: Tensor) -> Tensor:
        """The output in the map's unit, ``[B, channels, H, W]``: probabilities, or metres."""

    @abstractmethod
    def decide(self, estimate: Tensor) -> Tensor:
        """What a map says per pixel, ``[B, H, W]``: class indices, or metres."""

    @abstractmethod
    def scores(self) -> Metric:
        """A fresh metric for decisions against targets."""

    @abstractmethod
    def layer(self) -> Layer:
        """How its map is written."""

    def settings(self) -> dict[str, Any]:
        """Plain settings for a checkpoint; :func:`semimtl_geo.tasks.from_settings` undoes it."""
        plain = {key: _plain(value) for key, value in asdict(self).items() if value is not None}
        return {"kind": type(self).__name__.lower(), **plain}


def _plain(value: Any) -> Any:
    """Tuples as lists: what a checkpoint, YAML and JSON all know."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


Kind = Literal["segmentation", "depth"]
