"""Colours, legends and descriptions that figures and tables show of a task."""

from __future__ import annotations

import numpy as np
import pytest

from semimtl_geo.tasks import Depth, InverseDepth, Segmentation, Task
from semimtl_geo.tasks.coloring import (
    CORRECTNESS_COLORS,
    ERROR_RAMP,
    IndexedColors,
    Ramp,
    colorize_ramp,
    round_up,
)
from semimtl_geo.tasks.scores import ABSOLUTE_RELATIVE_ERROR as ABR
from semimtl_geo.tasks.scores import (
    DELTA_1,
    MAE,
    MEAN_IOU,
    MEAN_IOU_OF_MAIN,
    RAISED_FOUND,
    RMSE,
    RMSE_DISPARITY,
    RMSE_INVERSE,
    RMSE_RAISED,
    Score,
)
from tiles.maps.layers import ValueMap
from tiles.maps.qgis import RAMP


def test_indices_become_colours() -> None:
    image = IndexedColors(np.array([[0, 1, 255]], np.uint8), [(1, 2, 3), (4, 5, 6)]).rgba()
    assert image.dtype == np.uint8
    assert image.tolist() == [[[1, 2, 3, 255], [4, 5, 6, 255], [0, 0, 0, 0]]]


def test_values_beyond_the_ramp_have_its_ends() -> None:
    """A ramp from 0 to 25.4 m has 10 shades per metre; 255 is unknown."""
    values = np.array([[-3.0, 0.0, 1.0, 2.04, 25.4, 90.0, np.nan]])
    image = colorize_ramp(values, ~np.isnan(values), 25.4, [(0, 0, 0), (254, 127, 0)])
    assert image.indices.tolist() == [[0, 0, 10, 20, 254, 254, 255]]
    assert [image.palette[index] for index in (0, 10, 254)] == [
        (0, 0, 0),
        (10, 5, 0),
        (254, 127, 0),
    ]


@pytest.mark.parametrize(
    ("value", "end"),
    [(-1.0, 0.0), (0.0, 0.0), (0.37, 0.38), (0.4, 0.4), (7.0, 7.0), (7.1, 7.2), (13.0, 14.0)],
)
def test_ends_of_scales_are_easy_to_read(value: float, end: float) -> None:
    assert round_up(value) == pytest.approx(end)


def test_classes_that_are_none_have_no_colour() -> None:
    task = Segmentation(classes=("a", "b"), colors=((0, 0, 0), (9, 9, 9)))
    image = task.colorize(np.array([[0, 1, 2, 255, -1]]), np.ones((1, 5), np.bool_))
    assert image.indices.tolist() == [[0, 1, 255, 255, 255]]


@pytest.mark.parametrize(("unit", "words"), [("m", "height above ground"), ("1/m", "roofs")])
def test_layers_of_values(unit: str, words: str) -> None:
    assert Depth("roofs", unit=unit, scale=30.0).layer() == ValueMap(
        "roofs", unit, words, low=0.0, high=30.0
    )


def test_errors_of_heights() -> None:
    """Up to half of the heights that are shown: 4 m are the middle of the ramp to 8 m."""
    prediction = np.array([[3.0, 9.0, 1.0, 30.0, np.nan, 2.0]], np.float32)
    truth = np.array([[3.0, 5.0, 5.0, 2.0, 2.0, np.nan]], np.float32)
    known = ~(np.isnan(prediction) | np.isnan(truth))
    image = Depth().colorize_error(prediction, truth, known, 16.0)
    assert image.indices.tolist() == [[0, 127, 127, 254, 255, 255]]
    assert (image.palette[0], image.palette[254]) == (ERROR_RAMP[0], ERROR_RAMP[-1])


@pytest.mark.parametrize(("high", "shown", "errors"), [(None, 20.0, 10.0), (8.0, 8.0, 4.0)])
def test_legend_of_errors(high: float | None, shown: float, errors: float) -> None:
    assert Depth("roofs", unit="ft").error_legend(high).ramps == (
        Ramp("roofs", RAMP, shown, "ft"),
        Ramp("error", ERROR_RAMP, errors, "ft"),
    )


def test_errors_of_land_cover() -> None:
    """Of two classes; numbers that are none of them are unknown, as 255 is."""
    task = Segmentation(classes=("a", "b"), colors=((0, 0, 0), (9, 9, 9)))
    prediction = np.array([[0, 1, 2, 0, 0, 1]])
    truth = np.array([[0, 0, 0, 2, -1, 1]])
    known = np.array([[True, True, True, True, True, False]])
    right, wrong = (tuple(task.error_legend().swatches).index(n) for n in CORRECTNESS_COLORS)
    image = task.colorize_error(prediction, truth, known)
    assert image.indices.tolist() == [[right, wrong, 255, 255, 255, 255]]
    assert [tuple(c) for c in image.palette] == list(CORRECTNESS_COLORS.values())


HEIGHT, INVERSE = Depth(relative_above=0.5), InverseDepth(farthest=50.0)
LAND = Segmentation(minor=("clutter", "car", "meadow"))


@pytest.mark.parametrize(
    ("task", "score", "unit", "words"),
    [
        (HEIGHT, RMSE, "m", "root mean square error, in metres"),
        (HEIGHT, MAE, "m", "mean absolute error, in metres"),
        (
            HEIGHT,
            RMSE_RAISED,
            "m",
            "root mean square error where the truth is above 0.5 m, in metres",
        ),
        (
            HEIGHT,
            ABR,
            "",
            "absolute error relative to the true value where the truth is above 0.5 m",
        ),
        (
            HEIGHT,
            RAISED_FOUND,
            "%",
            "recall of raised pixels where the truth is above 0.5 m, in percent",
        ),
        (LAND, MEAN_IOU, "%", "mean of the classes that occur in either, in percent"),
        (LAND, MEAN_IOU_OF_MAIN, "%", "mIoU without clutter and car, in percent"),
        (Segmentation(minor=()), MEAN_IOU_OF_MAIN, "%", "mIoU, in percent"),
        (Depth(unit="ft"), RMSE, "ft", "root mean square error, in ft"),
        (INVERSE, RMSE, "m", "root mean square error, in metres, of distances up to 50 m"),
        (INVERSE, MAE, "m", "mean absolute error, in metres, of distances up to 50 m"),
        (INVERSE, ABR, "", "relative to the true value, of distances up to 50 m, mean"),
        (INVERSE, DELTA_1, "%", "1.25 of the truth, of distances up to 50 m, in percent"),
        (INVERSE, RMSE_INVERSE, "1/m", "of inverse depth, in 1/m; the sky counts"),
        (INVERSE, RMSE_DISPARITY, "px", "in pixels of the stereo camera; the sky counts"),
    ],
)
def test_scores_in_words(task: Task, score: Score, unit: str, words: str) -> None:
    assert task.score_unit(score) == unit
    assert words in task.describe_score(score)
    assert RMSE.describe() == "root mean square error"
