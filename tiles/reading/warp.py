"""Rasters on another grid, and unknown where they have no pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pyproj
import torch
from pyproj.exceptions import ProjError
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.vrt import WarpedVRT

from tiles.errors import InputError
from tiles.grid import PixelGrid
from tiles.reading.overlay import Overlay
from tiles.reading.resample import make_taps, resample
from tiles.types import BoolArray, Float64Array

# Where pixels lie in the raster is computed for every so many of them, and interpolated between:
# wrong by less than 0.01 px even with pixels of 1 km.
NODE = 16
# Pixels worked on at a time, along an axis; it bounds memory.
CHUNK = 512
# A grid whose pixels are larger by more than this is coarser, and gets averages.
COARSER = 1.05
# Grids that differ by less than this part of a pixel are one.
SLACK = 0.01


def warped(source: Any, **settings: Any) -> Any:
    """Show an open raster on another grid, with GDAL.

    Args:
        source: The raster.
        **settings: The grid, as rasterio's WarpedVRT wants it.

    Returns:
        An open raster, to be closed before the source is.
    """
    # Without nodata, GDAL would have the ground beyond the raster's edge be zero, and known.
    if source.nodata is None and ColorInterp.alpha not in source.colorinterp:
        kind = np.dtype(source.dtypes[0])
        if kind in (np.uint8, np.uint16):  # of these GDAL knows alpha
            settings["add_alpha"] = True
        else:
            unused = math.nan if kind.kind == "f" else np.iinfo(kind).max
            settings |= {"src_nodata": unused, "nodata": unused}
    return WarpedVRT(source, **settings)


def transformer(name: str, start: CRS, end: CRS) -> pyproj.Transformer | None:
    """The way from one CRS to another, always x before y; None if they are one.

    Args:
        name: The raster for which it is.
        start: From here.
        end: To here.

    Raises:
        InputError: If there is none.
    """
    if start == end:
        return None
    try:
        return _transformer(start, end)
    except ProjError as error:
        fault = f"cannot be brought from {_called(start)} to {_called(end)}"
        raise InputError(name, fault, "assign it a coordinate reference system on earth") from error


@cache  # making one takes longer than looking at a file
def _transformer(start: CRS, end: CRS) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(
        pyproj.CRS.from_user_input(start), pyproj.CRS.from_user_input(end), always_xy=True
    )


def _called(crs: CRS) -> str:
    return str(pyproj.CRS.from_user_input(crs).name)


def reach(
    name: str, own: PixelGrid, grid: PixelGrid
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Rows (start, stop) and columns (start, stop) of a grid that a raster covers, unrounded.

    Raises:
        InputError: If the grid's CRS does not reach there.
    """
    bounds = own.bounds
    there = transformer(name, own.crs, grid.crs)
    if there is not None:
        try:
            bounds = there.transform_bounds(*bounds, densify_pts=50)
        except ProjError:
            bounds = (math.inf,) * 4
        # Across the 180th meridian, west is greater than east.
        finite = all(map(math.isfinite, bounds))
        if not finite or bounds[0] >= bounds[2] or bounds[1] >= bounds[3]:
            fault = f"reaches beyond where {_called(grid.crs)} is defined"
            raise InputError(name, fault, "choose a coordinate reference system for its place")
    west, south, east, north = bounds
    t = grid.transform
    columns = [(x - t.c) / t.a for x in (west, east)]
    rows = [(y - t.f) / t.e for y in (south, north)]
    return (min(rows), max(rows)), (min(columns), max(columns))


class Warped:
    """Rasters seen on another grid.

    Bilinear, of averages where that grid is coarser. Each pixel is made from fixed neighbours with
    fixed weights, which GDAL's warper does not promise: a pixel is the same, bit for bit, whatever
    else is read with it. Unknown pixels have no influence; a pixel is known if the one that its
    centre falls in is.

    Args:
        raster: One or more of one grid, which stay the caller's to close.
        grid: The other grid.

    Raises:
        InputError: If there is no way from one CRS to the other.
    """

    def __init__(self, raster: Overlay, grid: PixelGrid) -> None:
        self._raster, self._grid = raster, grid
        own = raster.grid
        self._back = transformer(raster.name, grid.crs, own.crs)
        west, south, east, north = own.bounds
        turns = own.crs.is_geographic and east - west < 180
        self._middle = (west + east) / 2 if turns else None
        # Its pixels per pixel of the grid, along its own axes and at its centre.
        x, y = (west + east) / 2, (south + north) / 2
        there = transformer(raster.name, own.crs, grid.crs)
        if there is not None:
            x, y = there.transform(x, y)
        column = (x - grid.transform.c) / grid.transform.a
        row = (y - grid.transform.f) / grid.transform.e
        columns, rows = self._seek(
            np.array([column - 1, column + 1, column, column]),
            np.array([row, row, row - 1, row + 1]),
        )
        steps = [math.hypot(at[1] - at[0], at[3] - at[2]) / 2 for at in (rows, columns)]
        sizes = (own.height, own.width)
        self._size = tuple(
            max(1, round(size / step)) if step > COARSER else size
            for size, step in zip(sizes, steps, strict=True)
        )
        self._coarser = self._size != sizes
        self._taps = [make_taps(*pair) for pair in zip(sizes, self._size, strict=True)]
        most = max(size / coarse for size, coarse in zip(sizes, self._size, strict=True))
        self._chunk = max(NODE, int(CHUNK / most))

    def read(self, rows: tuple[int, int], columns: tuple[int, int]) -> tuple[Any, BoolArray]:
        """Read a window of the grid, as a `Raster` does; unknown pixels are 0."""
        shape = rows[1] - rows[0], columns[1] - columns[0]
        values = np.zeros((len(self._raster.bands), *shape), self._raster.dtype)
        known = np.zeros(shape, bool)
        for top, bottom in _cut(*rows, self._chunk):
            for left, right in _cut(*columns, self._chunk):
                part = (
                    slice(top - rows[0], bottom - rows[0]),
                    slice(left - columns[0], right - columns[0]),
                )
                self._fill(values[:, *part], known[part], (top, bottom), (left, right))
        return values, known

    def _fill(
        self, values: Any, known: BoolArray, rows: tuple[int, int], columns: tuple[int, int]
    ) -> None:
        """Fill in the values [C, h, w] and known pixels [h, w] of one chunk."""
        places, inside = self._places(rows, columns)
        if not inside.any():
            return
        # Enough for the integers of two bytes; longer ones and doubles are worked on as doubles.
        kind = np.result_type(self._raster.dtype, np.float32)
        nearest, before, after, share, reach = [], [], [], [], []
        for at, size in zip(places, self._size, strict=True):
            at = np.where(inside, at, at[inside][0])
            low = np.floor(at - 0.5)
            pair = [np.clip(low + i, 0, size - 1).astype(np.int64) for i in (0, 1)]
            start, stop = int(pair[0].min()), int(pair[1].max()) + 1
            nearest.append(np.clip(np.floor(at), 0, size - 1).astype(np.int64) - start)
            before.append(pair[0] - start)
            after.append(pair[1] - start)
            share.append((at - 0.5 - low).astype(kind))
            reach.append((start, stop))
        found, there = self._fetch(*reach)
        known[...] = inside & there[tuple(nearest)]
        if not known.any():
            return
        total = np.zeros(values.shape, kind)
        weights = np.zeros(known.shape, kind)
        whole = np.ones(known.shape, bool)
        if not there.all():
            found = np.where(there, found, 0)
        for y, height in ((before[0], 1 - share[0]), (after[0], share[0])):
            for x, width in ((before[1], 1 - share[1]), (after[1], share[1])):
                weight = height * width * there[y, x]
                total += found[:, y, x] * weight
                weights += weight
                whole &= there[y, x]
        # Where all four are known their weights are 1 but for rounding.
        total /= np.where(whole | ~known, 1, weights)
        if self._raster.dtype.kind in "iu":
            limits = np.iinfo(self._raster.dtype)
            total = np.clip(np.rint(total), limits.min, limits.max)
        values[:, known] = total[:, known].astype(values.dtype)

    def _fetch(self, rows: tuple[int, int], columns: tuple[int, int]) -> tuple[Any, BoolArray]:
        """A window of the raster, or of its averages."""
        if not self._coarser:
            return self._raster.read(rows, columns)
        spans = [taps.reach(*span) for taps, span in zip(self._taps, (rows, columns), strict=True)]
        values, known = self._raster.read(*spans)
        made, found = resample(
            torch.from_numpy(values.astype(np.float32)),
            torch.from_numpy(known.copy()),
            self._taps[0].local(*rows, spans[0][0], known.shape[0]),
            self._taps[1].local(*columns, spans[1][0], known.shape[1]),
        )
        return made.numpy(), found.numpy()

    def _places(
        self, rows: tuple[int, int], columns: tuple[int, int]
    ) -> tuple[tuple[Float64Array, Float64Array], BoolArray]:
        """Where pixels' centres lie: (row, column) [h, w] in averages, and which are inside."""
        nodes = [np.arange(a // NODE, (b - 1) // NODE + 2) * NODE for a, b in (rows, columns)]
        y, x = np.meshgrid(nodes[0].astype(float), nodes[1].astype(float), indexing="ij")
        places = []
        inside = np.ones((rows[1] - rows[0], columns[1] - columns[0]), bool)
        own = self._raster.grid
        for at, size, scale in zip(
            reversed(self._seek(x, y)),
            (own.height, own.width),
            (self._size[0] / own.height, self._size[1] / own.width),
            strict=True,
        ):
            at = _between(_between(at, rows).T, columns).T
            # Infinite, or no number, where a CRS does not reach; neither lies inside.
            inside &= (at > -SLACK) & (at < size + SLACK)
            places.append(at * scale)
        return (places[0], places[1]), inside

    def _seek(self, columns: Float64Array, rows: Float64Array) -> tuple[Float64Array, Float64Array]:
        """The raster's columns and rows of columns and rows of the grid, borders being whole."""
        t = self._grid.transform
        x, y = t.c + columns * t.a, t.f + rows * t.e
        if self._back is not None:
            x, y = self._back.transform(x, y)
        if self._middle is not None:  # the turn of longitude that the raster is in
            x = self._middle + (x - self._middle + 180) % 360 - 180
        t = self._raster.grid.transform
        return (x - t.c) / t.a, (y - t.f) / t.e


def _between(nodes: Float64Array, span: tuple[int, int]) -> Float64Array:
    """Interpolate from nodes [N, M], down the first axis, to the centres of pixels of a span."""
    pixels = np.arange(*span)
    lower = pixels // NODE - span[0] // NODE
    share = ((pixels % NODE + 0.5) / NODE)[:, None]
    with np.errstate(invalid="ignore"):  # of infinite ones
        return nodes[lower] * (1 - share) + nodes[lower + 1] * share


def _cut(start: int, stop: int, step: int) -> Iterator[tuple[int, int]]:
    """Pieces (start, stop) between multiples of a step."""
    first = start - start % step
    for low in range(first, stop, step):
        yield max(start, low), min(stop, low + step)
