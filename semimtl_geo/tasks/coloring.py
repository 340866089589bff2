"""Colours of maps and their errors as plain arrays: palettes, colour ramps and legends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tiles.types import BoolArray, Color, UInt8Array

TRANSPARENT: Final = 255
"""Palette index of unknown pixels."""

CORRECTNESS_COLORS: Final[Mapping[str, Color]] = {
    "right class": (226, 230, 233),
    "wrong class": (200, 24, 40),
}
"""Colours of a map of misclassified pixels; the order numbers them."""

ERROR_RAMP: Final[Sequence[Color]] = (
    (255, 250, 240),
    (253, 212, 158),
    (252, 141, 89),
    (215, 48, 31),
    (127, 0, 0),
)
"""Colours from no error to a large one."""


class IndexedColors(NamedTuple):
    """An image as palette indices.

    Attributes:
        indices: Index of each pixel's colour, uint8 ``[H, W]``; :data:`TRANSPARENT` where unknown.
        palette: The colours, at most 255.

    Example:
        >>> import numpy as np
        >>> from semimtl_geo.tasks import Segmentation
        >>> image = Segmentation().colorize(np.array([[1, 3]]), np.array([[True, False]]))
        >>> image.rgba().tolist()
        [[[0, 0, 255, 255], [0, 0, 0, 0]]]
    """

    indices: UInt8Array
    palette: Sequence[Color]

    def rgba(self) -> UInt8Array:
        """Return the colours, uint8 ``[H, W, 4]``; alpha is 0 where unknown."""
        table = np.zeros((256, 4), np.uint8)
        table[: len(self.palette), :3] = self.palette
        table[: len(self.palette), 3] = 255
        table[TRANSPARENT] = 0
        return table[self.indices]


@dataclass(frozen=True)
class Ramp:
    """A colour ramp in a legend, from 0 to a highest value.

    Attributes:
        name: Name of the quantity.
        colors: Colours at equal distances, that of 0 first.
        high: Value of the last colour, which larger values share.
        unit: Unit of the values.
    """

    name: str
    colors: Sequence[Color]
    high: float
    unit: str


@dataclass(frozen=True)
class Legend:
    """Meaning of the colours of a figure: single colours, ramps, or both.

    Attributes:
        swatches: Colour of each named entry.
        ramps: Colour ramps.

    Example:
        >>> from semimtl_geo.tasks import Depth, Segmentation
        >>> Segmentation().legend().swatches["building"], Depth().legend().ramps[0].high
        ((0, 0, 255), 20.0)
    """

    swatches: Mapping[str, Color] = field(default_factory=dict)
    ramps: Sequence[Ramp] = ()


def colorize_ramp(
    values: NDArray[Any], known: BoolArray, high: float, ramp: Sequence[Color]
) -> IndexedColors:
    """Colour values from 0 to ``high``.

    Args:
        values: Values ``[H, W]``; those below 0 or above ``high`` get the first or last colour.
        known: Pixels whose value is known, bool ``[H, W]``.
        high: Value of the ramp's last colour.
        ramp: Colours at equal distances.

    Returns:
        The image, with as many shades as a palette holds.
    """
    share = (np.where(known, values, 0) / high).clip(0, 1)
    index = np.where(known, np.rint(share * (TRANSPARENT - 1)), TRANSPARENT)
    stops, shades = np.linspace(0, TRANSPARENT - 1, len(ramp)), np.arange(TRANSPARENT)
    channels = [np.interp(shades, stops, channel) for channel in zip(*ramp, strict=True)]
    palette = np.rint(np.transpose(channels)).astype(int).tolist()
    return IndexedColors(index.astype(np.uint8), [(r, g, b) for r, g, b in palette])


def round_up(value: float) -> float:
    """Round up to a multiple of a fifth of the value's power of ten, such as 12.3 to 14.

    Returns:
        The number; 0 for values that are not positive.
    """
    if value <= 0:
        return 0.0
    unit = 10.0 ** np.floor(np.log10(value))
    return float(unit * np.ceil(5 * value / unit) / 5)
