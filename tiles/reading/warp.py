"""Rasters resampled to another grid, in which no pixel depends on the window that is read.

GDAL's warper computes different float32 values for the same pixel in different windows if the CRSs
differ (``tests/tiles/reading/test_warp.py``); its uint8 values, and those in the same CRS, agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from tiles.grid import PIXEL_TOLERANCE, PixelGrid
from tiles.reading.crs import middle_longitude, near_longitude, transformer
from tiles.reading.overlay import Overlay
from tiles.reading.resampling import resample, resampling_weights
from tiles.types import BoolArray, Float64Array, Span

# Positions in the raster are transformed exactly at nodes so many pixels apart, and interpolated
# between them, which is wrong by less than 0.01 px even for pixels of 1 km.
NODE_SPACING = 16
# Pixels along each axis of the parts that are computed at a time, which bounds memory.
CHUNK = 512
# Pixels are averaged if those of the grid are larger than the raster's by more than this factor.
COARSER_RATIO = 1.05


class WarpedOverlay:
    """Rasters resampled to another grid, in the same or another CRS.

    Interpolation is bilinear. Where the grid is coarser than the raster, it takes place between
    averages of the raster's pixels. Each pixel is computed from fixed neighbours with fixed
    weights, so that it has the same bits whatever window it is read in. Unknown pixels have no
    influence; a pixel is known if the raster's pixel in which its centre lies is known.

    Args:
        raster: One or more rasters on one grid. The caller closes them.
        grid: The other grid.
        nearest: Whether the nearest pixel of the raster counts, as for classes, instead.

    Raises:
        InputError: If there is no transformation between the two CRSs.

    Example:
        >>> from tiles.reading import Placement, Raster
        >>> ortho = Raster("ortho.tif")
        >>> whole = Placement((0, 96), (0, 96), ortho.read)
        >>> overlay = Overlay("ortho", ortho.grid, ortho.bands, ortho.dtype, [whole])
        >>> coarse = WarpedOverlay(overlay, ortho.grid.resampled(1.0))
        >>> coarse.read((0, 48), (0, 48))[0].shape
        (3, 48, 48)
    """

    def __init__(self, raster: Overlay, grid: PixelGrid, nearest: bool = False) -> None:
        self._nearest = nearest
        self._raster, self._grid = raster, grid
        source = raster.grid
        self._to_source = transformer(raster.name, grid.crs, source.crs)
        west, south, east, north = source.bounds
        self._middle_longitude = middle_longitude(source)
        # The raster's pixels per pixel of the grid, along the raster's axes and at its centre.
        x, y = (west + east) / 2, (south + north) / 2
        to_grid = transformer(raster.name, source.crs, grid.crs)
        if to_grid is not None:
            x, y = to_grid.transform(x, y)
        column = (x - grid.transform.c) / grid.transform.a
        row = (y - grid.transform.f) / grid.transform.e
        columns, rows = self._source_positions(
            np.array([column - 1, column + 1, column, column]),
            np.array([row, row, row - 1, row + 1]),
        )
        with np.errstate(invalid="ignore"):  # infinite where a CRS is not defined
            steps = [math.hypot(p[1] - p[0], p[3] - p[2]) / 2 for p in (rows, columns)]
        sizes = (source.height, source.width)
        self._size = tuple(
            max(1, round(size / step)) if step > COARSER_RATIO and not nearest else size
            for size, step in zip(sizes, steps, strict=True)
        )
        self._coarser = self._size != sizes
        pairs = list(zip(sizes, self._size, strict=True))
        self._weights = [resampling_weights(size, coarse) for size, coarse in pairs]
        ratio = max(size / coarse for size, coarse in pairs)
        self._chunk = max(NODE_SPACING, int(CHUNK / ratio))

    def read(self, rows: Span, columns: Span) -> tuple[Any, BoolArray]:
        """Read a window of the grid.

        Args:
            rows: First row, and one past the last.
            columns: First column, and one past the last.

        Returns:
            Values [C, H, W] of the raster's type, 0 in unknown pixels, and which pixels are known,
            bool [H, W].
        """
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

    def _fill(self, values: Any, known: BoolArray, rows: Span, columns: Span) -> None:
        """Fill in the values [C, h, w] and known pixels [h, w] of one chunk."""
        positions, inside = self._positions(rows, columns)
        if not inside.any():
            return
        # float32 is exact for integers of two bytes; longer ones and doubles need float64, unless
        # they are averages, which `resample` computes in float32.
        dtype = np.result_type(self._raster.dtype, np.float32)
        nearest, lower, upper, share, spans = [], [], [], [], []
        for position, size in zip(positions, self._size, strict=True):
            position = np.where(inside, position, position[inside][0])
            floor = np.floor(position - 0.5)
            pair = [np.clip(floor + i, 0, size - 1).astype(np.int64) for i in (0, 1)]
            start, stop = int(pair[0].min()), int(pair[1].max()) + 1
            nearest.append(np.clip(np.floor(position), 0, size - 1).astype(np.int64) - start)
            lower.append(pair[0] - start)
            upper.append(pair[1] - start)
            share.append((position - 0.5 - floor).astype(dtype))
            spans.append((start, stop))
        source, source_known = self._read_source(*spans)
        known[...] = inside & source_known[tuple(nearest)]
        if not known.any():
            return
        if self._nearest:
            values[:, known] = source[:, *nearest][:, known]
            return
        total = np.zeros(values.shape, dtype)
        weights = np.zeros(known.shape, dtype)
        all_known = np.ones(known.shape, bool)
        if not source_known.all():
            source = np.where(source_known, source, 0)
        for y, height in ((lower[0], 1 - share[0]), (upper[0], share[0])):
            for x, width in ((lower[1], 1 - share[1]), (upper[1], share[1])):
                weight = height * width * source_known[y, x]
                total += source[:, y, x] * weight
                weights += weight
                all_known &= source_known[y, x]
        # The weights of four known neighbours sum to 1 but for rounding.
        total /= np.where(all_known | ~known, 1, weights)
        if self._raster.dtype.kind in "iu":
            limits = np.iinfo(self._raster.dtype)
            total = np.clip(np.rint(total), limits.min, limits.max)
        values[:, known] = total[:, known].astype(values.dtype)

    def _read_source(self, rows: Span, columns: Span) -> tuple[Any, BoolArray]:
        """Read a window of the raster, or of its averages if the grid is coarser."""
        if not self._coarser:
            return self._raster.read(rows, columns)
        spans = [
            weights.source_range(*span)
            for weights, span in zip(self._weights, (rows, columns), strict=True)
        ]
        values, known = self._raster.read(*spans)
        averages, averages_known = resample(
            torch.from_numpy(values.astype(np.float32)),
            torch.from_numpy(known.copy()),
            self._weights[0].local(*rows, spans[0][0], known.shape[0]),
            self._weights[1].local(*columns, spans[1][0], known.shape[1]),
        )
        return averages.numpy(), averages_known.numpy()

    def _positions(
        self, rows: Span, columns: Span
    ) -> tuple[tuple[Float64Array, Float64Array], BoolArray]:
        """Locate the centres of the grid's pixels in the raster, or in its averages.

        Returns:
            Rows and columns, float64 [h, w] each, and which of the pixels lie inside, bool [h, w].
        """
        step = NODE_SPACING
        nodes = [np.arange(a // step, (b - 1) // step + 2) * step for a, b in (rows, columns)]
        y, x = np.meshgrid(nodes[0].astype(float), nodes[1].astype(float), indexing="ij")
        positions = []
        inside = np.ones((rows[1] - rows[0], columns[1] - columns[0]), bool)
        source = self._raster.grid
        for position, size, scale in zip(
            reversed(self._source_positions(x, y)),
            (source.height, source.width),
            (self._size[0] / source.height, self._size[1] / source.width),
            strict=True,
        ):
            position = _interpolate(_interpolate(position, rows).T, columns).T
            # Infinity and NaN, where a CRS is not defined, compare as outside.
            inside &= (position > -PIXEL_TOLERANCE) & (position < size + PIXEL_TOLERANCE)
            positions.append(position * scale)
        return (positions[0], positions[1]), inside

    def _source_positions(
        self, columns: Float64Array, rows: Float64Array
    ) -> tuple[Float64Array, Float64Array]:
        """Transform columns and rows of the grid to those of the raster; borders are integers."""
        t = self._grid.transform
        x, y = t.c + columns * t.a, t.f + rows * t.e
        if self._to_source is not None:
            x, y = self._to_source.transform(x, y)
        if self._middle_longitude is not None:
            x = near_longitude(x, self._middle_longitude)
        t = self._raster.grid.transform
        return (x - t.c) / t.a, (y - t.f) / t.e


def _interpolate(nodes: Float64Array, span: Span) -> Float64Array:
    """Interpolate from nodes [N, M], along the first axis, to the pixel centres of a span."""
    pixels = np.arange(*span)
    lower = pixels // NODE_SPACING - span[0] // NODE_SPACING
    share = ((pixels % NODE_SPACING + 0.5) / NODE_SPACING)[:, None]
    with np.errstate(invalid="ignore"):  # nodes may be infinite
        return nodes[lower] * (1 - share) + nodes[lower + 1] * share


def _cut(start: int, stop: int, step: int) -> Iterator[Span]:
    """Cut a range at the multiples of a step."""
    first = start - start % step
    for low in range(first, stop, step):
        yield max(start, low), min(stop, low + step)
