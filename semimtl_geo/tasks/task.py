"""The interface of a task: training, scoring, mapping, figures and descriptions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from semimtl_geo.tasks.coloring import IndexedColors, Legend
from semimtl_geo.tasks.label_findings import Finding
from semimtl_geo.tasks.scores import Score
from tiles.maps.layers import Layer
from tiles.settings import check_range
from tiles.types import BoolArray, Color, LabelKind

if TYPE_CHECKING:
    from torchmetrics import Metric


@dataclass(frozen=True)
class Task(ABC):
    """Base class of what is predicted per pixel.

    Attributes:
        name: Name of its maps, and key of its labels in a batch.
        weight: w_t of equation 1.
        adversarial_weight: Factor on the lambdas of equation 7 for this task.
        label_kind: Whether its label rasters hold classes or real values. Systems that train a
            single task choose it by this.
        decoder: Decoder of the task, a key of :data:`semimtl_geo.networks.decoders.DECODERS`.
        order: Tables and figures show tasks in ascending order.
        main_scores: The paper's scores, which its tables have.
        further_scores: Scores that pages and files of values show besides.
        headline: The one of them that learning curves show.

    Example:
        >>> from semimtl_geo.tasks import Depth
        >>> task: Task = Depth(scale=30.0)
        >>> task.name, task.channels, task.layer().unit, task.headline.name
        ('height', 1, 'm', 'RMSE')
    """

    label_kind: ClassVar[LabelKind]
    order: ClassVar[int] = 100
    main_scores: ClassVar[Sequence[Score]]
    further_scores: ClassVar[Sequence[Score]] = ()
    headline: ClassVar[Score]

    name: str
    weight: float
    adversarial_weight: float
    decoder: str

    def __post_init__(self) -> None:
        """Check the weights.

        Raises:
            InvalidValueError: If one is negative or not finite.
        """
        check_range(f"task {self.name}: weight", self.weight, 0)
        check_range(f"task {self.name}: adversarial_weight", self.adversarial_weight, 0)

    @property
    @abstractmethod
    def channels(self) -> int:
        """Number of channels of estimates, and of the discriminator's input."""

    @property
    def output_channels(self) -> int:
        """Number of channels of the network's output; by default the same as :attr:`channels`."""
        return self.channels

    # --- Labels ----------------------------------------------------------------------------------

    @property
    def label(self) -> str:
        """Key of its labels in a batch: its own name, or that of another task."""
        return self.name

    def resolution_fault(self, gsd: float | None) -> str | None:
        """Return the fault of a task that is not for data of this resolution, or None.

        Args:
            gsd: Ground sampling distance of the data in metres; None for street views.
        """
        return None

    def label_fault(self, labels: Tensor) -> str | None:
        """Return the fault of labels with values that no pixel can have, or None."""
        return None

    def label_findings(self, sample: NDArray[np.float32], low: float) -> Iterator[Finding]:
        """Yield what is wrong or odd about the known values of a label raster; none by default.

        Args:
            sample: Values evenly spread over the raster, ``[n]``, n > 0.
            low: Smallest of all its values.
        """
        yield from ()

    @abstractmethod
    def mask_unknown(self, values: NDArray[Any], known: BoolArray | None = None) -> NDArray[Any]:
        """Convert the pixels of a label raster or map to labels as a batch has them.

        Args:
            values: Values of the file, ``[H, W]``.
            known: Pixels whose value is known, bool ``[H, W]``; all of them if None.

        Returns:
            int64 ``[H, W]``, 255 where unknown, or float32 ``[H, W]``, NaN where unknown.
        """

    def target(self, labels: Tensor) -> Tensor:
        """Derive the target ``[B, H, W]`` from the labels of a batch; by default it is the same."""
        return labels

    # --- Training --------------------------------------------------------------------------------

    @abstractmethod
    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the supervised loss L_gt without its weight, a scalar.

        Args:
            output: Output of the network, ``[B, output_channels, H, W]``.
            target: Result of :meth:`target`, ``[B, H, W]``.
        """

    @abstractmethod
    def discriminator_input(self, output: Tensor) -> Tensor:
        """Convert an output to the discriminator's input, ``[B, channels, H, W]``."""

    @abstractmethod
    def discriminator_truth(self, target: Tensor, prediction: Tensor) -> tuple[Tensor, Tensor]:
        """Convert targets to the discriminator's input.

        Unknown pixels show the prediction, so that holes in the labels do not give the ground truth
        away. They do not count in the discriminator's loss.

        Args:
            target: Result of :meth:`target`, ``[B, H, W]``.
            prediction: Result of :meth:`discriminator_input` for the same pixels.

        Returns:
            The input, ``[B, channels, H, W]``, and which pixels are known, bool ``[B, H, W]``.
        """

    @abstractmethod
    def variety(self, output: Tensor) -> Tensor:
        """Return how much the pixels of an output differ, a scalar; 0 if all are the same.

        For classes this is the share of pixels outside of the commonest class, for values the
        standard deviation in the network's unit.
        """

    # --- Maps and scores -------------------------------------------------------------------------

    @abstractmethod
    def estimate(self, output: Tensor) -> Tensor:
        """Convert an output to probabilities, or to the unit of maps; ``[B, channels, H, W]``."""

    @abstractmethod
    def decide(self, estimate: Tensor) -> Tensor:
        """Convert estimates to the pixels of a map, ``[B, H, W]``: class indices, or values."""

    @abstractmethod
    def layer(self) -> Layer:
        """Return the layer that the mosaicker writes its map as."""

    @abstractmethod
    def scores(self) -> Metric:
        """Build a new metric that compares the pixels of maps with targets."""

    def describe_score(self, score: Score) -> str:
        """Describe a score in words."""
        return score.describe()

    @abstractmethod
    def score_unit(self, score: Score) -> str:
        """Return the unit of a score."""

    # --- Figures ---------------------------------------------------------------------------------

    @property
    def full_scale(self) -> float | None:
        """Value of the last colour of figures by default; None if colours have no scale."""
        return None

    @property
    def class_colors(self) -> Mapping[str, Color]:
        """Colours of classes by their names; empty for tasks without classes."""
        return {}

    @abstractmethod
    def colorize(
        self, values: NDArray[Any], known: BoolArray, high: float | None = None
    ) -> IndexedColors:
        """Colour a label raster or map.

        Args:
            values: Values of the file, ``[H, W]``.
            known: Pixels whose value is known, bool ``[H, W]``.
            high: Value of the last colour, for tasks with a scale; :attr:`full_scale` if None.
        """

    @abstractmethod
    def colorize_error(
        self,
        prediction: NDArray[Any],
        truth: NDArray[Any],
        known: BoolArray,
        high: float | None = None,
    ) -> IndexedColors:
        """Colour the errors of a map.

        Args:
            prediction: Values of the map, ``[H, W]``.
            truth: Values of the label raster, ``[H, W]``.
            known: Pixels that are known in both, bool ``[H, W]``.
            high: Value of the last colour in :meth:`colorize`; errors have a scale of half of it.
        """

    @abstractmethod
    def legend(self, high: float | None = None) -> Legend:
        """Return the legend of :meth:`colorize` with the same ``high``."""

    @abstractmethod
    def error_legend(self, high: float | None = None) -> Legend:
        """Return the legend of figures that show :meth:`colorize_error`, the truth included."""

    # --- Checkpoints -----------------------------------------------------------------------------

    @classmethod
    def kind_name(cls) -> str:
        """Return the class's name in checkpoints."""
        return cls.__name__.lower()

    def settings(self) -> dict[str, Any]:
        """Return plain settings for a checkpoint.

        :func:`semimtl_geo.tasks.from_settings` builds the task from them.
        """
        plain = {key: _plain(value) for key, value in asdict(self).items() if value is not None}
        return {"kind": self.kind_name(), **plain}


def tasks_by_label(tasks: Sequence[Task]) -> dict[str, Task]:
    """Return the task that each label raster belongs to.

    Several tasks may learn from one label; it belongs to the task of its own name, if there is one.

    Args:
        tasks: The tasks.

    Example:
        >>> from semimtl_geo.tasks import Depth, Slope
        >>> tasks_by_label([Depth(), Slope()])["height"].name
        'height'
    """
    found: dict[str, Task] = {}
    for task in tasks:
        if task.label not in found or task.name == task.label:
            found[task.label] = task
    return found


def _plain(value: Any) -> Any:
    """Convert tuples to lists, which checkpoints, YAML and JSON all have."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
