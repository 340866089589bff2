from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from semimtl_geo.networks import Encoder
from semimtl_geo.networks.checkpoint import load_generator
from semimtl_geo.networks.fine_tuning import start_from
from semimtl_geo.training.module import SemiMTL
from tests.semimtl_geo.conftest import Run
from tiles.errors import InputError


def test_weights_are_copied_and_statistics_averaged(run: Run) -> None:
    card, trained = load_generator(run.checkpoint)
    other = replace(card, domains=("elsewhere",)).build_generator()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        start_from(other, run.checkpoint)
    theirs, ours = trained.state_dict(), other.state_dict()
    statistics = 0
    for name, value in ours.items():
        if name.endswith(("running_mean", "running_var")):
            second = theirs[name.replace("norms.0", "norms.1")]
            torch.testing.assert_close(value, (theirs[name] + second) / 2)
            statistics += int(not torch.equal(theirs[name], second))
        elif not name.endswith("num_batches_tracked"):
            assert torch.equal(value, theirs[name]), name
    assert statistics > 10


def test_other_decoders_keep_their_values(run: Run) -> None:
    card, _ = load_generator(run.checkpoint)
    landcover, height = card.tasks
    other = replace(card, tasks=(replace(landcover, decoder="unet"), height)).build_generator()
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.warns(UserWarning, match="which keep their initial weights: landcover$"):
        start_from(other, run.checkpoint)
    for name, value in other.state_dict().items():
        if name.startswith("decoders.landcover.") and name.endswith("weight"):
            assert torch.equal(value, before[name]), name
    assert not torch.equal(
        other.decoders["height"].regression.weight, before["decoders.height.regression.weight"]
    )


@pytest.mark.parametrize("change", ["encoder", "bands"])
def test_another_encoder_is_refused(run: Run, change: str) -> None:
    card, _ = load_generator(run.checkpoint)
    changes = {
        "encoder": {"encoder": Encoder("tu-resnet18", weights=None)},
        "bands": {"bands": ("red", "green"), "mean": (0.5, 0.5), "std": (0.2, 0.2)},
    }
    other = replace(card, **changes[change]).build_generator()
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(InputError, match=r"another encoder or other bands: .*NIR, red, green"):
        start_from(other, run.checkpoint)
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())


def test_other_bands_are_warned_of(run: Run) -> None:
    _, network = load_generator(run.checkpoint)
    start_from(network, run.checkpoint, ("nir", "Red", "green"))
    words = "was trained on NIR, red, green, and starts here on red, green, NIR"
    with pytest.warns(UserWarning, match=words):
        start_from(network, run.checkpoint, ("red", "green", "NIR"))


def test_training_starts_there(run: Run, tmp_path: Path) -> None:
    """At a learning rate of 0, the weights stay those that it started from."""
    from semimtl_geo.training.cli import train

    still = ("--model.optimisation.lr=0", f"--model.start={run.checkpoint}", "--data.iterations=1")
    file = train([*run.args, f"--out={tmp_path / 'out'}", *still], [])
    _, before = load_generator(run.checkpoint)
    _, after = load_generator(file)
    for (name, one), other in zip(before.named_parameters(), after.parameters(), strict=True):
        assert torch.equal(one, other), name


def test_the_encoders_own_weights_are_not_read(run: Run, tmp_path: Path) -> None:
    """The start replaces them, so that a file that is no longer there does not matter."""
    card, _ = load_generator(run.checkpoint)
    encoder = replace(card.encoder, weights=str(tmp_path / "gone.safetensors"))
    model = SemiMTL(
        list(card.tasks),
        {"a": ["landcover"], "b": ["height"]},
        encoder=encoder,
        decoder_width=card.decoder_width,
        crop=card.crop,
        start=str(run.checkpoint),
    )
    assert model.card.encoder == replace(encoder, weights=None)
    assert model.start == str(run.checkpoint)
