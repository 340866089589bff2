"""Connected areas of a class map as arrays: classes, sizes, corners, heights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tiles.types import Float32Array, Int32Array, Int64Array, UInt8Array


@dataclass(frozen=True, eq=False)
class Corners:
    """K corners of outlines.

    Attributes:
        area: int32 [K], the area's number.
        row: int32 [K], row of the pixels below the corner.
        column: int32 [K], column of the pixels to its right.
        kind: int8 [K], the pixel at whose convex corner it lies: 0 upper left, 1 upper right,
            2 lower left, 3 lower right; 4 is a concave corner. With `meetings`, 5 marks, twice,
            each point on a straight edge of the area at which two other areas meet.
    """

    area: Int32Array
    row: Int32Array
    column: Int32Array
    kind: npt.NDArray[np.int8]

    @classmethod
    def joined(cls, parts: Sequence[Corners]) -> Corners:
        """Concatenate several."""
        return cls(
            np.concatenate([part.area for part in parts]),
            np.concatenate([part.row for part in parts]),
            np.concatenate([part.column for part in parts]),
            np.concatenate([part.kind for part in parts]),
        )

    def renumbered(self, number: Int32Array) -> Corners:
        """Renumber the corners from i to `number[i]`, and drop those that get -1."""
        area = number[self.area]
        keep = area >= 0
        return Corners(area[keep], self.row[keep], self.column[keep], self.kind[keep])


@dataclass(frozen=True, eq=False)
class Samples:
    """Known heights of pixels, K of them.

    Attributes:
        area: int32 [K], the number of the area that the pixel belongs to.
        height: float32 [K], in metres.
    """

    area: Int32Array
    height: Float32Array

    @classmethod
    def joined(cls, parts: Sequence[Samples]) -> Samples:
        """Concatenate several."""
        return cls(
            np.concatenate([part.area for part in parts]),
            np.concatenate([part.height for part in parts]),
        )

    def renumbered(self, number: Int32Array) -> Samples:
        """Renumber the samples from i to `number[i]`, and drop those that get -1."""
        area = number[self.area]
        keep = area >= 0
        return Samples(area[keep], self.height[keep])


@dataclass(frozen=True, eq=False)
class Areas:
    """Connected areas, N of them: pixels of one class that share an edge (4-connected).

    Attributes:
        value: uint8 [N], the class; 255 for areas without data.
        pixels: int64 [N], how many pixels they have.
        first: int64 [N], their first pixel, counted in reading order over the whole map.
        corners: Corners of the areas of wanted classes.
        samples: Heights of their pixels.
    """

    value: UInt8Array
    pixels: Int64Array
    first: Int64Array
    corners: Corners
    samples: Samples

    @classmethod
    def none(cls) -> Areas:
        """Return an empty set of areas."""
        long, number = np.zeros(0, np.int64), np.zeros(0, np.int32)
        corners = Corners(number, number, number, np.zeros(0, np.int8))
        samples = Samples(number, np.zeros(0, np.float32))
        return cls(np.zeros(0, np.uint8), long, long, corners, samples)

    @classmethod
    def joined(cls, parts: Sequence[Areas]) -> Areas:
        """Concatenate several; corners and samples have the final numbers already."""
        return cls(
            np.concatenate([part.value for part in parts]),
            np.concatenate([part.pixels for part in parts]),
            np.concatenate([part.first for part in parts]),
            Corners.joined([part.corners for part in parts]),
            Samples.joined([part.samples for part in parts]),
        )

    def merged(self, number: Int32Array, count: int) -> Areas:
        """Merge the areas by new numbers below `count`; those that share a number become one.

        Args:
            number: int32 [N], the new number by the old one, or -1.
            count: Number of areas afterwards.
        """
        keep = number >= 0
        new = number[keep]
        value = np.zeros(count, np.uint8)
        value[new] = self.value[keep]
        pixels = np.zeros(count, np.int64)
        np.add.at(pixels, new, self.pixels[keep])
        first = np.full(count, np.iinfo(np.int64).max)
        np.minimum.at(first, new, self.first[keep])
        corners, samples = self.corners.renumbered(number), self.samples.renumbered(number)
        return Areas(value, pixels, first, corners, samples)
