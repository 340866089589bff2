"""Connected areas of a class map of any size, found panel by panel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tiles.grid import BLOCK

Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]

UNKNOWN = 255
# From pixels of a panel (rows, columns: first, one past the last) to their classes and heights.
Read = Callable[[tuple[int, int], tuple[int, int]], tuple[Bytes, Floats | None]]


@dataclass(frozen=True, eq=False)
class Corners:
    """Where outlines turn, K times.

    Attributes:
        area: int32 [K], the area's number.
        row: int32 [K], row of the pixels below the corner.
        column: int32 [K], column of the pixels to its right.
        kind: int8 [K], which of the four pixels around it is the area's alone: 0 upper left,
            1 upper right, 2 lower left, 3 lower right; or 4, three of them are the area's. Where
            wanted, 5 stands twice at each point where two other areas meet at a straight edge.
    """

    area: Ints
    row: Ints
    column: Ints
    kind: npt.NDArray[np.int8]

    def of(self, number: Ints) -> Corners:
        """The corners of the areas that get a new number, by the old one; others get -1."""
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

    area: Ints
    height: Floats

    def of(self, number: Ints) -> Samples:
        """The samples of the areas that get a new number, by the old one; others get -1."""
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

    value: Bytes
    pixels: Longs
    first: Longs
    corners: Corners
    samples: Samples

    def of(self, number: Ints, count: int) -> Areas:
        """The areas that get a new number below `count`; those that share one become one.

        Args:
            number: int32 [N], the new number by the old one, or -1.
            count: How many areas there are then.
        """
        keep = number >= 0
        new = number[keep]
        value = np.zeros(count, np.uint8)
        value[new] = self.value[keep]
        pixels = np.zeros(count, np.int64)
        np.add.at(pixels, new, self.pixels[keep])
        first = np.full(count, np.iinfo(np.int64).max)
        np.minimum.at(first, new, self.first[keep])
        return Areas(value, pixels, first, self.corners.of(number), self.samples.of(number))


def _join(parts: list[Areas]) -> Areas:
    """One after the other; corners and samples have the final numbers already."""
    corners, samples = [part.corners for part in parts], [part.samples for part in parts]
    return Areas(
        np.concatenate([part.value for part in parts]),
        np.concatenate([part.pixels for part in parts]),
        np.concatenate([part.first for part in parts]),
        Corners(
            np.concatenate([part.area for part in corners]),
            np.concatenate([part.row for part in corners]),
            np.concatenate([part.column for part in corners]),
            np.concatenate([part.kind for part in corners]),
        ),
        Samples(
            np.concatenate([part.area for part in samples]),
            np.concatenate([part.height for part in samples]),
        ),
    )


def _components(pairs: tuple[Ints, Ints], count: int) -> tuple[int, Ints]:
    ones = np.ones(len(pairs[0]), np.int8)
    graph = coo_array((ones, pairs), shape=(count, count))
    found, number = connected_components(graph, directed=False)
    return int(found), number.astype(np.int32)


def label(classes: Bytes) -> tuple[Ints, Bytes, Longs, Longs]:
    """Connected areas of one array.

    Runs of equal pixels along the rows are joined, not pixels: there are far fewer of them.

    Args:
        classes: [H, W].

    Returns:
        Numbers of the areas [H, W], and by number: class, pixels, first pixel in reading order.
    """
    begins = np.ones(classes.shape, bool)
    np.not_equal(classes[:, 1:], classes[:, :-1], out=begins[:, 1:])
    runs = np.cumsum(begins.ravel(), dtype=np.int32).reshape(classes.shape) - np.int32(1)
    # Where runs of two rows overlap, one of them begins.
    touch = (classes[1:] == classes[:-1]) & (begins[1:] | begins[:-1])
    starts = np.flatnonzero(begins)
    count, number = _components((runs[:-1][touch], runs[1:][touch]), len(starts))
    lengths = np.diff(starts, append=classes.size)
    pixels = np.bincount(number, weights=lengths, minlength=count).astype(np.int64)
    first = starts[np.unique(number, return_index=True)[1]].astype(np.int64)
    return number[runs], classes.ravel()[first], pixels, first


def _corners(
    classes: Bytes, areas: Ints, wanted: Bools, row: int, column: int, meetings: bool
) -> Corners:
    """Corners at the points between pixels, [H + 1, W + 1] of them around [H, W] points."""
    a, b, c, d = classes[:-1, :-1], classes[:-1, 1:], classes[1:, :-1], classes[1:, 1:]
    # Elsewhere all four pixels are equal, or an outline passes straight.
    turn = np.nonzero(((a != b) | (c != d)) & ((a != c) | (b != d)))
    a, b, c, d = a[turn], b[turn], c[turn], d[turn]
    ab, ac, bd, cd = a == b, a == c, b == d, c == d
    found: list[tuple[int, Bools, tuple[int, int]]] = [
        (0, ~ab & ~ac, (0, 0)),
        (1, ~ab & ~bd, (0, 1)),
        (2, ~ac & ~cd, (1, 0)),
        (3, ~bd & ~cd, (1, 1)),
        # Three are equal: upper right is among a, b, c and a, b, d, lower left among the others.
        (4, ab & (ac | bd), (0, 1)),
        (4, cd & (ac | bd), (1, 0)),
    ]
    if meetings:
        found += 2 * [
            (5, ab & ~cd & ~ac & ~bd, (0, 0)),
            (5, cd & ~ab & ~ac & ~bd, (1, 1)),
            (5, ac & ~bd & ~ab & ~cd, (0, 0)),
            (5, bd & ~ac & ~ab & ~cd, (1, 1)),
        ]
    parts = []
    for kind, here, (down, right) in found:
        at = turn[0][here], turn[1][here]
        pixel = at[0] + down, at[1] + right
        keep = wanted[classes[pixel]]
        parts.append(
            Corners(
                areas[pixel][keep],
                (at[0][keep] + row).astype(np.int32),
                (at[1][keep] + column).astype(np.int32),
                np.full(np.count_nonzero(keep), kind, np.int8),
            )
        )
    return Corners(
        np.concatenate([part.area for part in parts]),
        np.concatenate([part.row for part in parts]),
        np.concatenate([part.column for part in parts]),
        np.concatenate([part.kind for part in parts]),
    )


class Sweep:
    """Goes through a map in square panels, in reading order, and hands out finished areas.

    An area is finished when no pixel that is still to come can belong to it. Memory: about 40
    bytes per pixel of a panel, 20 per column of the map, and for areas that are not finished 13
    bytes per corner and, where heights are read, 8 per pixel.

    Args:
        read: Reads the pixels of a panel.
        shape: Rows and columns of the map.
        wanted: bool [256], classes of which corners and heights are wanted.
        panel: Pixels along a panel.
        meetings: Whether points where areas meet are wanted besides corners.
    """

    def __init__(
        self,
        read: Read,
        shape: tuple[int, int],
        wanted: Bools,
        panel: int = 4 * BLOCK,
        meetings: bool = False,
    ) -> None:
        self._read, self._shape, self._wanted, self._panel = read, shape, wanted, panel
        self._meetings = meetings

    @property
    def count(self) -> int:
        """Panels."""
        rows, columns = (-(-length // self._panel) for length in self._shape)
        return rows * columns

    def __iter__(self) -> Iterator[Areas]:
        """Yield after each panel the areas that it finished, and some that may be empty."""
        height, width = self._shape
        open_ = _nothing()
        # The pixels above the panels, with one beyond either side: class, and area or -1.
        above = np.full(width + 2, UNKNOWN, np.uint8), np.full(width + 2, -1, np.int32)
        for top in range(0, height, self._panel):
            bottom = min(top + self._panel, height)
            below = np.full(width + 2, UNKNOWN, np.uint8), np.full(width + 2, -1, np.int32)
            left = np.full(bottom - top, UNKNOWN, np.uint8), np.full(bottom - top, -1, np.int32)
            for start in range(0, width, self._panel):
                stop = min(start + self._panel, width)
                classes, heights = self._read((top, bottom), (start, stop))
                numbers, value, pixels, first = label(classes)
                old = len(open_.value)
                numbers += np.int32(old)
                row, column = np.divmod(first, stop - start)
                first = (row + top) * width + column + start

                # The panel with its neighbours above and to the left, and where the map ends
                # with what lies beyond.
                beyond = ((1, int(bottom == height)), (1, int(stop == width)))
                around = np.pad(classes, beyond, constant_values=UNKNOWN)
                belong = np.pad(numbers, beyond, constant_values=-1)
                size = bottom - top + 1, around.shape[1]
                around[0], belong[0] = (part[start : start + size[1]] for part in above)
                around[1 : size[0], 0], belong[1 : size[0], 0] = left

                new = Areas(
                    value,
                    pixels,
                    first,
                    _corners(around, belong, self._wanted, top, start, self._meetings),
                    self._samples(classes, numbers, heights),
                )
                both = _join([open_, new])
                upper, lower = belong[0, 1:], belong[1, 1:]
                touch = (around[0, 1:] == around[1, 1:]) & (upper >= 0) & (lower >= 0)
                before, after = belong[1:, 0], belong[1:, 1]
                meet = (around[1:, 0] == around[1:, 1]) & (before >= 0) & (after >= 0)
                pairs = (
                    np.concatenate([upper[touch], before[meet]]),
                    np.concatenate([lower[touch], after[meet]]),
                )
                count, number = _components(pairs, len(both.value))

                left = classes[:, -1].copy(), numbers[:, -1].copy()
                below[0][start + 1 : stop + 1] = classes[-1]
                below[1][start + 1 : stop + 1] = numbers[-1]
                # Pixels that the next panels will have for neighbours.
                ahead = [above[1][stop:]] if stop < width else []
                ahead += [left[1]] if stop < width else []
                ahead += [below[1]] if bottom < height else []
                unfinished = np.zeros(count, bool)
                for edge in ahead:
                    unfinished[number[edge[edge >= 0]]] = True
                kept = np.where(unfinished, np.cumsum(unfinished) - 1, -1).astype(np.int32)
                done = np.where(unfinished, -1, np.cumsum(~unfinished) - 1).astype(np.int32)
                yield both.of(done[number], int(np.count_nonzero(~unfinished)))
                open_ = both.of(kept[number], int(np.count_nonzero(unfinished)))
                renumber = kept[number]
                for edge in (above[1], below[1], left[1]):
                    edge[edge >= 0] = renumber[edge[edge >= 0]]
            above = below

    def _samples(self, classes: Bytes, numbers: Ints, heights: Floats | None) -> Samples:
        if heights is None:
            return _nothing().samples
        here = self._wanted[classes] & np.isfinite(heights)
        return Samples(numbers[here], heights[here])


def _nothing() -> Areas:
    long, int_ = np.zeros(0, np.int64), np.zeros(0, np.int32)
    corners = Corners(int_, int_, int_, np.zeros(0, np.int8))
    samples = Samples(int_, np.zeros(0, np.float32))
    return Areas(np.zeros(0, np.uint8), long, long, corners, samples)
