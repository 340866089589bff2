"""The prior on the heights of classes, against formulas worked by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from semimtl_geo.learning.consistency import Consistency, SemanticHeight
from semimtl_geo.tasks import BinnedDepth, Depth, Segmentation
from semimtl_geo.training.module import SemiMTL
from tests.semimtl_geo.conftest import CLASSES, COLORS, make_batch, make_tasks
from tests.semimtl_geo.training.test_module import TWO, fit
from tiles.errors import InputError

GROUND, BUILDING, TREE, UNKNOWN = 0, 1, 2, 255
PRIOR = Consistency({"ground": (0.0, 0.0), "building": (2.0, math.inf)}, weight=0.4)


def loss() -> SemanticHeight:
    """Ground at 0 m, buildings from 2 m, trees anything; heights in units of 10 m."""
    return PRIOR.build(make_tasks())


def row(*values: float) -> Tensor:
    """[1, 1, W]."""
    return torch.tensor([[list(values)]])


def logits_of(*probabilities: tuple[float, float, float]) -> Tensor:
    """[1, 3, 1, W]."""
    return torch.tensor(probabilities).log().T[None, :, None].clone().requires_grad_()


def test_classes_teach_heights() -> None:
    """In m: ground 3, ground -1, building 0.5, building 7, tree 9, unknown 8.

    Outside by 3, 1, 1.5, 0, 0; 5.5 m over five known pixels, in units of 10 m: 0.11.
    """
    heights = row(0.3, -0.1, 0.05, 0.7, 0.9, 0.8).requires_grad_()
    classes = torch.tensor([[[GROUND, GROUND, BUILDING, BUILDING, TREE, UNKNOWN]]])
    taught = loss().height_range_loss(heights[:, None], classes)
    assert taught.item() == pytest.approx(0.11)
    taught.backward()
    assert heights.grad is not None
    assert heights.grad.flatten().tolist() == pytest.approx([0.2, -0.2, -0.2, 0, 0, 0])


def test_classes_teach_bins() -> None:
    """Bins of 0 to 1, 1 to 10 and 10 to 100 m: the first is ground, the others may be buildings.

    The expectation of the second pixel, 4.6 m, would do for a building; 0.4 of it is on the ground.
    """
    tasks = [make_tasks()[0], BinnedDepth(bins=2, lowest=1.0, highest=100.0)]
    output = logits_of((0.7, 0.2, 0.1), (0.4, 0.55, 0.05), (0.1, 0.8, 0.1), (0.2, 0.2, 0.6))
    classes = torch.tensor([[[GROUND, BUILDING, TREE, UNKNOWN]]])
    taught = PRIOR.build(tasks).height_range_loss(output, classes)
    assert taught.item() == pytest.approx(-(math.log(0.7) + math.log(0.6)) / 3)
    taught.backward()
    assert output.grad is not None
    # p_b - [b is in the range] p_b / P, over three pixels.
    ground = [(0.7 - 1) / 3, 0.2 / 3, 0.1 / 3]
    building = [0.4 / 3, (0.55 - 0.55 / 0.6) / 3, (0.05 - 0.05 / 0.6) / 3]
    assert output.grad[0, :, 0, 0].tolist() == pytest.approx(ground, abs=1e-6)
    assert output.grad[0, :, 0, 1].tolist() == pytest.approx(building, abs=1e-6)
    assert output.grad[0, :, 0, 2:].abs().max() == pytest.approx(0, abs=1e-6)


def test_heights_teach_classes() -> None:
    """The tolerance is 0.5 m: ground up to 0.5 m, buildings from 1.5 m; trees are not asked.

    Pixels at 0.4 m, 6 m, 1 m (neither ground nor building: left alone) and unknown.
    """
    logits = logits_of((0.5, 0.3, 0.2), (0.5, 0.4, 0.1), (0.9, 0.05, 0.05), (0.1, 0.1, 0.8))
    taught = loss().class_loss(logits, row(0.4, 6.0, 1.0, math.nan))
    assert taught.item() == pytest.approx(-(math.log(0.5 / 0.8) + math.log(0.4 / 0.9)) / 2)
    taught.backward()
    assert logits.grad is not None
    # Over ground and buildings: p_c / 0.8 - [c is possible], over two pixels. Trees: nothing.
    first = [(0.5 / 0.8 - 1) / 2, 0.3 / 0.8 / 2, 0]
    assert logits.grad[0, :, 0, 0].tolist() == pytest.approx(first, abs=1e-6)
    assert logits.grad[0, :, 0, 2:].flatten().tolist() == pytest.approx([0] * 6, abs=1e-7)


def test_mean_heights_are_those_of_the_labels_elsewhere() -> None:
    """Ground is taken for a building at 0.4 m, which its height forbids.

    At 8 m 0.3 : 0.2 is 0.6 buildings and 0.4 trees, at 3 m 0.1 : 0.3 is 0.25 and 0.75; at 1 m there
    is nothing, at NaN nobody knows. Ground is 0.4 m, buildings (0.6 * 8 + 0.25 * 3) / 0.85 m, trees
    (0.4 * 8 + 0.75 * 3) / 1.15 m.

    Elsewhere two ground pixels at 2 and 4 m, one building at 5 m, a tree at 9 m, and one unknown;
    ground is away by 3 - 0.4 m, twice, the others once; over four pixels.
    """
    heights = {**PRIOR.heights, CLASSES[TREE]: (2.0, math.inf)}
    consistency = replace(PRIOR, heights=heights).build(make_tasks())
    predicted = row(0.2, 0.4, 0.5, 0.9, 0.8).requires_grad_()
    classes = torch.tensor([[[GROUND, GROUND, BUILDING, TREE, UNKNOWN]]])
    assert consistency.mean_height_loss(predicted, classes).item() == 0  # nothing is remembered
    third = (1 / 3, 1 / 3, 1 / 3)
    logits = logits_of((0.2, 0.8, 1e-9), (0.5, 0.3, 0.2), (0.6, 0.1, 0.3), third, third)
    seen = row(0.4, 8.0, 3.0, 1.0, math.nan)
    consistency.update_means(consistency.predicted_shares(logits, seen), seen)
    taught = consistency.mean_height_loss(predicted, classes)
    building, tree = (4.8 + 0.75) / 0.85, (3.2 + 2.25) / 1.15
    expected = (2 * (3 - 0.4) + (building - 5) + (9 - tree)) / 4 / 10
    assert taught.item() == pytest.approx(expected, rel=1e-5)
    taught.backward()
    assert predicted.grad is not None
    assert predicted.grad.flatten().tolist() == pytest.approx([0.25, 0.25, -0.25, 0.25, 0])
    # Another batch counts 0.02, after one that counted 0.02 * 0.98.
    consistency.update_means(consistency.predicted_shares(logits_of(third), row(-0.1)), row(-0.1))
    mean = (consistency.sums / consistency.counts)[GROUND].item()
    assert mean == pytest.approx((0.98 * 0.4 - 0.1) / (0.98 + 1), rel=1e-5)


def test_of_two_classes_it_is_the_binary_cross_entropy() -> None:
    tasks = [Segmentation(classes=CLASSES[:2], colors=COLORS[:2]), Depth()]
    scores = torch.tensor([[[[1.5, -0.3, 0.2]], [[0.0, 0.0, 0.0]]]])
    taught = PRIOR.build(tasks).class_loss(scores, row(0.0, 0.1, 9.0))
    low = torch.tensor([1.0, 1.0, 0.0])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(scores[0, 0, 0], low)
    assert taught.item() == pytest.approx(expected.item())


def test_predictions_agree() -> None:
    """At 1 m, ground is 1 m too high and a building 1 m too low; at 4 m, ground is 4 m too high.

    Of ground and buildings: 5 / 8 and 3 / 8 times 1 m, and 1 / 3 of 4 m; their mean: 7 / 6 m.
    """
    logits = logits_of((0.5, 0.3, 0.2), (0.25, 0.5, 0.25))
    heights = row(0.1, 0.4).requires_grad_()
    taught = loss().agreement_loss(logits, heights[:, None])
    assert taught.item() == pytest.approx(0.7 / 6)
    taught.backward()
    assert heights.grad is not None
    assert heights.grad.flatten().tolist() == pytest.approx([(5 - 3) / 16, 1 / 6])
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert logits.grad.abs().sum() > 0


def test_what_is_labelled_decides_what_is_taught() -> None:
    consistency = loss()
    outputs = {"landcover": torch.zeros(1, 3, 1, 1), "height": torch.zeros(1, 1, 1, 1)}
    classes = {"landcover": torch.zeros(1, 1, 1, dtype=torch.int64)}
    heights = {"height": torch.zeros(1, 1, 1)}
    taught = {}
    for labels in ({}, classes, heights, classes | heights):
        found = consistency(outputs, labels)
        taught[tuple(labels)] = None if found is None else found[0].name
    assert taught == {
        (): "height",
        ("landcover",): "height",
        ("height",): "landcover",
        ("landcover", "height"): None,
    }


@pytest.mark.parametrize(("means", "expected"), [(True, 0.17), (False, 0.1)])
def test_one_domain_remembers_for_the_other(means: bool, expected: float) -> None:
    """Ground is 0.3 m in one; 1 m in the other is 1 m outside, and 0.7 m from the mean."""
    consistency = replace(PRIOR, means=means).build(make_tasks())
    outputs = {"landcover": torch.zeros(1, 3, 1, 1), "height": torch.full((1, 1, 1, 1), 0.1)}
    consistency(outputs, {"height": torch.full((1, 1, 1), 0.3)})
    found = consistency(outputs, {"landcover": torch.full((1, 1, 1), GROUND)})
    assert found is not None
    assert found[1].item() == pytest.approx(expected)


def test_where_both_are_labelled_the_labels_are_remembered() -> None:
    """Ground at 0.2 and 0.6 m, a building at 7 m, another that nobody measured; no trees."""
    consistency = loss()
    outputs = {"landcover": torch.zeros(1, 3, 1, 5), "height": torch.zeros(1, 1, 1, 5)}
    classes = torch.tensor([[[GROUND, BUILDING, GROUND, BUILDING, TREE]]])
    heights = row(0.2, 7.0, 0.6, math.nan, 9.0)
    assert consistency(outputs, {"landcover": classes, "height": heights}) is None
    means = (consistency.sums / consistency.counts).tolist()
    assert means[:2] == pytest.approx([0.4, 7.0])
    assert math.isnan(means[TREE])  # it is not of the prior


@pytest.mark.parametrize("labels", ["landcover", "height"])
def test_unknown_labels_do_not_count(labels: str) -> None:
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    heights = torch.randn(1, 1, 2, 2, requires_grad=True)
    if labels == "landcover":
        taught = loss().height_range_loss(heights, torch.full((1, 2, 2), UNKNOWN))
    else:
        taught = loss().class_loss(logits, torch.full((1, 2, 2), math.nan))
    taught.backward()
    assert taught.item() == 0
    gradient = heights.grad if labels == "landcover" else logits.grad
    assert gradient is not None
    assert torch.count_nonzero(gradient) == 0


def test_an_iteration_with_it(make_model: Callable[..., SemiMTL]) -> None:
    """The gradient of JTL's losses and of the prior's, by plain autograd."""
    batch = make_batch(TWO)
    model = make_model(system="jtl", consistency=PRIOR, batchnorm="mixed")
    twin = make_model(system="jtl", batchnorm="mixed")
    for layer in (*model.modules(), *twin.modules()):
        if isinstance(layer, torch.nn.Dropout2d):
            layer.p = 0.0
    outputs = twin.train().generator(torch.cat([batch["a"]["image"], batch["b"]["image"]]))
    landcover, height = outputs["landcover"], outputs["height"]
    classes, heights = make_tasks()
    prior = loss()
    taught_heights = prior.height_range_loss(height[:2], batch["a"]["landcover"])
    taught_classes = prior.class_loss(landcover[2:], batch["b"]["height"])
    total = classes.loss(landcover[:2], batch["a"]["landcover"]) + 0.4 * taught_classes
    # The prior's weight is not multiplied by that of the task that it teaches.
    total = total + 0.5 * heights.loss(height[2:], batch["b"]["height"]) + 0.4 * taught_heights
    total.backward()
    logged = fit(model, batch).logged_metrics
    assert logged["train/a/height/consistency"].item() == pytest.approx(taught_heights.item())
    assert logged["train/b/landcover/consistency"].item() == pytest.approx(taught_classes.item())
    for (name, got), want in zip(
        model.generator.named_parameters(), twin.generator.parameters(), strict=True
    ):
        assert got.grad is not None
        assert want.grad is not None
        assert torch.allclose(got.grad, want.grad, rtol=1e-4, atol=1e-5), name


@pytest.mark.parametrize(
    ("settings", "system", "message"),
    [
        (
            {"heights": {"roof": (0, 1)}},
            "jtl",
            ": no class is called roof; use ('ground', 'building', 'tree')",
        ),
        (
            {"heights": {}},
            "jtl",
            ".heights: must have two or more classes, got none; name every class whose heights "
            "are known, also those in the base file",
        ),
        (
            {"heights": {"tree": (1, 3)}},
            "jtl",
            ".heights: must have two or more classes, got tree; name every class whose heights "
            "are known, also those in the base file",
        ),
        (
            {"heights": {"tree": (3, 1)}},
            "jtl",
            ": tree: 3 to 1 m is not a range; give the lower value first",
        ),
        (
            {"heights": PRIOR.heights, "weight": -1.0},
            "jtl",
            ".weight: must be >= 0 and finite, got -1.0; correct the setting",
        ),
        (
            {"heights": PRIOR.heights, "tolerance": math.nan},
            "jtl",
            ".tolerance: must be >= 0 and finite, got nan; correct the setting",
        ),
        (
            {"heights": {}},
            "stl_seg",
            ": needs the tasks landcover and height, but the trained tasks are landcover; "
            "leave it out, or name a task of classes and a height",
        ),
        (
            {"heights": {}, "height": "depth"},
            "jtl",
            ": needs the tasks landcover and depth, but the trained tasks are height, "
            "landcover; leave it out, or name a task of classes and a height",
        ),
    ],
)
def test_a_prior_that_does_not_fit(
    make_model: Callable[..., SemiMTL], settings: dict[str, object], system: str, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        make_model(system=system, consistency=Consistency(**settings))  # type: ignore[arg-type]
    assert str(caught.value) == f"model.consistency{message}"


def test_street_views_have_no_ground(make_model: Callable[..., SemiMTL]) -> None:
    tasks = [make_tasks()[0], Depth("height", unit="1/m")]
    with pytest.raises(InputError) as caught:
        make_model(tasks=tasks, consistency=PRIOR)
    assert str(caught.value) == (
        "model.consistency: needs heights in m, height is in 1/m; give heights in metres, or leave "
        "it out (street views have none)"
    )


def test_heights_at_the_ends_of_the_tolerance_are_possible() -> None:
    """Ground up to 0 + 0.5 m and from 0 - 0.5 m, buildings from 2 - 0.5 m; trees are not listed."""
    heights = torch.tensor([[[-0.5, 0.5, 0.51, 1.49, 1.5, math.nan]]])
    possible = loss().possible(heights)[0, :, 0].int().tolist()
    assert possible == [[1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0]]


def test_a_single_height_teaches_as_much_as_many() -> None:
    """Of ground and building at 0.3 and 0.6, it is the ground: log (0.9 / 0.3) = log 3."""
    logits = logits_of((0.3, 0.6, 0.1))
    for count in (1, 4):
        taught = loss().class_loss(logits.repeat(1, 1, 1, count), torch.zeros(1, 1, count))
        assert taught.item() == pytest.approx(math.log(3), rel=1e-6)


def test_a_prior_may_weigh_nothing() -> None:
    replace(PRIOR, weight=0.0, tolerance=0.0).build(make_tasks())


def test_a_checkpoint_has_the_remembered_heights_alone() -> None:
    """The ranges are those of the configuration, which may be another when a run goes on."""
    assert set(loss().state_dict()) == {"sums", "counts"}
