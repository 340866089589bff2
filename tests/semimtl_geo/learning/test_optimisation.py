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


def test_adamw() -> None:
    """The first step is as large as the learning rate; the decay comes before, by itself."""
    settings = Optimisation("adamw", lr=0.1, weight_decay=0.2)
    assert stepped(settings, [0.5]) == pytest.approx([1 - 0.1 * 0.2 - 0.1])
