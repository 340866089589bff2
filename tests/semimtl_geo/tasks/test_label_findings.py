"""What is said about values of labels that cannot be right, or are odd."""

from __future__ import annotations

import numpy as np
import pytest

from semimtl_geo.tasks import Depth, Segmentation, Slope
from semimtl_geo.tasks.label_findings import Finding

HEIGHT, LAND = Depth(), Segmentation(classes=("a", "b", "c"), colors=((0, 0, 0),) * 3)


def heights_of(ground: float, last: float, share: float = 0.02) -> np.ndarray:
    """A thousand heights, of which a share, at one end, is ``last``."""
    values = np.full(1000, ground, np.float32)
    values[: round(1000 * share)] = last
    return values


def found(task: Depth | Segmentation, values: np.ndarray) -> list[Finding]:
    return list(task.label_findings(values, float(values.min())))


@pytest.mark.parametrize(
    "values",
    [
        heights_of(0, 20),
        heights_of(0, 99.9),
        heights_of(0, 500, share=0.009),  # one tower
        heights_of(0, -4.9),
        heights_of(0, -400, share=0.009),  # one quarry
        heights_of(5.0, 5.0),
    ],
)
def test_heights_of_which_nothing_is_said(values: np.ndarray) -> None:
    assert found(HEIGHT, values) == []


@pytest.mark.parametrize(
    ("values", "fault", "remedy", "severe"),
    [
        (
            heights_of(338.4, 360),
            "has no pixel near the ground: 98 % are above 338 m",
            "give heights above ground; semimtl-geo ndsm computes them from a surface model",
            True,
        ),
        (
            heights_of(0, 301),
            "is higher than 301 m in 1 % of its pixels; it may be in centimetres",
            "convert it to metres",
            True,
        ),
        (
            heights_of(0, 300),
            "is higher than 300 m in 1 % of its pixels; it may be in decimetres",
            "convert it to metres unless it is right",
            False,
        ),
        (
            heights_of(0, 101),
            "is higher than 101 m in 1 % of its pixels; it may be in decimetres",
            "convert it to metres unless it is right",
            False,
        ),
        (
            heights_of(0, -5.5),
            "is lower than -5.5 m in 1 % of its pixels",
            "check its terrain model",
            False,
        ),
    ],
)
def test_heights_that_are_odd(values: np.ndarray, fault: str, remedy: str, severe: bool) -> None:
    assert found(HEIGHT, values) == [Finding(fault, remedy, severe)]


def test_a_height_raster_can_have_two_faults() -> None:
    values = heights_of(0, -20)
    values[-20:] = 150
    assert [finding.severe for finding in found(HEIGHT, values)] == [False, False]


@pytest.mark.parametrize("share", [0.01, 1.0])
def test_untagged_nodata_is_not_taken_for_a_height(share: float) -> None:
    """The other heights are judged without it."""
    values = heights_of(338, -9999, share)
    first, *others = found(HEIGHT, values)
    assert first.severe
    assert first.fault.startswith("has heights of -9999 m")
    assert "-9999" in first.remedy
    assert [finding.fault[:12] for finding in others] == ["has no pixel"] * (share < 1)


def test_the_smallest_height_need_not_be_in_the_sample() -> None:
    (finding,) = HEIGHT.label_findings(heights_of(0, 20), -32768.0)
    assert "-32768" in finding.fault


def test_only_metres_above_ground_are_judged() -> None:
    """Neither disparities nor slopes, which are derived from labels of heights."""
    values = heights_of(338, 360)
    assert found(Depth(unit="1/m"), values) == []
    assert found(Slope(), values) == []
    assert len(found(Depth("roofs"), values)) == 1


@pytest.mark.parametrize(
    ("values", "findings"),
    [
        ([0, 1, 2, 255], []),
        ([1, 255], []),
        ([1, 1], [Finding("holds class 1 only", "check its classes", severe=False)]),
        (
            [0, 3, 7],
            [
                Finding(
                    "has the value 3, but classes are 0 to 2",
                    "correct the labels, or declare the value as nodata",
                )
            ],
        ),
        (
            [0, -1],
            [
                Finding(
                    "has the value -1, but classes are 0 to 2",
                    "correct the labels, or declare the value as nodata",
                )
            ],
        ),
        (
            [0, 0.5],
            [
                Finding(
                    "has the value 0.5, but classes are 0 to 2",
                    "correct the labels, or declare the value as nodata",
                )
            ],
        ),
    ],
)
def test_classes(values: list[float], findings: list[Finding]) -> None:
    assert found(LAND, np.array(values, np.float32)) == findings


def test_unknown_pixels() -> None:
    values, known = np.array([[1, 2]], np.uint8), np.array([[True, False]])
    classes = LAND.mask_unknown(values, known)
    assert (classes.dtype, classes.tolist()) == (np.int64, [[1, 255]])
    assert LAND.mask_unknown(values).tolist() == [[1, 2]]
    metres = HEIGHT.mask_unknown(values, known)
    assert metres.dtype == np.float32
    np.testing.assert_array_equal(metres, [[1, np.nan]])
    assert HEIGHT.mask_unknown(values).tolist() == [[1, 2]]
