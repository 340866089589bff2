"""Labelling of connected areas in a class map of any size, panel by panel.

For 20,000 x 20,000 px, ``rasterio.features.shapes`` takes 1.3 times as long and 1.8 times the
memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from tiles.grid import BLOCK
from tiles.types import UNKNOWN_CLASS, BoolArray, Float32Array, Int32Array, Int64Array, UInt8Array
from tiles.vectors.components import Areas, Corners, Samples

# Function from rows and columns (first, one past the last) to classes and heights.
Read = Callable[[tuple[int, int], tuple[int, int]], tuple[UInt8Array, Float32Array | None]]


def _components(pairs: tuple[Int32Array, Int32Array], count: int) -> tuple[int, Int32Array]:
    ones = np.ones(len(pairs[0]), np.int8)
    graph = coo_array((ones, pairs), shape=(count, count))
    found, number = connected_components(graph, directed=False)
    return int(found), number.astype(np.int32)


def label(classes: UInt8Array) -> tuple[Int32Array, UInt8Array, Int64Array, Int64Array]:
    """Label the connected areas of an array.

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
    classes: UInt8Array, areas: Int32Array, wanted: BoolArray, row: int, column: int, meetings: bool
) -> Corners:
    """Return the corners at the [H + 1, W + 1] points around [H, W] pixels."""
    a, b, c, d = classes[:-1, :-1], classes[:-1, 1:], classes[1:, :-1], classes[1:, 1:]
    # Elsewhere all four pixels are equal, or the outline has no corner.
    turn = np.nonzero(((a != b) | (c != d)) & ((a != c) | (b != d)))
    a, b, c, d = a[turn], b[turn], c[turn], d[turn]
    ab, ac, bd, cd = a == b, a == c, b == d, c == d
    found: list[tuple[int, BoolArray, tuple[int, int]]] = [
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
    return Corners.joined(parts)


class Sweep:
    """Iterator over a map in square panels, in reading order, that yields finished areas.

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
        wanted: BoolArray,
        panel: int = 4 * BLOCK,
        meetings: bool = False,
    ) -> None:
        self._read, self._shape, self._wanted, self._panel = read, shape, wanted, panel
        self._meetings = meetings

    @property
    def count(self) -> int:
        """Number of panels."""
        rows, columns = (-(-length // self._panel) for length in self._shape)
        return rows * columns

    def __iter__(self) -> Iterator[Areas]:
        """Yield after each panel the areas that it finished, which may be none."""
        height, width = self._shape
        open_ = Areas.none()
        front = _Front(self._shape)
        for top in range(0, height, self._panel):
            bottom = min(top + self._panel, height)
            front.next_row(top, bottom)
            for left in range(0, width, self._panel):
                right = min(left + self._panel, width)
                classes, heights = self._read((top, bottom), (left, right))
                numbers, value, pixels, first = label(classes)
                numbers += np.int32(len(open_.value))
                row, column = np.divmod(first, right - left)
                around, belong = front.around(classes, numbers, left, right)
                new = Areas(
                    value,
                    pixels,
                    (row + top) * width + column + left,
                    _corners(around, belong, self._wanted, top, left, self._meetings),
                    self._samples(classes, numbers, heights),
                )
                both = Areas.joined([open_, new])
                count, number = _components(_neighbours(around, belong), len(both.value))
                front.advance(classes, numbers, left, right)
                unfinished = front.unfinished(number, count)
                done = np.where(unfinished, -1, np.cumsum(~unfinished) - 1).astype(np.int32)
                yield both.merged(done[number], int(np.count_nonzero(~unfinished)))
                kept = np.where(unfinished, np.cumsum(unfinished) - 1, -1).astype(np.int32)
                open_ = both.merged(kept[number], int(np.count_nonzero(unfinished)))
                front.renumber(kept[number])

    def _samples(
        self, classes: UInt8Array, numbers: Int32Array, heights: Float32Array | None
    ) -> Samples:
        if heights is None:
            return Areas.none().samples
        here = self._wanted[classes] & np.isfinite(heights)
        return Samples(numbers[here], heights[here])


def _neighbours(around: UInt8Array, belong: Int32Array) -> tuple[Int32Array, Int32Array]:
    """Return the numbers of areas that are connected across a panel's upper and left edge."""
    above, here = belong[0, 1:], belong[1, 1:]
    down = (around[0, 1:] == around[1, 1:]) & (above >= 0) & (here >= 0)
    before, after = belong[1:, 0], belong[1:, 1]
    along = (around[1:, 0] == around[1:, 1]) & (before >= 0) & (after >= 0)
    return (
        np.concatenate([above[down], before[along]]),
        np.concatenate([here[down], after[along]]),
    )


class _Front:
    """Classes and area numbers of the pixels along the border between read and unread panels.

    Beyond the map, the class is unknown and the number is -1.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        # Rows above the panel and of finished panels, one pixel longer on either side.
        self._above = self._below = self._blank(shape[1] + 2)

    @staticmethod
    def _blank(length: int) -> tuple[UInt8Array, Int32Array]:
        return np.full(length, UNKNOWN_CLASS, np.uint8), np.full(length, -1, np.int32)

    def next_row(self, top: int, bottom: int) -> None:
        """Begin a row of panels."""
        self._above, self._below = self._below, self._blank(self._shape[1] + 2)
        self._left, self._right, self._bottom = self._blank(bottom - top), 0, bottom

    def around(
        self, classes: UInt8Array, numbers: Int32Array, left: int, right: int
    ) -> tuple[UInt8Array, Int32Array]:
        """Return a panel with the pixels above and left of it, padded at the map's end."""
        ends = self._bottom == self._shape[0], right == self._shape[1]
        beyond = ((1, int(ends[0])), (1, int(ends[1])))
        made = (
            np.pad(classes, beyond, constant_values=UNKNOWN_CLASS),
            np.pad(numbers, beyond, constant_values=-1),
        )
        edges: Any = zip(made, self._above, self._left, strict=True)
        for array, above, before in edges:
            array[0] = above[left : left + array.shape[1]]
            array[1 : len(before) + 1, 0] = before
        return made

    def advance(self, classes: UInt8Array, numbers: Int32Array, left: int, right: int) -> None:
        """Report a finished panel."""
        edges: Any = zip((classes, numbers), self._below, strict=True)
        for array, below in edges:
            below[left + 1 : right + 1] = array[-1]
        self._left, self._right = (classes[:, -1].copy(), numbers[:, -1].copy()), right

    def unfinished(self, number: Int32Array, count: int) -> BoolArray:
        """Return a mask of the areas that may continue, bool [count], from their new numbers."""
        ahead = []
        if self._right < self._shape[1]:
            ahead += [self._above[1][self._right :], self._left[1]]
        if self._bottom < self._shape[0]:
            ahead.append(self._below[1])
        found = np.zeros(count, bool)
        for edge in ahead:
            found[number[edge[edge >= 0]]] = True
        return found

    def renumber(self, number: Int32Array) -> None:
        """Give areas new numbers, or -1."""
        for edge in (self._above[1], self._below[1], self._left[1]):
            edge[edge >= 0] = number[edge[edge >= 0]]
