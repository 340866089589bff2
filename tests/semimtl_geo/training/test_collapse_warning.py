from __future__ import annotations

import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from semimtl_geo.learning.adversarial import AdversarialSettings
from semimtl_geo.learning.optimisation import Optimisation
from semimtl_geo.training.collapse_warning import CollapseWarning, TrainingWarning
from semimtl_geo.training.module import SemiMTL
from tests.semimtl_geo.conftest import make_batch
from tests.semimtl_geo.training.test_module import TWO, fit


def look(watch: CollapseWarning, step: int, **metrics: float) -> list[str]:
    """What the watch logs in an iteration that logged these."""
    logged: list[str] = []
    named = {name.replace("__", "/"): torch.tensor(value) for name, value in metrics.items()}
    trainer: Any = SimpleNamespace(
        global_step=step, callback_metrics=named, is_global_zero=True, log_every_n_steps=10
    )
    module: Any = SimpleNamespace(log=lambda name, value: logged.append(name))
    watch.on_train_batch_end(trainer, module)
    return logged


def confusion(truth: float, a: float) -> dict[str, float]:
    return {
        "confusion__height__truth as truth": truth,
        "confusion__height__truth as a": 1 - truth,
        "confusion__height__a as a": a,
        "confusion__height__a as truth": 1 - a,
    }


def test_a_discriminator_that_is_always_right_is_told_once() -> None:
    watch = CollapseWarning(patience=20)
    assert not look(watch, 10, **confusion(0.995, 1.0))
    assert not look(watch, 20, **confusion(0.995, 1.0))
    with pytest.warns(TrainingWarning, match=r"discriminator of height .* 99.5 %") as caught:
        assert look(watch, 30, **confusion(0.995, 1.0)) == ["collapse/height"]
    assert "iterations 10 to 30" in str(caught[0].message)
    assert "\n" not in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not look(watch, 40, **confusion(1.0, 1.0))


def test_one_that_misses_a_source_now_and_then_teaches() -> None:
    watch = CollapseWarning(patience=20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for step in range(10, 200, 10):
            assert not look(watch, step, **confusion(0.995, 0.9 if step % 30 == 0 else 1.0))
            assert not look(watch, step + 1, **confusion(1.0, 1.0))  # it does not look


def test_predictions_that_are_all_alike_are_told() -> None:
    watch = CollapseWarning(patience=10)
    look(watch, 10, train__b__landcover__variety=0.001, train__a__height__variety=0.2)
    with pytest.warns(TrainingWarning, match="landcover on b, .* nearly the same everywhere"):
        logged = look(watch, 20, train__b__landcover__variety=0.0, train__a__height__variety=0.2)
    assert logged == ["collapse/b/landcover"]


def test_a_run_that_goes_on_remembers() -> None:
    watch, again = CollapseWarning(patience=20), CollapseWarning(patience=20)
    look(watch, 10, **confusion(1.0, 1.0))
    again.load_state_dict(watch.state_dict())
    with pytest.warns(TrainingWarning):
        look(again, 30, **confusion(1.0, 1.0))


def test_a_real_collapse(make_model: Callable[..., SemiMTL]) -> None:
    """Discriminators that learn alone, of a network that says the same everywhere."""
    model = make_model(
        adversarial=AdversarialSettings(0.0, 0.0),
        optimisation=Optimisation(lr=0.0, discriminator_lr=0.01),
    )
    with torch.no_grad():  # class 0, wherever it looks; heights of another level
        model.generator.decoders["landcover"].head.weight.zero_()
        model.generator.decoders["landcover"].head.bias.copy_(torch.tensor([9.0, 0.0, 0.0]))
    batch = make_batch(TWO)
    watch = CollapseWarning(patience=4)
    with pytest.warns(TrainingWarning) as caught:
        fit(model, batch, steps=12, extra=[watch])
    assert any("landcover on b" in str(warning.message) for warning in caught)
    assert "b/landcover" in watch.reported


def test_a_healthy_run_is_quiet(make_model: Callable[..., SemiMTL]) -> None:
    watch = CollapseWarning(patience=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", TrainingWarning)
        fit(make_model(), make_batch(TWO), steps=4, extra=[watch])
