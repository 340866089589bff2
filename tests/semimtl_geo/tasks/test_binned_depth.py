"""Heights as a distribution over bins."""

from __future__ import annotations

import math

import pytest
import torch

from semimtl_geo.tasks import BinnedDepth
from tiles.errors import InvalidValueError

BINS = BinnedDepth(bins=2, lowest=1.0, highest=100.0, scale=10.0, error_weight=0.1)
"""Bins from 1 to 10 and from 10 to 100 m, which stand for 5.5 and 55 m, above the ground's 0 m."""


def test_loss_by_hand() -> None:
    """Of a pixel whose scores are 0 for all three bins, the expectation is 60.5 / 3 m.

    At 7 m, the cross entropy is log 3, and the error of the expectation weighs a tenth.
    """
    undecided = torch.zeros(1, 3, 1, 2)
    assert BINS.estimate(undecided).flatten().tolist() == pytest.approx([60.5 / 3] * 2)
    assert BINS.discriminator_input(undecided).shape == (1, BINS.channels, 1, 2)
    loss = BINS.loss(undecided, torch.tensor([[[7.0, math.nan]]]))
    assert loss.item() == pytest.approx(math.log(3) + 0.1 * (60.5 / 3 - 7), rel=1e-6)


@pytest.mark.parametrize(
    ("metres", "number"),
    [(-3.0, 0), (0.0, 0), (0.99, 0), (1.0, 1), (9.99, 1), (10.0, 2), (99.0, 2), (400.0, 2)],
)
def test_each_height_has_its_bin(metres: float, number: int) -> None:
    task = BinnedDepth(bins=2, lowest=1.0, highest=100.0, error_weight=0.0)
    certain = torch.full((1, 3, 1, 1), -50.0)
    certain[0, number] = 50.0
    assert task.loss(certain, torch.tensor([[[metres]]])).item() == pytest.approx(0, abs=1e-6)


def test_without_a_known_pixel_nothing_is_learnt() -> None:
    output = torch.randn(1, 25, 2, 2, requires_grad=True)
    BinnedDepth().loss(output, torch.full((1, 2, 2), math.nan)).backward()
    assert output.grad is not None
    assert torch.count_nonzero(output.grad) == 0


@pytest.mark.parametrize(
    ("low", "high", "probability"),
    [
        (0.0, 0.5, 0.5),  # the ground alone
        (0.0, 1.0, 0.8),  # the first bin begins at 1 m
        (10.0, 20.0, 0.2),  # and ends before 10 m
        (9.9, 20.0, 0.5),
        (2.0, math.inf, 0.5),
        (100.0, math.inf, 0.2),  # whatever is higher counts as the last bin
        (-math.inf, math.inf, 1.0),
    ],
)
def test_a_range_has_the_probability_of_its_bins(
    low: float, high: float, probability: float
) -> None:
    """Of the ground, 1 to 10 m and 10 to 100 m: 0.5, 0.3 and 0.2."""
    output = torch.tensor([0.5, 0.3, 0.2]).log().view(1, 3, 1, 1)
    loss = BINS.range_loss(output, torch.tensor([low]), torch.tensor([high]))
    assert loss.shape == (1, 1, 1, 1)
    assert loss.item() == pytest.approx(-math.log(probability), abs=1e-6)


def test_losses_of_ranges_are_finite_and_not_negative() -> None:
    """Sums of rounded probabilities exceed 1, and a certain error has the probability 0."""
    output = torch.randn(1, 25, 40, 40, generator=torch.Generator().manual_seed(0))
    anything = torch.tensor([-math.inf]), torch.tensor([math.inf])
    assert (output.softmax(dim=1).sum(dim=1) > 1).any()
    assert (BinnedDepth().range_loss(output, *anything) >= 0).all()
    certain = torch.tensor([1000.0, 0.0, 0.0]).view(1, 3, 1, 1)
    roof = torch.tensor([2.0]), torch.tensor([50.0])
    assert BINS.range_loss(certain, *roof).item() == pytest.approx(-math.log(1e-12))


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"bins": 0}, "task roofs: bins: must be 1 to 8192, got 0"),
        ({"lowest": 0.0}, r"task roofs: lowest: must be > 0 to 1e\+06, got 0"),
        ({"highest": 0.5}, r"task roofs: highest: must be > 0.5 to 1e\+06, got 0.5"),
        ({"scale": 0.0}, r"task roofs: scale: must be > 0 to 1e\+06, got 0"),
        ({"weight": -1.0}, "task roofs: weight: must be >= 0 and finite, got -1"),
        ({"adversarial_weight": -1.0}, "adversarial_weight: must be >= 0 and finite, got -1"),
        ({"error_weight": -1.0}, r"error_weight: must be 0 to 1e\+06, got -1"),
        ({"relative_above": -1.0}, r"relative_above: must be 0 to 1e\+06, got -1"),
        (
            {"discriminator_gain": -1.0},
            r"task roofs: discriminator_gain: must be 0 to 1e\+06, got -1",
        ),
    ],
)
def test_settings_that_are_impossible(settings: dict[str, float], fault: str) -> None:
    with pytest.raises(InvalidValueError, match=fault):
        BinnedDepth("roofs", **settings)  # type: ignore[arg-type]  # a float for each


def test_every_bin_of_many_is_learnt() -> None:
    """A uniform distribution over n bins has the entropy log(n), whichever bin is true."""
    task = BinnedDepth(bins=400, error_weight=0.0)
    heights = torch.tensor(task.centers).view(1, 1, -1)
    for number in (0, 255, 400):
        loss = task.loss(torch.zeros(1, 401, 1, 1), heights[..., number : number + 1])
        assert loss.item() == pytest.approx(math.log(401))


def test_one_bin_is_a_decision() -> None:
    """Raised or not, of any height in between."""
    assert BinnedDepth(bins=1, lowest=2.0, highest=4.0).centers == (0.0, 3.0)


def test_constants_are_where_the_network_is() -> None:
    """On the device without memory, for want of a GPU: it refuses constants that are elsewhere."""
    output, target = torch.empty(1, 3, 2, 2, device="meta"), torch.empty(1, 2, 2, device="meta")
    ranges = torch.empty(4, device="meta"), torch.empty(4, device="meta")
    assert BINS.estimate(output).is_meta
    assert BINS.loss(output, target).is_meta
    assert BINS.range_loss(output, *ranges).is_meta
    with pytest.raises(RuntimeError):
        _ = output * torch.zeros(1, 3, 2, 2)
