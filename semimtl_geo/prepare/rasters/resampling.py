"""From the pixels of an archive to those of a scene: averages and majorities of what is known.

One rule for images, heights and classes: a new pixel is made from the known part of the ground that
it covers, and is unknown where more than half of it is. All are made as weighted sums of layers in
which unknown is 0, beside a layer that is 1 where something is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tiles.grid import PixelGrid
from tiles.reading.overlay import Cover, Overlay
from tiles.reading.resample import make_taps, resample
from tiles.reading.warp import Warped
from tiles.types import UNKNOWN_CLASS, BoolArray, Float32Array, Span, UInt8Array

ROWS, COLUMNS = 512, 1024
"""A window that is worked on at a time: whole blocks of the file, and it bounds memory."""

# Weights are float32 and sum to 1 but for rounding: shares that differ by less are equal.
DIGITS = 5


def windows(grid: PixelGrid) -> Iterator[tuple[Span, Span]]:
    """Windows over a grid, row by row."""
    for top in range(0, grid.height, ROWS):
        for left in range(0, grid.width, COLUMNS):
            yield (
                (top, min(top + ROWS, grid.height)),
                (left, min(left + COLUMNS, grid.width)),
            )


def layers(
    name: str, grid: PixelGrid, count: int, read: Callable[[Span, Span], npt.NDArray[Any]]
) -> Overlay:
    """Layers that are to be summed.

    Args:
        name: What they are called in errors.
        grid: Where their pixels lie.
        count: How many they are, K.
        read: From rows and columns to numbers [K, H, W], 0 where unknown.

    Returns:
        A raster of float32, every pixel of which is known.
    """

    def both(rows: Span, columns: Span) -> tuple[Float32Array, BoolArray]:
        values = read(rows, columns).astype(np.float32, copy=False)
        return values, np.broadcast_to(np.True_, values.shape[1:])

    whole = Cover((0, grid.height), (0, grid.width), both)
    return Overlay(name, grid, tuple(range(1, count + 1)), np.dtype(np.float32), [whole])


def value_layers(
    name: str, grid: PixelGrid, count: int, read: Callable[[Span, Span], tuple[Any, BoolArray]]
) -> Overlay:
    """Layers of values that may be unknown, and of their being known.

    Args:
        name: What they are called in errors.
        grid: Where their pixels lie.
        count: Number of values per pixel, C.
        read: From rows and columns to values [C, H, W] and which are known, bool [H, W].
    """

    def masked(rows: Span, columns: Span) -> Float32Array:
        values, known = read(rows, columns)
        shown = np.where(known, values, 0).astype(np.float32)
        return np.concatenate([shown, known[None].astype(np.float32)])

    return layers(name, grid, count + 1, masked)


def class_layers(
    name: str, grid: PixelGrid, count: int, read: Callable[[Span, Span], UInt8Array]
) -> Overlay:
    """A layer per class, 1 where a pixel is of it.

    Args:
        name: What they are called in errors.
        grid: Where their pixels lie.
        count: Number of classes, K.
        read: From rows and columns to classes [H, W], 255 where unknown.
    """
    numbers = np.arange(count, dtype=np.uint8)[:, None, None]
    return layers(name, grid, count, lambda rows, columns: read(rows, columns) == numbers)


def onto(source: Overlay, grid: PixelGrid) -> Callable[[Span, Span], Float32Array]:
    """Layers on another grid: averages by area, or bilinear where that grid is finer.

    Args:
        source: Layers of :func:`layers`.
        grid: The grid; of the same extent, or any other (then see
            :class:`tiles.reading.warp.Warped`).

    Returns:
        From rows and columns of the grid to float32 [K, H, W], 0 beyond the source.
    """
    if grid == source.grid:
        return lambda rows, columns: source.read(rows, columns)[0]
    if not _one_extent(source.grid, grid):
        warped = Warped(source, grid)
        return lambda rows, columns: warped.read(rows, columns)[0]
    high = make_taps(source.grid.height, grid.height)
    wide = make_taps(source.grid.width, grid.width)

    def read(rows: Span, columns: Span) -> Float32Array:
        reach = high.reach(*rows), wide.reach(*columns)
        values, known = source.read(*reach)
        made, _ = resample(
            torch.from_numpy(values),
            torch.from_numpy(known.copy()),
            high.local(*rows, reach[0][0], known.shape[0]),
            wide.local(*columns, reach[1][0], known.shape[1]),
        )
        return made.numpy()

    return read


def _one_extent(one: PixelGrid, other: PixelGrid) -> bool:
    near = np.allclose(one.bounds, other.bounds, rtol=0, atol=0.01 * abs(one.transform.a))
    upright = one.transform.a * other.transform.a > 0 and one.transform.e * other.transform.e > 0
    return one.crs == other.crs and near and upright


def averages(made: Float32Array) -> tuple[Float32Array, BoolArray]:
    """Values [C, H, W], and which pixels are known, of layers of :func:`value_layers`."""
    known = np.round(made[-1], DIGITS) >= 0.5
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(known, made[:-1] / made[-1], 0)
    return values, known


def majority(made: Float32Array) -> UInt8Array:
    """Classes [H, W], 255 where unknown, of layers of :func:`class_layers`.

    The class that covers most of a pixel, the lower one of two that cover as much.
    """
    shares = np.round(made, DIGITS)
    known = np.round(made.sum(axis=0), DIGITS) >= 0.5
    return np.where(known, shares.argmax(axis=0), UNKNOWN_CLASS).astype(np.uint8)
