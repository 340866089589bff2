from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
import torchmetrics
from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

from semimtl_geo.tasks.metrics import DepthScores, InverseDepthScores, SegmentationScores
from semimtl_geo.tasks.scores import multi_task_gain

NAMES = ("road", "house", "tree")


def test_segmentation_by_hand() -> None:
    """Truth against prediction, ten pixels of which one is unknown.

    road:  3 right, 1 taken for house; house: 2 right, 1 taken for tree; tree: 1 right, 1 road.
    IoU: road 3 / (3 + 1 + 1), house 2 / (2 + 1 + 1), tree 1 / (1 + 1 + 1); 6 of 9 are right.
    F1, twice the hits over the pixels of truth and of prediction: 6 / 8, 4 / 6, 2 / 4.
    """
    truth = torch.tensor([[0, 0, 0, 0, 1, 1, 1, 2, 2, 255]])
    guess = torch.tensor([[0, 0, 0, 1, 1, 1, 2, 2, 0, 1]])
    scores = SegmentationScores(NAMES, 255, minor=["tree"])
    scores.update(guess, truth)
    got = {name: value.item() for name, value in scores.compute().items()}
    assert got == pytest.approx(
        {
            "pAcc": 100 * 6 / 9,
            "mIoU": 100 * (3 / 5 + 2 / 4 + 1 / 3) / 3,
            "mIoU/main": 100 * (3 / 5 + 2 / 4) / 2,
            "mF1": 100 * (6 / 8 + 4 / 6 + 2 / 4) / 3,
            "IoU/road": 60.0,
            "IoU/house": 50.0,
            "IoU/tree": 100 / 3,
        }
    )


def test_segmentation_as_torchmetrics_has_it() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 3, (4, 2, 9, 9), generator=generator)
    guess = torch.randint(0, 3, (4, 2, 9, 9), generator=generator)
    truth[torch.rand(truth.shape, generator=generator) < 0.2] = 255
    ours = SegmentationScores(NAMES, 255)
    jaccard = MulticlassJaccardIndex(3, average="none", ignore_index=255)
    accuracy = MulticlassAccuracy(3, average="micro", ignore_index=255)
    for part, label in zip(guess, truth, strict=True):
        ours.update(part, label)
        jaccard.update(part, label)
        accuracy.update(part, label)
    got = ours.compute()
    want = 100 * jaccard.compute()
    assert [got[f"IoU/{name}"].item() for name in NAMES] == pytest.approx(want.tolist(), rel=1e-5)
    assert got["mIoU"].item() == pytest.approx(want.mean().item(), rel=1e-5)
    assert got["pAcc"].item() == pytest.approx(100 * accuracy.compute().item(), rel=1e-5)


def test_a_class_that_nowhere_occurs_has_no_iou() -> None:
    scores = SegmentationScores(NAMES, 255)
    scores.update(torch.tensor([[0, 0, 1]]), torch.tensor([[0, 1, 1]]))
    got = scores.compute()
    assert math.isnan(got["IoU/tree"].item())
    assert got["mIoU"].item() == pytest.approx(50.0)


def test_a_class_of_a_single_pixel_counts() -> None:
    scores = SegmentationScores(NAMES, 255)
    scores.update(torch.tensor([[0, 0, 1]]), torch.tensor([[0, 0, 0]]))
    got = scores.compute()
    assert got["IoU/house"].item() == 0
    assert got["mIoU"].item() == pytest.approx(100 * (2 / 3 + 0) / 2)


def test_unknown_predictions_do_not_count_either() -> None:
    """A map has nodata where the orthophoto has."""
    scores = SegmentationScores(NAMES, 255)
    scores.update(torch.tensor([[0, 255, 1]]), torch.tensor([[0, 0, 255]]))
    assert scores.compute()["pAcc"].item() == 100
    assert scores.confmat.sum() == 1


def test_only_unknown_pixels() -> None:
    segmentation, depth = SegmentationScores(NAMES, 255), DepthScores()
    segmentation.update(torch.zeros(1, 2, dtype=torch.long), torch.full((1, 2), 255))
    depth.update(torch.zeros(1, 2), torch.full((1, 2), math.nan))
    assert math.isnan(segmentation.compute()["mIoU"].item())
    assert math.isnan(depth.compute()["RMSE"].item())


def test_depth_by_hand() -> None:
    """Truth 2, 4, 10, 0 and an unknown one; predictions 2.2, 8, 0, 3.

    Errors 0.2, 4, 10, 3, squares 0.04, 16, 100, 9: RMSE = sqrt(125.04 / 4). Two of the three raised
    pixels are found. Above zero: |e| / y = 0.1, 1, 1, mean 0.7.
    Ratios 1.1, 2, infinite: one of three is below 1.25, 1.5625 and 1.9531.
    """
    scores = DepthScores()
    scores.update(
        torch.tensor([[2.2, 8.0, 0.0, 3.0, 5.0]]), torch.tensor([[2.0, 4.0, 10.0, 0.0, math.nan]])
    )
    got = {name: value.item() for name, value in scores.compute().items()}
    third = 100 / 3
    assert got == pytest.approx(
        {
            "AbR": 0.7,
            "RMSE": math.sqrt(125.04 / 4),
            "RMSE/raised": math.sqrt(116.04 / 3),
            "MAE": 17.2 / 4,
            "found": 2 * third,
            "delta1": third,
            "delta2": third,
            "delta3": third,
        },
        rel=1e-6,
    )


@pytest.mark.parametrize(
    ("guess", "within"),
    [
        (1.2, 3),
        (1.25, 2),
        (1.3, 2),
        (1.6, 1),
        (1.953125, 0),
        (2.0, 0),
        (1 / 1.2, 3),
        (1 / 1.3, 2),
        (1 / 1.6, 1),
        (-1.0, 0),
    ],
)
def test_thresholds(guess: float, within: int) -> None:
    """Less than 1.25, 1.5625 and 1.953125, above the truth and below it."""
    scores = DepthScores()
    scores.update(torch.tensor([[guess]]), torch.tensor([[1.0]]))
    got = scores.compute()
    assert [got[f"delta{i}"].item() for i in (1, 2, 3)] == [
        100.0 * (i > 3 - within) for i in (1, 2, 3)
    ]


def test_depth_as_torchmetrics_has_it_over_several_batches() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = 0.5 + 20 * torch.rand(4, 3, 8, 8, generator=generator)
    guess = truth + torch.randn(4, 3, 8, 8, generator=generator)
    ours = DepthScores()
    rmse = torchmetrics.MeanSquaredError(squared=False)
    relative = torchmetrics.MeanAbsolutePercentageError()
    distance = torchmetrics.MeanAbsoluteError()
    for part, label in zip(guess, truth, strict=True):
        ours.update(part, label)
        rmse.update(part.flatten(), label.flatten())
        relative.update(part.flatten(), label.flatten())
        distance.update(part.flatten(), label.flatten())
    got = ours.compute()
    assert got["RMSE"].item() == pytest.approx(rmse.compute().item(), rel=1e-5)
    assert got["AbR"].item() == pytest.approx(relative.compute().item(), rel=1e-5)
    assert got["MAE"].item() == pytest.approx(distance.compute().item(), rel=1e-5)


def test_relative_scores_above_a_limit() -> None:
    """Of the truths 1 and 4 only 4 counts: |5 - 4| / 4; both enter RMSE."""
    scores = DepthScores(relative_above=1.0)
    scores.update(torch.tensor([[3.0, 5.0]]), torch.tensor([[1.0, 4.0]]))
    got = scores.compute()
    assert got["AbR"].item() == pytest.approx(0.25)
    assert got["RMSE"].item() == pytest.approx(math.sqrt((4 + 1) / 2))


def test_all_scores_as_numpy_has_them() -> None:
    """Written from section 4.1, over all pixels of several scenes at once."""
    generator = np.random.default_rng(0)
    truth = generator.gamma(1.0, 3.0, (3, 20, 20)) * (generator.random((3, 20, 20)) > 0.3)
    guess = np.clip(truth + generator.normal(0, 1, truth.shape), 0, None)
    truth[generator.random(truth.shape) < 0.1] = np.nan
    classes, said = generator.integers(0, 3, (2, 3, 20, 20))
    classes[generator.random(classes.shape) < 0.1] = 255

    depth, segmentation = DepthScores(relative_above=0.05), SegmentationScores(NAMES, 255)
    for i in range(3):
        depth.update(torch.from_numpy(guess[i]), torch.from_numpy(truth[i]))
        segmentation.update(torch.from_numpy(said[i]), torch.from_numpy(classes[i]))
    got = {name: value.item() for name, value in (depth.compute() | segmentation.compute()).items()}

    known = np.isfinite(truth)
    high = known & (np.nan_to_num(truth) > 0.05)
    with np.errstate(divide="ignore"):
        ratio = np.maximum(guess[high] / truth[high], truth[high] / guess[high])
    assert 0 < high.sum() < known.sum()
    assert got["RMSE"] == pytest.approx(np.sqrt(np.mean((guess - truth)[known] ** 2)))
    assert got["MAE"] == pytest.approx(np.mean(np.abs(guess - truth)[known]))
    assert got["RMSE/raised"] == pytest.approx(np.sqrt(np.mean((guess - truth)[high] ** 2)))
    assert got["found"] == pytest.approx(100 * np.mean(guess[high] > 0.05))
    assert got["AbR"] == pytest.approx(np.mean(np.abs(guess - truth)[high] / truth[high]))
    for i in (1, 2, 3):
        assert got[f"delta{i}"] == pytest.approx(100 * np.mean(ratio < 1.25**i))

    counts = classes != 255
    assert got["pAcc"] == pytest.approx(100 * np.mean((said == classes)[counts]))
    overlaps = [
        np.sum(counts & (said == k) & (classes == k))
        / np.sum(counts & ((said == k) | (classes == k)))
        for k in range(3)
    ]
    assert got["mIoU"] == pytest.approx(100 * np.mean(overlaps))
    for name, overlap in zip(NAMES, overlaps, strict=True):
        assert got[f"IoU/{name}"] == pytest.approx(100 * overlap)


@pytest.mark.parametrize(
    ("scores", "baseline", "published"),
    [
        # Table 2. Potsdam, SemiMTL and JTL against STL.
        ((81.4, 4.217), (79.7, 4.686), 6.1),
        ((80.7, 4.430), (79.7, 4.686), 3.4),
        # Vaihingen.
        ((64.9, 1.802), (42.4, 1.899), 29.1),
        ((62.2, 1.949), (42.4, 1.899), 22.1),
        ((63.8, 2.088), (42.4, 1.899), 20.4),
        # Table 3: Cityscapes, SemiMTL.
        ((76.9, 7.558), (76.0, 14.36), 24.3),
    ],
)
def test_gain_as_in_the_paper(
    scores: tuple[float, float], baseline: tuple[float, float], published: float
) -> None:
    """Scores are rounded to a tenth there, which is worth a tenth of a percent of gain or more."""
    keys = ("mIoU", "RMSE")
    gain = multi_task_gain(
        dict(zip(keys, scores, strict=True)), dict(zip(keys, baseline, strict=True))
    )
    assert gain == pytest.approx(published, abs=0.15)


def test_distances_of_street_views_by_hand() -> None:
    """Scored up to 50 m, with disparities of 400 px at 1 m.

    Truths of 10, 20, 40, 100 m, the sky, and one unknown; predictions of 20, 20, behind the sky,
    50 m, the sky, and 10 m. In metres: 10 for 20, 20 for 20, 40 for 50 (the farthest); two do not
    count. Inverse depths are off by 0.05, 0, 0.035, 0.01 and 0.
    """
    truth = torch.tensor([[1 / 10, 1 / 20, 1 / 40, 1 / 100, 0, math.nan]])
    guess = torch.tensor([[1 / 20, 1 / 20, -0.01, 1 / 50, 0, 1 / 10]])
    metric = InverseDepthScores(farthest=50.0, disparity=400.0)
    expected = {
        "AbR": (10 / 10 + 0 + 10 / 40) / 3,
        "RMSE": math.sqrt((100 + 0 + 100) / 3),
        "MAE": 20 / 3,
        "delta1": 100 / 3,  # 50 / 40 is 1.25, which is not within it
        "delta2": 200 / 3,
        "delta3": 200 / 3,
        "RMSE/inverse": math.sqrt((0.05**2 + 0.035**2 + 0.01**2) / 5),
        "RMSE/px": 400 * math.sqrt((0.05**2 + 0.035**2 + 0.01**2) / 5),
    }
    for _ in range(2):
        for columns in ([0, 1], [2, 3, 4, 5]):
            metric.update(guess[:, columns], truth[:, columns])
        got = {name: value.item() for name, value in metric.compute().items()}
        assert got == pytest.approx(expected, rel=1e-5)
        metric.reset()


def test_the_farthest_distance_counts() -> None:
    """Of 50 and 51 m, both taken for 25 m, the first is off by 25 m."""
    metric = InverseDepthScores(farthest=50.0, disparity=400.0)
    guess, truth = torch.tensor([[25, 25], [50, 51]], dtype=torch.float64).reciprocal()
    metric.update(guess, truth)
    assert metric.compute()["MAE"].item() == pytest.approx(25)
    assert metric.positive == 1


@pytest.mark.parametrize(
    "make", [DepthScores, partial(InverseDepthScores, farthest=50.0, disparity=400.0)]
)
def test_scores_of_two_processes_are_those_of_one(make: Callable[[], DepthScores]) -> None:
    """And no pixel is too many: float32 would lose errors of 1 beside one of 1e8."""
    guess = torch.cat([torch.tensor([1e4]), torch.ones(1000)])
    one, parts = make(), [make(), make()]
    for number, value in enumerate(guess):
        one.update(value[None], torch.zeros(1))
        parts[number % 2].update(value[None], torch.zeros(1))
    parts[0].merge_state(parts[1])
    expected = one.compute()
    for name, value in parts[0].compute().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-12, atol=0, equal_nan=True)
    of_all = expected["RMSE/inverse" if "RMSE/inverse" in expected else "RMSE"]
    assert of_all.item() == pytest.approx(math.sqrt((1e8 + 1000) / 1001), rel=1e-9)


def test_gain_of_the_baseline_is_nothing() -> None:
    assert multi_task_gain({"mIoU": 50.0, "RMSE": 2.0}, {"mIoU": 50.0, "RMSE": 2.0}) == 0
