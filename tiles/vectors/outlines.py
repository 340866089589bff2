"""Outlines of connected areas, traced from their corners."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio import Affine

from tiles.types import Int64Array
from tiles.vectors.components import Corners

# Where an area touches itself at a point, two corners lie there. They are told apart by the pixel
# that is not the area's, so that each ring goes around one side and no ring meets itself: along
# the column, the corner whose edge goes up comes first. (Along the row, kinds sort rightly.)
_UP_FIRST = np.array([1, 0, 1, 0, 0, 0], np.int8)


class Outlines:
    """Outlines as polygons on the pixel grid.

    An orthogonal polygon is known by its corners alone (O'Rourke 1988, "Uniqueness of orthogonal
    connect-the-dots"): along each row and each column they pair up. So it does not matter in
    which pieces the map was read. Where areas meet at a straight edge, two corners that lie at
    one point pair with each other along one axis, and with their neighbours along the other.

    Args:
        corners: Corners of N areas.
        count: N.
        fill: Holes of fewer pixels are filled.
        blanks: int64 [M, 2], row and column of a pixel of each area without data; a hole with
            such an area in it is never filled.
    """

    def __init__(self, corners: Corners, count: int, fill: float, blanks: Int64Array) -> None:
        order = np.lexsort((corners.kind, corners.column, corners.row, corners.area))
        area, kind = corners.area[order], corners.kind[order]
        row, column = (
            corners.row[order].astype(np.int64),
            corners.column[order].astype(np.int64),
        )
        down = np.lexsort((_UP_FIRST[kind], row, column, area))
        partner = np.empty(len(order), np.int64)
        partner[down[0::2]], partner[down[1::2]] = down[1::2], down[0::2]
        path, starts = _rings(partner)
        owner = area[path[starts]]
        x, y = column[path], row[path]
        # Where areas meet at a straight edge, two corners coincide.
        once = np.ones(len(path), bool)
        once[1:] = (x[1:] != x[:-1]) | (y[1:] != y[:-1])
        once[starts] = True
        self._x, self._y = x[once], y[once]
        self._starts: Int64Array = (np.cumsum(once) - 1)[starts]
        # The upper left corner of an area is on its outer ring, which therefore comes first.
        shell = np.ones(len(starts), bool)
        shell[1:] = owner[1:] != owner[:-1]
        size = self._sizes()
        kept = shell | (size >= fill)
        if not kept.all():
            kept |= self._blank(np.flatnonzero(~kept), blanks)
        self._kept, self._owner, self._count = kept, owner, count
        self.pixels: Int64Array = np.zeros(count, np.int64)
        np.add.at(self.pixels, owner[kept], np.where(shell, size, -size)[kept])

    def _sizes(self) -> Int64Array:
        """Return the number of pixels inside each ring."""
        if not len(self._starts):
            return np.zeros(0, np.int64)
        following = np.arange(1, len(self._x) + 1)
        following[np.append(self._starts[1:], len(self._x)) - 1] = self._starts
        # Coordinates relative to the start of the ring keep the products small.
        lengths = np.diff(self._starts, append=len(self._x))
        x = self._x - np.repeat(self._x[self._starts], lengths)
        y = self._y - np.repeat(self._y[self._starts], lengths)
        twice = np.add.reduceat(x * y[following] - x[following] * y, self._starts)
        sizes: Int64Array = np.abs(twice) // 2
        return sizes

    def _blank(self, rings: Int64Array, blanks: Int64Array) -> npt.NDArray[np.bool_]:
        """Return a mask of the given rings that have an area without data inside."""
        found = np.zeros(len(self._starts), bool)
        if len(blanks):
            coordinates, offsets = self._closed(rings)
            ring = np.repeat(np.arange(len(rings)), np.diff(offsets))
            insides = shapely.polygons(shapely.linearrings(coordinates, indices=ring))
            points = shapely.points(blanks[:, 1] + 0.5, blanks[:, 0] + 0.5)
            hits = shapely.STRtree(list(np.asarray(insides, dtype=object))).query(
                points, predicate="within"
            )[1]
            found[rings[hits]] = True
        return found

    def _closed(self, rings: Int64Array) -> tuple[npt.NDArray[np.float64], Int64Array]:
        """Return the coordinates [K, 2] of closed rings, and the start of each."""
        ends = np.append(self._starts[1:], len(self._x))
        lengths = ends[rings] - self._starts[rings] + 1
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        index = np.arange(offsets[-1]) + np.repeat(self._starts[rings] - offsets[:-1], lengths)
        index[offsets[1:] - 1] = self._starts[rings]
        return np.stack([self._x[index], self._y[index]], axis=1).astype(np.float64), offsets

    def polygons(self, transform: Affine) -> npt.NDArray[Any]:
        """Return the outlines as polygons.

        Args:
            transform: From (column, row) to coordinates.

        Returns:
            Polygons [N], outer rings anticlockwise, without points along straight edges but
            where areas meet, if these are among the corners.
        """
        rings = np.flatnonzero(self._kept)
        coordinates, offsets = self._closed(rings)
        x, y = coordinates.T
        placed = np.stack([transform.c + x * transform.a, transform.f + y * transform.e], axis=1)
        shells = np.searchsorted(self._owner[rings], np.arange(self._count + 1))
        made = shapely.from_ragged_array(
            shapely.GeometryType.POLYGON, placed, (offsets, shells.astype(np.int64))
        )
        return np.asarray(shapely.orient_polygons(made))


def _rings(partner: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Trace all rings.

    Args:
        partner: int64 [K], the corner at the other end of each corner's vertical edge. The
            horizontal edges join corners 0 and 1, 2 and 3, and so on.

    Returns:
        The corners [K] ring by ring, and where each ring begins.
    """
    vertical = partner.tolist()
    seen = bytearray(len(vertical))
    path: list[int] = []
    starts: list[int] = []
    for first in range(0, len(vertical), 2):
        if seen[first]:
            continue
        starts.append(len(path))
        corner = first
        while not seen[corner]:
            other = corner ^ 1
            seen[corner] = seen[other] = 1
            path += (corner, other)
            corner = vertical[other]
    return np.array(path, np.int64), np.array(starts, np.int64)
