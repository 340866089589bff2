"""Label images: from colours to classes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from semimtl_geo.prepare.rasters.raw_raster import Picture
from semimtl_geo.prepare.rasters.resampling import ROWS
from tiles.errors import InputError
from tiles.types import UNKNOWN_CLASS, Color, UInt8Array

NEAR = 32
"""A colour within so many steps per channel of a class's colour is that class's."""

STRANGE = 0.01
"""A label image with a larger part of other colours is not what it is taken for."""

_OTHER = 254


class ColourCode:
    """Tells classes by their colours.

    Args:
        colors: Colours (red, green, blue) of the classes 0, 1, ...
        unknown: Colours of pixels whose class is unknown.
    """

    def __init__(self, colors: Sequence[Color], unknown: Sequence[Color]) -> None:
        self._table = np.full((256, 256, 256), _OTHER, np.uint8)
        every = [*enumerate(colors), *((UNKNOWN_CLASS, color) for color in unknown)]
        gaps = [
            max(abs(a - b) for a, b in zip(one, other, strict=True))
            for (_, one), (_, other) in combinations(every, 2)
        ]
        near = min([NEAR, *((gap - 1) // 2 for gap in gaps)])
        for number, color in every:
            box = tuple(slice(max(0, part - near), part + near + 1) for part in color)
            self._table[box] = number

    def decode(self, image: npt.NDArray[np.uint8]) -> UInt8Array:
        """Classes [H, W] of an image [3, H, W]; 255 where unknown or of a colour of no class."""
        found: UInt8Array = self._table[image[0], image[1], image[2]]
        found[found == _OTHER] = UNKNOWN_CLASS
        return found

    def check(self, picture: Picture, remedy: str) -> int:
        """Check that an image is one of labels.

        Args:
            picture: Its three bands.
            remedy: What to do about an image of other colours.

        Returns:
            How many of its pixels have a colour of no class. They are unknown.

        Raises:
            InputError: It is none: more than `STRANGE` of its pixels have such a colour.
        """
        if len(picture.bands) != 3 or picture.dtype != np.uint8:
            fault = f"has {len(picture.bands)} bands of {picture.dtype}, not a colour (3 of uint8)"
            raise InputError(picture.name, fault, remedy)
        strange, example = 0, ""
        for top in range(0, picture.height, ROWS):
            rows = top, min(top + ROWS, picture.height)
            image, _ = picture.read(rows, (0, picture.width))
            other = self._table[image[0], image[1], image[2]] == _OTHER
            if other.any():
                strange += int(other.sum())
                row, column = np.argwhere(other)[0]
                example = example or ", ".join(str(part) for part in image[:, row, column])
        pixels = picture.height * picture.width
        if strange > STRANGE * pixels:
            fault = f"{strange} of {pixels} px have a colour of no class, such as {example}"
            raise InputError(picture.name, fault, remedy)
        return strange
