"""The optimisers' steps, worked by hand."""

from __future__ import annotations

import pytest
import torch

from semimtl_geo.learning.optimisation import Optimisation


def stepped(settings: Optimisation, gradients: list[float]) -> list[float]:
    """A weight of 1 after each step."""
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = settings.of_generator([weight])
    values = []
    for gradient in gradients:
        weight.grad = torch.tensor([gradient])
        optimizer.step()
        values.append(weight.item())
    return values


def test_sgd() -> None:
    """0.5 + 0.1 * 1 is the first gradient; the second counts with 0.9 of the first."""
    first = 0.5 + 0.1
    one = 1 - 0.1 * first
    two = one - 0.1 * (0.9 * first + 0.2 + 0.1 * one)
    settings = Optimisation("sgd", lr=0.1, weight_decay=0.1)
    assert stepped(settings, [0.5, 0.2]) == pytest.approx([one, two])


def test_adam_of_discriminators() -> None:
    """Averages over 10 gradients and 100 squares (0.9, 0.99), without their bias towards 0."""
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = Optimisation(discriminator_lr=0.1).of_discriminators([weight])
    mean = square = 0.0
    expected = 1.0
    for step, gradient in enumerate((0.5, -0.2, 0.1), start=1):
        weight.grad = torch.tensor([gradient])
        optimizer.step()
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.99 * square + 0.01 * gradient**2
        expected -= 0.1 * (mean / (1 - 0.9**step)) / (square / (1 - 0.99**step)) ** 0.5
        assert weight.item() == pytest.approx(expected, rel=1e-5)


def test_the_learning_rate_is_a_polynomial() -> None:
    """Of power 0.9, and 0 after the last iteration."""
    optimizer = Optimisation(lr=0.5).of_generator([torch.nn.Parameter(torch.ones(1))])
    schedule = Optimisation(lr=0.5).schedule(optimizer, lambda: 8)
    rates = []
    for _ in range(8):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx([0.5 * (1 - done / 8) ** 0.9 for done in range(8)])
    assert optimizer.param_groups[0]["lr"] == 0.0


def test_adamw() -> None:
    """The first step is as large as the learning rate; the decay comes before, by itself."""
    settings = Optimisation("adamw", lr=0.1, weight_decay=0.2)
    assert stepped(settings, [0.5]) == pytest.approx([1 - 0.1 * 0.2 - 0.1])
