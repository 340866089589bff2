"""The optimisers' steps, worked by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from semimtl_geo.learning.adversarial import AdversarialSettings
from semimtl_geo.learning.optimisation import Optimisation
from tiles.errors import InvalidValueError


def stepped(settings: Optimisation, gradients: list[float]) -> list[float]:
    """A weight of 1 after each step."""
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = settings.generator_optimizer([weight])
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
    optimizer = Optimisation(discriminator_lr=0.1).discriminator_optimizer([weight])
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
    optimizer = Optimisation(lr=0.5).generator_optimizer([torch.nn.Parameter(torch.ones(1))])
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


@pytest.mark.parametrize(
    ("settings", "value", "allowed"),
    [
        (Optimisation, {"lr": -0.1}, "lr: must be 0 to 1000"),
        (Optimisation, {"lr": 1001.0}, "lr: must be 0 to 1000"),
        (Optimisation, {"discriminator_lr": -0.1}, "discriminator_lr: must be 0 to 1000"),
        (Optimisation, {"weight_decay": math.nan}, "weight_decay: must be >= 0 and finite"),
        (Optimisation, {"power": math.inf}, "power: must be >= 0 and finite"),
        (Optimisation, {"clip": 0.0}, "clip: must be > 0 and finite"),
        (AdversarialSettings, {"intra": -1.0}, "intra: must be >= 0 and finite"),
        (AdversarialSettings, {"inter": math.nan}, "inter: must be >= 0 and finite"),
        (AdversarialSettings, {"stride": 0}, "stride: must be >= 1 and finite"),
    ],
)
def test_settings_out_of_range(
    settings: Callable[..., object], value: dict[str, float], allowed: str
) -> None:
    with pytest.raises(InvalidValueError) as caught:
        settings(**value)
    group = "optimisation" if settings is Optimisation else "adversarial"
    (number,) = value.values()
    assert str(caught.value) == f"model.{group}.{allowed}, got {number}; correct the setting"


def test_ends_of_ranges_are_allowed() -> None:
    """A rate of 0 trains nothing, which tests and ablations want."""
    Optimisation(lr=0, discriminator_lr=0, weight_decay=0, power=0, clip=1e-9)
    AdversarialSettings(intra=0, inter=0, stride=1)
