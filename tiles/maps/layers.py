"""Layers: maps of classes, values or percentages, and how each is stored and styled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from tiles.errors import InvalidValueError
from tiles.maps.auxiliary import class_metadata
from tiles.maps.qgis import class_style, value_style
from tiles.maps.sld import class_sld, value_sld
from tiles.types import UNKNOWN_CLASS, VALUE_NODATA, Color


@dataclass(frozen=True)
class ClassMap:
    """A map of classes, whose pixel value is the number of the class with the highest score.

    Attributes:
        name: Name of the layer.
        classes: Names of the classes 0, 1, ...
        colors: Colours of the classes.

    Example:
        >>> layer = ClassMap("landcover", ["road", "tree"], [(255, 255, 255), (0, 255, 0)])
        >>> layer.channels, layer.dtype, layer.nodata
        (2, 'uint8', 255)
    """

    name: str
    classes: Sequence[str]
    colors: Sequence[Color]

    dtype: ClassVar[str] = "uint8"
    nodata: ClassVar[float] = UNKNOWN_CLASS
    unit: ClassVar[str] = ""
    of: ClassVar[str | None] = None
    overviews: ClassVar[str] = "MODE"
    # Differences between class numbers have no meaning and compress worse.
    predictor: ClassVar[str] = "NO"

    def __post_init__(self) -> None:
        """Check that every class has a value and a colour."""
        if not 1 <= len(self.classes) <= self.nodata or len(self.colors) != len(self.classes):
            fault = (
                f"must have 1 to 255 classes and a colour for each, got {len(self.classes)} classes"
            )
            fault += f" and {len(self.colors)} colours"
            raise InvalidValueError(f"layer {self.name}", fault, "give a colour for each class")

    @property
    def channels(self) -> int:
        """Channels that the network predicts: one per class."""
        return len(self.classes)

    @property
    def descriptions(self) -> Sequence[str]:
        """Description of each band."""
        return (self.name,)

    def style(self) -> str:
        """Return the text of the QGIS style."""
        return class_style(self.classes, self.colors)

    def sld(self) -> str:
        """Return the text of the Styled Layer Descriptor."""
        return class_sld(self.name, self.classes, self.colors)

    def auxiliary(self, counts: Sequence[int]) -> str | None:
        """Return the text of GDAL's auxiliary file: names of classes, and an attribute table.

        Args:
            counts: Number of pixels of each class.
        """
        return class_metadata(self.classes, self.colors, counts)

    def colormap(self) -> dict[int, tuple[int, int, int, int]] | None:
        """Return the colour table (red, green, blue, alpha)."""
        return {value: (*color, 255) for value, color in enumerate(self.colors)}


@dataclass(frozen=True)
class ValueMap:
    """A map of real values.

    Attributes:
        name: Name of the layer.
        unit: Unit of the values, such as m.
        description: Description of the band.
        nodata: Value of unknown pixels.
        low: Value of the first colour of the style's ramp.
        high: Value of the last colour of the style's ramp.

    Example:
        >>> layer = ValueMap("height", unit="m", high=30.0)
        >>> layer.channels, layer.dtype, layer.nodata
        (1, 'float32', -9999.0)
    """

    name: str
    unit: str = ""
    description: str = ""
    nodata: float = VALUE_NODATA
    low: float = 0.0
    high: float = 1.0

    dtype: ClassVar[str] = "float32"
    of: ClassVar[str | None] = None
    overviews: ClassVar[str] = "AVERAGE"
    predictor: ClassVar[str] = "YES"
    channels: ClassVar[int] = 1

    def __post_init__(self) -> None:
        """Check the range and that nodata can be stored."""
        if not self.low < self.high or float(np.float32(self.nodata)) != self.nodata:
            fault = f"must have low < high and nodata exact in float32, got {self.low:g}, "
            fault += f"{self.high:g} and {self.nodata!r}"
            raise InvalidValueError(f"layer {self.name}", fault, "change the layer")

    @property
    def descriptions(self) -> Sequence[str]:
        """Description of each band."""
        return (self.description or self.name,)

    def style(self) -> str:
        """Return the text of the QGIS style."""
        return value_style(self.low, self.high, self.unit)

    def sld(self) -> str:
        """Return the text of the Styled Layer Descriptor."""
        return value_sld(self.name, self.low, self.high, self.unit)

    def auxiliary(self, counts: Sequence[int]) -> str | None:
        """Return None: a map of this kind needs no auxiliary file."""
        return None

    def colormap(self) -> dict[int, tuple[int, int, int, int]] | None:
        """Return None: the colour ramp is in the style."""
        return None


class _Percent:
    """Base class of layers whose pixels are whole percentages."""

    dtype: ClassVar[str] = "uint8"
    nodata: ClassVar[float] = UNKNOWN_CLASS
    unit: ClassVar[str] = "%"
    name: str
    overviews: ClassVar[str] = "AVERAGE"
    predictor: ClassVar[str] = "YES"

    def style(self) -> str:
        """Return the text of the QGIS style, which shows the first band."""
        return value_style(0, 100, self.unit)

    def sld(self) -> str:
        """Return the text of the Styled Layer Descriptor, which shows the first band."""
        return value_sld(self.name, 0, 100, self.unit, band=1)

    def auxiliary(self, counts: Sequence[int]) -> str | None:
        """Return None: a map of this kind needs no auxiliary file."""
        return None

    def colormap(self) -> dict[int, tuple[int, int, int, int]] | None:
        """Return None: the colour ramp is in the style."""
        return None


@dataclass(frozen=True)
class PercentMap(_Percent):
    """A map of probabilities, in whole percent.

    Attributes:
        name: Name of the layer.
        description: Description of the band.
        of: Name of a class map whose highest score it shows; scores of that map must be
            probabilities. By default the network predicts a channel from 0 to 1.

    Example:
        >>> PercentMap("certainty", of="landcover").channels
        0
    """

    name: str
    description: str = ""
    of: str | None = None

    @property
    def channels(self) -> int:
        """Channels that the network predicts: one, or none if it shows a class map's scores."""
        return 1 if self.of is None else 0

    @property
    def descriptions(self) -> Sequence[str]:
        """Description of each band."""
        return (self.description or self.name,)


@dataclass(frozen=True)
class ProbabilityMap(_Percent):
    """A map of the probability of each class, in whole percent: a band per class.

    Attributes:
        name: Name of the layer.
        of: Name of the class map whose scores it shows, which must be probabilities.
        classes: Names of the classes of that map.

    Example:
        >>> layer = ProbabilityMap("probabilities", "landcover", ["road", "tree"])
        >>> layer.channels, layer.descriptions
        (0, ('road', 'tree'))
    """

    name: str
    of: str
    classes: Sequence[str]

    channels: ClassVar[int] = 0

    @property
    def descriptions(self) -> Sequence[str]:
        """Description of each band: the name of its class."""
        return tuple(self.classes)


Layer = ClassMap | ValueMap | PercentMap | ProbabilityMap
"""Any kind of map."""


def band_count(layer: Layer) -> int:
    """Return the number of bands of a map."""
    return len(layer.descriptions)


def _no_number(name: str) -> InvalidValueError:
    remedy = "check the network's weights, and the raster for values that are no colours"
    return InvalidValueError(f"layer {name}", "the network predicted NaN or infinity", remedy)


def encode(layer: Layer, values: torch.Tensor, unknown: torch.Tensor, target: torch.Tensor) -> None:
    """Convert blended scores to pixels of a map.

    Args:
        layer: The map.
        values: Scores, float32 [K, h, w].
        unknown: Mask of unknown pixels, bool [h, w].
        target: Pixels of the layer's type, which are overwritten: [h, w], or [h, bands, w] of a
            :class:`ProbabilityMap`.

    Raises:
        InvalidValueError: If the best score of a known pixel is NaN or infinite, or any score of a
            :class:`ProbabilityMap` is.

    Example:
        >>> layer = ClassMap("landcover", ["road", "tree"], [(255, 255, 255), (0, 255, 0)])
        >>> scores = torch.tensor([[[0.1, 0.9]], [[0.9, 0.1]]])
        >>> unknown = torch.tensor([[False, True]])
        >>> encode(layer, scores, unknown, target := torch.zeros(1, 2, dtype=torch.uint8))
        >>> target
        tensor([[  1, 255]], dtype=torch.uint8)
    """
    if isinstance(layer, ProbabilityMap):
        if not bool((values.isfinite() | unknown).all()):
            raise _no_number(str(layer.of))
        percent = (100 * values).round_().clamp_(0, 100).masked_fill_(unknown, layer.nodata)
        target.copy_(percent.movedim(0, 1))
        return
    best = values[0].clone()
    if isinstance(layer, ClassMap):
        target.zero_()
    for number, score in enumerate(values[1:], start=1):
        if isinstance(layer, ClassMap):
            target.masked_fill_(score > best, number)
        torch.maximum(best, score, out=best)
    best.masked_fill_(unknown, layer.nodata)
    if not bool(best.isfinite().all()):
        raise _no_number(layer.name)
    if isinstance(layer, ValueMap):
        target.copy_(best)
        return
    if isinstance(layer, PercentMap):
        target.copy_(best.mul_(100).round_().clamp_(0, 100))
    target.masked_fill_(unknown, layer.nodata)
