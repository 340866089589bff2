from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence

import pytest
import torch
import yaml

from semimtl_geo.class_schemes import ISPRS
from semimtl_geo.tasks import (
    TASKS,
    BinnedDepth,
    Depth,
    InverseDepth,
    Segmentation,
    Slope,
    Task,
    from_settings,
    register_task,
)
from tiles.errors import InvalidValueError
from tiles.maps.layers import ClassMap, ValueMap

LAND = Segmentation(
    "landcover",
    0.5,
    classes=("road", "house", "tree"),
    colors=((0, 0, 0), (255, 0, 0), (0, 255, 0)),
)
HEIGHT = Depth("height", 0.25, scale=10.0, unit="m", discriminator_gain=3.0, relative_above=0.5)


@pytest.mark.parametrize(
    "task",
    [LAND, HEIGHT, Segmentation(), Depth(), BinnedDepth(bins=5), InverseDepth(), Slope(gsd=0.3)],
)
def test_settings_go_through_a_file(task: Task) -> None:
    plain = task.settings()
    for copy in (json.loads(json.dumps(plain)), yaml.safe_load(yaml.safe_dump(plain))):
        again = from_settings(copy)
        assert type(again) is type(task)
        assert again == task
        assert again.settings() == plain
        assert again.layer() == task.layer()
        assert (again.name, again.weight, again.channels) == (
            task.name,
            task.weight,
            task.channels,
        )


def test_settings_of_nothing_we_know() -> None:
    with pytest.raises(KeyError):
        from_settings({"kind": "normals", "name": "n"})
    with pytest.raises(TypeError):
        from_settings({"kind": "depth", "classes": ["a"]})


def test_a_kind_of_task_is_registered_once() -> None:
    class Canopy(Depth):
        """Heights of trees."""

    first = Canopy
    try:
        assert register_task(first) is first
        assert register_task(first) is first  # as when a module is loaded anew
        assert type(from_settings({"kind": "canopy", "name": "trees"})) is first

        class Canopy(Depth):  # type: ignore[no-redef]
            """Another class of the same name."""

        with pytest.raises(InvalidValueError) as caught:
            register_task(Canopy)
        assert TASKS["canopy"] is first
    finally:
        del TASKS["canopy"]
    assert str(caught.value) == (
        f"task class canopy: is registered already, for {first.__qualname__}; give the class "
        "another name"
    )


def test_default_classes_are_those_of_the_benchmark() -> None:
    assert Segmentation().channels == 6
    assert Segmentation().classes == ISPRS.names


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: InverseDepth(farthest=0), r"task depth: farthest: must be > 0 to 1e\+06, got 0;"),
        (
            lambda: InverseDepth(disparity=0),
            r"task depth: disparity: must be > 0 to 1e\+09, got 0;",
        ),
        (lambda: InverseDepth(scale=0), r"task depth: scale: must be > 0"),
        (lambda: Slope(gsd=0), r"task slope: gsd: must be > 0 to 1e\+06, got 0;"),
        (lambda: Slope(scale=0), "task slope: scale: must be > 0"),
    ],
)
def test_numbers_that_are_not_possible(make: Callable[[], Task], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        make()


@pytest.mark.parametrize("count", [0, 1, 256])
def test_how_many_classes_there_may_be(count: int) -> None:
    """One leaves nothing to decide, and 255 is an unknown pixel's value."""
    names = [f"class {number}" for number in range(count)]
    with pytest.raises(InvalidValueError, match=f"roofs: number of classes: .* got {count};"):
        Segmentation("roofs", classes=names, colors=[(0, 0, 0)] * count)


@pytest.mark.parametrize(
    ("classes", "colors", "message"),
    [
        (
            ("a", "b", "a"),
            [(0, 0, 0)] * 3,
            "task roofs: has two classes of one name; give each its own name",
        ),
        (
            ("a", "b"),
            [(0, 0, 0)] * 3,
            "task roofs: must have a colour for each of its 2 classes; give red, green and blue "
            "for each class",
        ),
        (
            ("a", "b"),
            [(0, 0, 0), (0, 0)],
            "task roofs: must have a colour for each of its 2 classes; give red, green and blue "
            "for each class",
        ),
    ],
)
def test_classes_have_names_and_colours_of_their_own(
    classes: Sequence[str], colors: Sequence[Sequence[int]], message: str
) -> None:
    with pytest.raises(InvalidValueError) as caught:
        Segmentation("roofs", classes=classes, colors=colors)
    assert str(caught.value) == message


def test_a_discriminator_sees_one_hot_truth_and_the_prediction_in_its_holes() -> None:
    output = torch.tensor([[math.log(2), 0.0, 0.0], [0.0, 0.0, 0.0]]).T.view(1, 3, 1, 2)
    shown = LAND.discriminator_input(output)
    torch.testing.assert_close(shown[0, :, 0, 0], torch.tensor([0.5, 0.25, 0.25]))
    truth, known = LAND.discriminator_truth(torch.tensor([[[255, 2]]]), shown)
    torch.testing.assert_close(truth[0, :, 0, 0], torch.tensor([0.5, 0.25, 0.25]))
    assert truth[0, :, 0, 1].tolist() == [0, 0, 1]
    assert known.tolist() == [[[False, True]]]
    assert truth.shape == shown.shape


def test_a_discriminator_sees_heights_in_the_unit_of_predictions() -> None:
    """The network shows 20 m as 2 (scale 10), the discriminator sees 6 (gain 3)."""
    output = torch.tensor([[[[2.0, 0.5]]]])
    shown = HEIGHT.discriminator_input(output)
    assert shown.flatten().tolist() == [6.0, 1.5]
    truth, known = HEIGHT.discriminator_truth(torch.tensor([[[20.0, math.nan]]]), shown)
    assert truth.flatten().tolist() == [6.0, 1.5]
    assert known.tolist() == [[[True, False]]]
    assert truth.shape == shown.shape


def test_a_network_that_is_right_is_not_told_from_the_truth() -> None:
    heights = torch.tensor([[[0.0, 7.0, 25.0]]])
    shown = HEIGHT.discriminator_input(heights[:, None] / HEIGHT.scale)
    truth, _ = HEIGHT.discriminator_truth(heights, torch.zeros_like(shown))
    torch.testing.assert_close(truth, shown)


def test_maps_of_land_cover() -> None:
    output = torch.tensor([0.0, 3.0, 1.0]).view(1, 3, 1, 1)
    estimate = LAND.estimate(output)
    assert estimate.sum().item() == pytest.approx(1)
    assert LAND.decide(estimate).tolist() == [[[1]]]
    assert LAND.layer() == ClassMap(
        "landcover", ("road", "house", "tree"), ((0, 0, 0), (255, 0, 0), (0, 255, 0))
    )


def test_maps_of_heights_are_in_metres_and_not_below_ground() -> None:
    output = torch.tensor([[[[1.5, -0.2]]]])
    assert HEIGHT.decide(HEIGHT.estimate(output)).tolist() == [[[15.0, 0.0]]]
    layer = HEIGHT.layer()
    assert isinstance(layer, ValueMap)
    assert (layer.unit, layer.high) == ("m", 10.0)


def test_losses_are_in_the_unit_of_the_network() -> None:
    """A prediction of 0.5 for 10 m of scale 10 is off by 0.5: beyond c = 0.1, 2.6 / 2 = 1.3."""
    assert HEIGHT.loss(torch.tensor([[[[0.5]]]]), torch.tensor([[[10.0]]])).item() == pytest.approx(
        (0.5**2 + 0.1**2) / (2 * 0.1)
    )
    scores = torch.tensor([0.0, math.log(2), 0.0]).view(1, 3, 1, 1)
    assert LAND.loss(scores, torch.tensor([[[1]]])).item() == pytest.approx(math.log(2))


def test_overlap_adds_lovasz_softmax() -> None:
    """It is 1 - IoU of certain predictions: 1 - 1/2 and 1 - 0; the cross entropy is 20 / 2."""
    task = Segmentation(classes=("a", "b", "c"), colors=((0, 0, 0),) * 3, lovasz_weight=2.0)
    scores = torch.tensor([[20.0, 20.0, 0.0], [0.0, 0.0, 20.0], [0.0, 0.0, 0.0]]).view(1, 3, 1, 3)
    loss = task.loss(scores, torch.tensor([[[0, 1, 255]]]))
    assert loss.item() == pytest.approx(20 / 2 + 2 * (1 / 2 + 1) / 2, rel=1e-5)


def test_scores_are_in_the_unit_of_the_task() -> None:
    scores = HEIGHT.scores()
    scores.update(torch.tensor([[2.0, 0.1]]), torch.tensor([[1.0, 0.4]]))
    got = scores.compute()
    assert got["AbR"].item() == pytest.approx(1.0)  # 0.4 m is not above relative_above
    assert got["RMSE"].item() == pytest.approx(math.sqrt((1 + 0.09) / 2))


def test_scores_of_inverse_depth_are_those_of_its_camera() -> None:
    """10 m taken for 20 m; at 80 m nothing counts; 0.05/m are 5 px of 100."""
    scores = InverseDepth(farthest=50.0, disparity=100.0).scores()
    scores.update(torch.tensor([0.05, 0.0625]), torch.tensor([0.1, 0.0125]))
    got = scores.compute()
    assert got["MAE"].item() == pytest.approx(10)
    assert got["RMSE/px"].item() == pytest.approx(5)


def test_slopes_of_a_known_surface() -> None:
    """A roof that rises 1 m to the right per pixel of 0.5 m is steep by atan 2."""
    slope = Slope(gsd=0.5)
    assert slope.label == "height"
    roof = torch.arange(5.0).repeat(4, 1)[None]
    assert slope.target(roof).flatten().tolist() == pytest.approx(
        [math.degrees(math.atan(2))] * 20, rel=1e-5
    )
    assert torch.count_nonzero(slope.target(torch.full((1, 4, 4), 7.0))) == 0
    tilted = torch.arange(4.0)[:, None] + torch.arange(5.0)  # 2 up both ways
    assert slope.target(tilted[None])[0, 1, 1].item() == pytest.approx(
        math.degrees(math.atan(2 * math.sqrt(2))), rel=1e-5
    )


def test_slopes_beside_unknown_heights_are_unknown() -> None:
    heights = torch.zeros(1, 5, 5)
    heights[0, 2, 2] = torch.nan
    unknown = Slope().target(heights).isnan()[0]
    assert unknown.nonzero().tolist() == [[1, 2], [2, 1], [2, 2], [2, 3], [3, 2]]


def test_variety_of_predictions() -> None:
    """Of 8 pixels, 5 are most likely of class 1; heights of 0 and 2 in the network's unit."""
    classes = torch.tensor([1, 1, 1, 1, 1, 0, 0, 2])
    output = torch.nn.functional.one_hot(classes, 3).T.view(1, 3, 2, 4).float()
    assert LAND.variety(output).item() == pytest.approx(3 / 8)
    assert LAND.variety(torch.zeros(1, 3, 2, 4)).item() == 0
    assert HEIGHT.variety(torch.tensor([0.0, 2.0]).view(1, 1, 1, 2)).item() == pytest.approx(
        math.sqrt(2)
    )
    assert HEIGHT.variety(torch.full((1, 1, 2, 2), 3.0)).item() == 0
