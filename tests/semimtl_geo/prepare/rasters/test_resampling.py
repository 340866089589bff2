"""By hand: new pixels from old ones."""

from __future__ import annotations

import numpy as np
import pytest
from rasterio.crs import CRS
from rasterio.transform import from_origin

from semimtl_geo.prepare.rasters.resampling import (
    class_layers,
    resampled,
    to_classes,
    to_values,
    value_layers,
    windows,
)
from tiles.grid import PixelGrid
from tiles.types import Span


def grid(height: int, width: int, gsd: float, at: float = 0.0) -> PixelGrid:
    transform = from_origin(300_000 + at, 5_000_000 - at, gsd, gsd)
    return PixelGrid(CRS.from_epsg(32633), transform, width, height)


def class_at(classes: np.ndarray, old: PixelGrid, new: PixelGrid, count: int = 3) -> np.ndarray:
    layers = class_layers("x", old, count, lambda r, c: classes[slice(*r), slice(*c)])
    return to_classes(resampled(layers, new)((0, new.height), (0, new.width)))


def value_at(
    values: np.ndarray, known: np.ndarray, old: PixelGrid, new: PixelGrid
) -> tuple[np.ndarray, np.ndarray]:
    def read(rows: Span, columns: Span) -> tuple[np.ndarray, np.ndarray]:
        part = slice(*rows), slice(*columns)
        return values[None][:, *part], known[part]

    made, there = to_values(
        resampled(value_layers("x", old, 1, read), new)((0, new.height), (0, new.width))
    )
    return made[0], there


def test_9_pixels_to_5_by_area() -> None:
    old, new = grid(1, 9, 0.05), grid(1, 5, 0.09)
    values = np.arange(9, dtype=np.float32)[None]
    made, known = value_at(values, np.ones((1, 9), bool), old, new)
    # New pixels cover 1.8 old ones: 0-1.8, 1.8-3.6, 3.6-5.4, ...
    expected = [
        (1 * 0 + 0.8 * 1) / 1.8,
        (0.2 * 1 + 1 * 2 + 0.6 * 3) / 1.8,
        (0.4 * 3 + 1 * 4 + 0.4 * 5) / 1.8,
        (0.6 * 5 + 1 * 6 + 0.2 * 7) / 1.8,
        (0.8 * 7 + 1 * 8) / 1.8,
    ]
    np.testing.assert_allclose(made[0], expected, rtol=1e-6)
    assert known.all()


def test_unknown_has_no_influence_and_wins_from_half_on() -> None:
    old, new = grid(2, 6, 1), grid(1, 3, 2)
    values = np.array([[1, 3, -9999, 5, -9999, -9999], [5, 7, -9999, 7, -9999, 9]], np.float32)
    made, known = value_at(values, values > 0, old, new)
    # All four known; just half; a quarter.
    assert known.tolist() == [[True, True, False]]
    assert made.tolist() == [[4, 6, 0]]


def test_to_classes() -> None:
    old, new = grid(1, 9, 0.05), grid(1, 5, 0.09)
    classes = np.array([[1, 0, 0, 2, 2, 1, 255, 255, 2]], np.uint8)
    # 0: 1 of 1, 0.8 of 0. 1: 1.2 of 0, 0.6 of 2. 2: 1.4 of 2, 0.4 of 1.
    # 3: 0.6 of 1, 1.2 unknown. 4: 0.8 unknown, 1 of 2.
    assert class_at(classes, old, new).tolist() == [[1, 0, 2, 255, 2]]


def test_the_lower_class_of_two_that_cover_as_much() -> None:
    classes = np.array([[2, 1], [1, 2]], np.uint8)
    assert class_at(classes, grid(2, 2, 1), grid(1, 1, 2)).tolist() == [[1]]


@pytest.mark.parametrize("size", [(700, 1100), (513, 1025)])
def test_windows_do_not_show(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    old = grid(*size, 0.05)
    new = old.resampled(0.09)
    classes = rng.choice(np.array([0, 1, 2, 255], np.uint8), size)
    whole = class_at(classes, old, new)
    layers = class_layers("x", old, 3, lambda r, c: classes[slice(*r), slice(*c)])
    read = resampled(layers, new)
    for rows, columns in windows(new):
        part = slice(*rows), slice(*columns)
        np.testing.assert_array_equal(whole[part], to_classes(read(rows, columns)))
    covered = np.zeros((new.height, new.width), int)
    for rows, columns in windows(new):
        covered[slice(*rows), slice(*columns)] += 1
    assert (covered == 1).all()


def test_one_grid_changes_nothing() -> None:
    old = grid(3, 4, 0.09)
    values = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    known = np.random.default_rng(1).random((3, 4)) < 0.5
    made, there = value_at(values, known, old, old)
    np.testing.assert_array_equal(there, known)
    np.testing.assert_array_equal(made[known], values[known])


def test_another_place() -> None:
    """A grid one pixel further to the south-east, and beyond the edge."""
    old, new = grid(3, 3, 1), grid(3, 3, 1, at=1.0)
    classes = np.array([[0, 1, 2], [1, 2, 0], [2, 0, 1]], np.uint8)
    assert class_at(classes, old, new).tolist() == [[2, 0, 255], [0, 1, 255], [255, 255, 255]]
