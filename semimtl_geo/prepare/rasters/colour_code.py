"""Label images whose colours stand for classes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final

import numpy as np

from semimtl_geo.prepare.rasters.raw_raster import RawRaster
from semimtl_geo.prepare.rasters.resampling import WINDOW_ROWS
from tiles.errors import InputError
from tiles.types import UNKNOWN_CLASS, Color, UInt8Array

TOLERANCE: Final = 32
"""Largest difference per channel at which a colour still counts as that of a class."""

MAX_UNMATCHED: Final = 0.01
"""Largest share of pixels without a class's colour; an image with more is no label image."""

_UNMATCHED: Final = 254


class ColourCode:
    """Look-up table from colours to classes.

    Colours near that of a class count as that of the class, as JPEG and resampling change them. The
    tolerance is lowered where two classes' colours lie close to each other.

    Args:
        colors: Colours (red, green, blue) of the classes 0, 1, ...
        unknown: Colours of pixels whose class is unknown.
    """

    def __init__(self, colors: Sequence[Color], unknown: Sequence[Color]) -> None:
        self._table = np.full((256, 256, 256), _UNMATCHED, np.uint8)
        coded = [*enumerate(colors), *((UNKNOWN_CLASS, color) for color in unknown)]
        gaps = [
            max(abs(a - b) for a, b in zip(one, other, strict=True))
            for (_, one), (_, other) in combinations(coded, 2)
        ]
        tolerance = min([TOLERANCE, *((gap - 1) // 2 for gap in gaps)])
        for number, color in coded:
            cube = tuple(slice(max(0, part - tolerance), part + tolerance + 1) for part in color)
            self._table[cube] = number

    def decode(self, image: UInt8Array) -> UInt8Array:
        """Convert colours to classes.

        Args:
            image: Colours, uint8 [3, H, W].

        Returns:
            Classes, uint8 [H, W]; 255 where unknown and where the colour is that of no class.
        """
        classes: UInt8Array = self._table[image[0], image[1], image[2]]
        classes[classes == _UNMATCHED] = UNKNOWN_CLASS
        return classes

    def check(self, raster: RawRaster, remedy: str) -> int:
        """Check that a raster is a label image of these colours.

        Args:
            raster: Raster whose three bands are read.
            remedy: Remedy if it is not.

        Returns:
            Number of pixels whose colour is that of no class; they become unknown.

        Raises:
            InputError: If the raster has no three bands of uint8, or more than `MAX_UNMATCHED` of
                its pixels have such a colour.
        """
        if len(raster.bands) != 3 or raster.dtype != np.uint8:
            fault = f"must have 3 bands of uint8, has {len(raster.bands)} of {raster.dtype}"
            raise InputError(raster.name, fault, remedy)
        count, example = 0, ""
        for top in range(0, raster.height, WINDOW_ROWS):
            rows = top, min(top + WINDOW_ROWS, raster.height)
            image, _ = raster.read(rows, (0, raster.width))
            unmatched = self._table[image[0], image[1], image[2]] == _UNMATCHED
            if unmatched.any():
                count += int(unmatched.sum())
                row, column = np.argwhere(unmatched)[0]
                example = example or ", ".join(str(part) for part in image[:, row, column])
        pixels = raster.height * raster.width
        if count > MAX_UNMATCHED * pixels:
            fault = f"{count} of {pixels} px have the colour of no class, such as {example}"
            raise InputError(raster.name, fault, remedy)
        return count


def unmatched_remark(count: int) -> str:
    """Return the remark on pixels whose colour is that of no class; empty if there are none."""
    return f"{count} px had the colour of no class" if count else ""
