"""Resampling of raw rasters to the grid of a scene: averages and majorities of known pixels.

One rule holds for images, heights and classes: a new pixel is computed from the known part of the
ground that it covers, and is unknown if more than half of that ground is. All are computed from
weighted sums of layers: values, 0 where unknown, and a layer that is 1 where they are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from tiles.grid import PIXEL_TOLERANCE, PixelGrid
from tiles.reading.overlay import Overlay, Placement
from tiles.reading.resampling import resample, resampling_weights
from tiles.reading.warp import WarpedOverlay
from tiles.types import UNKNOWN_CLASS, BoolArray, Float32Array, Span, UInt8Array

WINDOW_ROWS: Final = 512
WINDOW_COLUMNS: Final = 1024
"""Size of the windows that are read and written at a time: whole blocks of 512 x 512 px."""

DIGITS: Final = 5
"""Decimal digits of shares that are compared: float32 weights do not determine further ones."""


def windows(grid: PixelGrid) -> Iterator[tuple[Span, Span]]:
    """Iterate over windows that cover a grid, row by row.

    Yields:
        Rows and columns of a window.
    """
    for top in range(0, grid.height, WINDOW_ROWS):
        for left in range(0, grid.width, WINDOW_COLUMNS):
            yield (
                (top, min(top + WINDOW_ROWS, grid.height)),
                (left, min(left + WINDOW_COLUMNS, grid.width)),
            )


def value_layers(
    name: str, grid: PixelGrid, count: int, read: Callable[[Span, Span], tuple[Any, BoolArray]]
) -> Overlay:
    """Return the layers of real values: the values, and whether they are known.

    Args:
        name: Name of the raster in messages.
        grid: Grid of the raster.
        count: Number of values per pixel, C.
        read: Function from rows and columns to values [C, H, W] and known pixels, bool [H, W].

    Returns:
        Raster of C + 1 layers, float32.
    """

    def masked(rows: Span, columns: Span) -> Float32Array:
        values, known = read(rows, columns)
        shown = np.where(known, values, 0).astype(np.float32)
        return np.concatenate([shown, known[None].astype(np.float32)])

    return _layers(name, grid, count + 1, masked)


def class_layers(
    name: str, grid: PixelGrid, count: int, read: Callable[[Span, Span], UInt8Array]
) -> Overlay:
    """Return the layers of classes: one per class, which is 1 where a pixel is of that class.

    Args:
        name: Name of the raster in messages.
        grid: Grid of the raster.
        count: Number of classes, K.
        read: Function from rows and columns to classes [H, W], 255 where unknown.

    Returns:
        Raster of K layers, float32.
    """
    numbers = np.arange(count, dtype=np.uint8)[:, None, None]
    return _layers(name, grid, count, lambda rows, columns: read(rows, columns) == numbers)


def _layers(
    name: str, grid: PixelGrid, count: int, read: Callable[[Span, Span], npt.NDArray[Any]]
) -> Overlay:
    """Return a raster of `count` layers, float32, whose pixels all count as known."""

    def read_known(rows: Span, columns: Span) -> tuple[Float32Array, BoolArray]:
        values = read(rows, columns).astype(np.float32, copy=False)
        return values, np.broadcast_to(np.True_, values.shape[1:])

    whole = Placement((0, grid.height), (0, grid.width), read_known)
    return Overlay(name, grid, tuple(range(1, count + 1)), np.dtype(np.float32), [whole])


def resampled(source: Overlay, grid: PixelGrid) -> Callable[[Span, Span], Float32Array]:
    """Resample layers to another grid: by area, or bilinearly if that grid is finer.

    Args:
        source: Layers of :func:`value_layers` or :func:`class_layers`.
        grid: The grid. If its extent or CRS is another one,
            :class:`tiles.reading.warp.WarpedOverlay` resamples.

    Returns:
        Function from rows and columns of the grid to float32 [K, H, W], 0 outside the source.
    """
    if grid == source.grid:
        return lambda rows, columns: source.read(rows, columns)[0]
    if not _same_extent(source.grid, grid):
        warped = WarpedOverlay(source, grid)
        return lambda rows, columns: warped.read(rows, columns)[0]
    row_weights = resampling_weights(source.grid.height, grid.height)
    column_weights = resampling_weights(source.grid.width, grid.width)

    def read(rows: Span, columns: Span) -> Float32Array:
        source_rows = row_weights.source_range(*rows)
        source_columns = column_weights.source_range(*columns)
        values, known = source.read(source_rows, source_columns)
        result, _ = resample(
            torch.from_numpy(values),
            torch.from_numpy(known.copy()),
            row_weights.local(*rows, source_rows[0], known.shape[0]),
            column_weights.local(*columns, source_columns[0], known.shape[1]),
        )
        return result.numpy()

    return read


def _same_extent(one: PixelGrid, other: PixelGrid) -> bool:
    close = np.allclose(
        one.bounds, other.bounds, rtol=0, atol=PIXEL_TOLERANCE * abs(one.transform.a)
    )
    aligned = one.transform.a * other.transform.a > 0 and one.transform.e * other.transform.e > 0
    return one.crs == other.crs and close and aligned


def to_values(layers: Float32Array) -> tuple[Float32Array, BoolArray]:
    """Compute values from resampled layers of :func:`value_layers`.

    Args:
        layers: float32 [C + 1, H, W].

    Returns:
        Values, float32 [C, H, W], and known pixels, bool [H, W].
    """
    known = np.round(layers[-1], DIGITS) >= 0.5
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(known, layers[:-1] / layers[-1], 0)
    return values, known


def to_classes(layers: Float32Array) -> UInt8Array:
    """Compute classes from resampled layers of :func:`class_layers`.

    Args:
        layers: float32 [K, H, W].

    Returns:
        uint8 [H, W]: the class that covers most of a pixel, the lower one of two that cover the
        same share; 255 where unknown.
    """
    shares = np.round(layers, DIGITS)
    known = np.round(layers.sum(axis=0), DIGITS) >= 0.5
    return np.where(known, shares.argmax(axis=0), UNKNOWN_CLASS).astype(np.uint8)
