"""What a map shows: classes, values or percentages, and how each is stored and styled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from tiles.maps.qgis import category_names, class_style, value_style
from tiles.types import Color


@dataclass(frozen=True)
class ClassMap:
    """A map of classes: the pixel value is the number of the likeliest class.

    Attributes:
        name: Name of the layer.
        classes: Names of the classes 0, 1, ...
        colors: Their colours (red, green, blue), 0..255.
    """

    name: str
    classes: Sequence[str]
    colors: Sequence[Color]

    dtype: ClassVar[str] = "uint8"
    nodata: ClassVar[float] = 255
    unit: ClassVar[str] = ""
    overviews: ClassVar[str] = "MODE"
    # Differences of class numbers mean nothing and compress worse.
    predictor: ClassVar[str] = "NO"

    def __post_init__(self) -> None:
        """Check that every class has a value and a colour."""
        if not 1 <= len(self.classes) <= self.nodata or len(self.colors) != len(self.classes):
            raise ValueError(f"{self.name}: give 1 to 255 classes, and a colour for each")

    @property
    def channels(self) -> int:
        """Channels that `predict` answers: one per class."""
        return len(self.classes)

    @property
    def description(self) -> str:
        """What the band is called."""
        return self.name

    def style(self) -> str:
        """Text of the QGIS style."""
        return class_style(self.classes, self.colors)

    def auxiliary(self) -> str | None:
        """Text of GDAL's auxiliary file."""
        return category_names(self.classes)

    def colormap(self) -> dict[int, tuple[int, int, int, int]] | None:
        """Colour table (red, green, blue, alpha)."""
        return {value: (*color, 255) for value, color in enumerate(self.colors)}


@dataclass(frozen=True)
class ValueMap:
    """A map of real values.

    Attributes:
        name: Name of the layer.
        unit: Unit of the values, such as m.
        description: What the band is called.
        nodata: Value of unknown pixels.
        low: Value at the foot of the style's colour ramp.
        high: Value at its top.
    """

    name: str
    unit: str = ""
    description: str = ""
    nodata: float = -9999.0
    low: float = 0.0
    high: float = 1.0

    dtype: ClassVar[str] = "float32"
    overviews: ClassVar[str] = "AVERAGE"
    predictor: ClassVar[str] = "YES"
    channels: ClassVar[int] = 1

    def __post_init__(self) -> None:
        """Check the range and that nodata can be stored."""
        if not self.low < self.high or float(np.float32(self.nodata)) != self.nodata:
            raise ValueError(f"{self.name}: low < high, and nodata a float32 number")

    def style(self) -> str:
        """Text of the QGIS style."""
        return value_style(self.low, self.high, self.unit)

    def auxiliary(self) -> str | None:
        """Text of GDAL's auxiliary file: none, the GeoTIFF says it all."""
        return None

    def colormap(self) -> dict[int, tuple[int, int, int, int]] | None:
        """Colour table: none, real values have a ramp in the style."""
        return None


@dataclass(frozen=True)
class PercentMap:
    """A map of probabilities, in whole percent.

    Attributes:
        name: Name of the layer.
        description: What the band is called.
        of: Name of a class map whose highest score it shows (which must be a probability then);
            by default `predict` answers it, as one channel from 0 to 1.
    """

    name: str
    description: str = ""
    of: str | None = None

    dtype: ClassVar[str] = "uint8"
    nodata: ClassVar[float] = 255
    unit: ClassVar[str] = "%"
    overviews: ClassVar[str] = "AVERAGE"
    predictor: ClassVar[str] = "YES"

    @property
    def channels(self) -> int:
        """Channels that `predict` answers: one, or none if it shows a class map's scores."""
        return 1 if self.of is None else 0

    def style(self) -> str:
        """Text of the QGIS style."""
        return value_style(0, 100, self.unit)

    def auxiliary(self) -> str | None:
        """Text of GDAL's auxiliary file: none, the GeoTIFF says it all."""
        return None

    def colormap(self) -> dict[int, tuple[int, int, int, int]] | None:
        """Colour table: none, percentages have a ramp in the style."""
        return None


Layer = ClassMap | ValueMap | PercentMap


def encode(layer: Layer, values: torch.Tensor, unknown: torch.Tensor, target: torch.Tensor) -> None:
    """Turn blended scores into pixels of a map.

    Args:
        layer: The map.
        values: float32 [K, h, w].
        unknown: bool [h, w].
        target: [h, w] of the layer's type, written to.
    """
    best = values[0].clone()
    if isinstance(layer, ClassMap):
        target.zero_()
    for number, score in enumerate(values[1:], start=1):
        if isinstance(layer, ClassMap):
            target.masked_fill_(score > best, number)
        torch.maximum(best, score, out=best)
    best.masked_fill_(unknown, layer.nodata)
    if bool(best.isnan().any()):
        raise ValueError(f"predict answered NaN for {layer.name!r}")
    if isinstance(layer, ValueMap):
        target.copy_(best)
        return
    if isinstance(layer, PercentMap):
        target.copy_(best.mul_(100).round_().clamp_(0, 100))
    target.masked_fill_(unknown, layer.nodata)
