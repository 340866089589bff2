from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from semimtl_geo.tasks.losses import berhu, cross_entropy, lovasz_softmax, root_mean_square


def maps(*values: float) -> Tensor:
    """[1, 1, W]."""
    return torch.tensor([[list(values)]])


def test_berhu_by_hand() -> None:
    """Residuals 1, -2, 0.5, 10: c = 10 / 5 = 2.

    |1| = 1; |-2| = 2, just at c; 0.5; (10² + 2²) / (2 * 2) = 26. Mean: 29.5 / 4 = 7.375.
    """
    prediction = maps(4.0, 1.0, 2.5, 13.0).requires_grad_()
    target = maps(3.0, 3.0, 2.0, 3.0)
    loss = berhu(prediction, target)
    assert loss.item() == pytest.approx(7.375)
    loss.backward()
    # Sign below c, x / c = 10 / 2 beyond it; over 4 pixels.
    assert prediction.grad is not None
    assert prediction.grad.flatten().tolist() == pytest.approx([0.25, -0.25, 0.25, 1.25])


def test_berhu_is_continuous_and_square_beyond_the_threshold() -> None:
    """Residuals 5, 3 and -1, with c = 1: (25 + 1) / 2 = 13, (9 + 1) / 2 = 5, and 1."""
    assert berhu(maps(5.0, 3.0, -1.0), maps(0.0, 0.0, 0.0)).item() == pytest.approx(19 / 3)


def test_berhu_passes_over_unknown_pixels() -> None:
    """Without the NaN: residuals 1 and 10, 1 + 26 over two pixels."""
    prediction = maps(4.0, 100.0, 13.0).requires_grad_()
    loss = berhu(prediction, maps(3.0, math.nan, 3.0))
    assert loss.item() == pytest.approx(13.5)
    loss.backward()
    assert prediction.grad is not None
    assert prediction.grad.flatten().tolist() == pytest.approx([0.5, 0.0, 2.5])


@pytest.mark.parametrize(("loss_of", "rounding"), [(berhu, 1e-30), (root_mean_square, 1e-15)])
def test_a_perfect_prediction(loss_of: Callable[[Tensor, Tensor], Tensor], rounding: float) -> None:
    prediction = maps(1.0, 2.0).requires_grad_()
    loss = loss_of(prediction, maps(1.0, 2.0))
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=rounding)
    assert prediction.grad is not None
    assert prediction.grad.flatten().tolist() == [0, 0]


@settings(max_examples=50, deadline=None)
@given(
    residuals=st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=9),
    factor=st.floats(0.01, 100),
)
def test_berhu_scales_with_the_unit(residuals: list[float], factor: float) -> None:
    """Both branches and the threshold are of degree one, and neither is below |x|."""
    x = torch.tensor([[residuals]], dtype=torch.float64)
    zero = torch.zeros_like(x)
    loss = berhu(x, zero).item()
    assert berhu(factor * x, zero).item() == pytest.approx(factor * loss, rel=1e-9, abs=1e-12)
    assert berhu(-x, zero).item() == pytest.approx(loss)
    assert loss >= x.abs().mean().item() * (1 - 1e-9)


def test_root_mean_square_by_hand() -> None:
    """Residuals 3 and -4, and an unknown pixel: the root of 25 / 2, whose slope is x / (2 rms)."""
    prediction = maps(4.0, 1.0, 100.0).requires_grad_()
    loss = root_mean_square(prediction, maps(1.0, 5.0, math.nan))
    assert loss.item() == pytest.approx(math.sqrt(12.5))
    loss.backward()
    assert prediction.grad is not None
    slopes = [3 / (2 * math.sqrt(12.5)), -4 / (2 * math.sqrt(12.5)), 0.0]
    assert prediction.grad.flatten().tolist() == pytest.approx(slopes)


def test_cross_entropy_by_hand() -> None:
    """Scores ln 3 and ln 1 give probabilities 3/4 and 1/4; the third pixel is unknown.

    -(ln 3/4 + ln 1/4) / 2 = 0.8370.
    """
    scores = torch.tensor([math.log(3), 0.0]).view(1, 2, 1, 1).expand(1, 2, 1, 3)
    logits = scores.clone().requires_grad_()
    loss = cross_entropy(logits, torch.tensor([[[0, 1, 255]]]), 255)
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(4)) / 2)
    loss.backward()
    # (p - onehot) / 2 known pixels.
    assert logits.grad is not None
    assert logits.grad[0, 0, 0].tolist() == pytest.approx([-0.125, 0.375, 0.0])


def test_a_batch_without_any_truth_does_no_harm() -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    values = torch.randn(2, 4, 4, requires_grad=True)
    loss = cross_entropy(logits, torch.full((2, 4, 4), 255), 255)
    loss = loss + berhu(values, torch.full((2, 4, 4), math.nan))
    loss.backward()
    assert loss.item() == 0
    for leaf in (logits, values):
        assert leaf.grad is not None
        assert torch.count_nonzero(leaf.grad) == 0
        assert leaf.grad.isfinite().all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0, 1, 2, 255])), min_size=1))
def test_lovasz_softmax_is_one_minus_iou_of_certain_predictions(
    pixels: list[tuple[int, int]],
) -> None:
    """The mean over the classes that the labels hold, counted here pixel by pixel."""
    predicted, true = (torch.tensor(column).view(1, 1, -1) for column in zip(*pixels, strict=True))
    logits = 100 * torch.nn.functional.one_hot(predicted, 3).permute(0, 3, 1, 2).float()
    known = [(p, t) for p, t in pixels if t != 255]
    expected = []
    for number in {t for _, t in known}:
        both = sum(p == t == number for p, t in known)
        either = sum(number in pair for pair in known)
        expected.append(1 - both / either)
    loss = lovasz_softmax(logits.requires_grad_(), true, 255)
    assert loss.item() == pytest.approx(sum(expected) / max(len(expected), 1), abs=1e-5)
    loss.backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
