from __future__ import annotations

import copy
import hashlib
import json
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from semimtl_geo.networks.checkpoint import (
    KEY,
    ModelCard,
    fingerprint,
    load_generator,
    load_networks,
)
from tests.semimtl_geo.conftest import CROP, Run
from tiles.errors import InputError


@pytest.fixture
def loaded(run: Run) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(run.checkpoint, weights_only=True)
    return content


def test_a_checkpoint_carries_what_mapping_needs(loaded: dict[str, Any]) -> None:
    card = loaded[KEY]
    # Nothing but what JSON knows.
    assert json.loads(json.dumps(card)) == card
    assert card["domains"] == ["city_a", "city_b"]
    assert card["bands"] == ["NIR", "red", "green"]
    assert (card["gsd"], card["crop"], card["batchnorm"]) == (0.27, CROP, "per_domain")
    assert card["mean"] == [0.485, 0.456, 0.406]
    landcover, height = card["tasks"]
    assert landcover["classes"][4] == "car"
    assert (height["scale"], height["unit"]) == (20.0, "m")


def test_the_generator_is_the_trained_one(run: Run, loaded: dict[str, Any]) -> None:
    card, generator = load_generator(run.checkpoint)
    assert card.to_plain() == loaded[KEY]
    assert not generator.training
    state = generator.state_dict()
    trained = {k: v for k, v in loaded["state_dict"].items() if k.startswith("generator.")}
    assert {f"generator.{key}" for key in state} == set(trained)
    assert all(torch.equal(state[key], trained[f"generator.{key}"]) for key in state)
    # Statistics of both domains, and they are not the same.
    means = [v for k, v in state.items() if k.endswith("norms.0.running_mean")]
    others = [v for k, v in state.items() if k.endswith("norms.1.running_mean")]
    assert len(means) == len(others) > 5
    assert not any(torch.equal(a, b) for a, b in zip(means, others, strict=True))


def test_the_discriminators_are_the_trained_ones(run: Run, loaded: dict[str, Any]) -> None:
    card, _, discriminators = load_networks(run.checkpoint)
    assert list(discriminators) == ["landcover", "height"]
    assert (card.discriminator_width, card.sources) == (4, 3)  # ground truth and two cities
    trained = {k: v for k, v in loaded["state_dict"].items() if k.startswith("discriminators.")}
    own = {
        f"discriminators.{name}.{key}": value
        for name, discriminator in discriminators.items()
        for key, value in discriminator.state_dict().items()
    }
    assert own.keys() == trained.keys()
    assert all(torch.equal(value, trained[key]) for key, value in own.items())
    assert not any(discriminator.training for discriminator in discriminators.values())


def test_a_checkpoint_from_before_discriminators_were_used(
    loaded: dict[str, Any], tmp_path: Path
) -> None:
    del loaded[KEY]["discriminator_width"], loaded[KEY]["sources"]
    torch.save(loaded, tmp_path / "m.ckpt")
    _, generator, discriminators = load_networks(tmp_path / "m.ckpt")
    assert discriminators == {}
    assert not generator.training


def test_discriminators_that_do_not_fit_the_card(loaded: dict[str, Any], tmp_path: Path) -> None:
    loaded[KEY]["sources"] = 5
    torch.save(loaded, tmp_path / "m.ckpt")
    with pytest.raises(InputError, match="size mismatch"):
        load_networks(tmp_path / "m.ckpt")


def test_the_encoder_of_a_checkpoint_needs_no_other_file(run: Run) -> None:
    card, _ = load_generator(run.checkpoint)
    assert card.encoder.weights is None
    plain = card.to_plain()
    plain["encoder"]["weights"] = "imagenet"
    assert ModelCard.from_plain(plain).encoder.weights is None


@pytest.mark.parametrize("key", ["format", "tasks", "domains", "encoder", "bands", "gsd", "crop"])
def test_a_card_with_a_hole(loaded: dict[str, Any], tmp_path: Path, key: str) -> None:
    del loaded[KEY][key]
    torch.save(loaded, tmp_path / "m.ckpt")
    with pytest.raises(InputError, match=rf"m.ckpt: is damaged.*{key}"):
        load_generator(tmp_path / "m.ckpt")


NONSENSE: tuple[Any, ...] = (None, "x", -1, [None], {"name": 3}, [{"kind": "x"}])


@pytest.mark.parametrize("value", NONSENSE, ids=repr)
def test_a_card_of_nonsense(loaded: dict[str, Any], tmp_path: Path, value: Any) -> None:
    """It is refused in one line or taken (a name that is only a name), without a traceback."""
    refused: dict[str, str] = {}
    for key in loaded[KEY]:
        content = copy.copy(loaded)
        content[KEY] = loaded[KEY] | {key: value}
        torch.save(content, tmp_path / "m.ckpt")
        try:
            load_generator(tmp_path / "m.ckpt")
        except InputError as error:
            refused[key] = str(error)
    assert {"format", "tasks", "encoder", "decoder_width", "mean"} <= set(refused)
    assert not any("\n" in line for line in refused.values())


def test_a_later_format(loaded: dict[str, Any], tmp_path: Path) -> None:
    loaded[KEY]["format"] = 2
    torch.save(loaded, tmp_path / "m.ckpt")
    with pytest.raises(InputError, match="format 2, this version reads 1"):
        load_generator(tmp_path / "m.ckpt")


def test_weights_that_do_not_fit_the_card(loaded: dict[str, Any], tmp_path: Path) -> None:
    loaded[KEY]["decoder_width"] = 32
    torch.save(loaded, tmp_path / "m.ckpt")
    with pytest.raises(InputError, match="size mismatch"):
        load_generator(tmp_path / "m.ckpt")
    loaded["state_dict"] = {}
    torch.save(loaded, tmp_path / "m.ckpt")
    with pytest.raises(InputError, match="Missing key"):
        load_generator(tmp_path / "m.ckpt")


def test_checkpoints_of_something_else(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "m.ckpt"

    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.touch, (victim,))

    contents: list[Any] = [
        {"state_dict": {}, "epoch": 3},
        {KEY: {}, "state_dict": {}},
        {KEY: 3, "state_dict": 4},
        {KEY: None, "state_dict": {}},
        [1, 2, 3],
        torch.zeros(3),
    ]
    for content in contents:
        torch.save(content, path)
        with pytest.raises(InputError, match=r"m\.ckpt"):
            load_generator(path)
    path.write_bytes(pickle.dumps({KEY: Bomb(), "state_dict": {}}, protocol=2))
    with pytest.raises(InputError, match="cannot be loaded safely"):
        load_generator(path)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="cannot be loaded safely"):
        load_generator(path)
    assert not victim.exists()
    for missing in (tmp_path / "none.ckpt", tmp_path):
        with pytest.raises(InputError, match=r"no such file|is a folder"):
            load_generator(missing)


def test_a_fingerprint_is_the_sha_256(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    assert fingerprint(tmp_path / "f") == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize("share", np.linspace(0.001, 0.999, 10))
def test_no_damage_goes_unnoticed(run: Run, tmp_path: Path, share: float) -> None:
    """A flipped bit anywhere is an error, or changes nothing (between the parts of the archive)."""
    content = bytearray(run.checkpoint.read_bytes())
    content[int(share * len(content))] ^= 0x10
    damaged = tmp_path / "damaged.ckpt"
    damaged.write_bytes(content)
    try:
        card, generator = load_generator(damaged)
    except InputError as error:
        assert "damaged" in str(error)  # noqa: PT017 - not every bit means something
        return
    whole_card, whole = load_generator(run.checkpoint)
    assert card == whole_card
    for name, value in whole.state_dict().items():
        assert torch.equal(value, generator.state_dict()[name])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite(loaded: dict[str, Any], tmp_path: Path, value: float) -> None:
    content = copy.deepcopy(loaded)
    name = next(key for key in content["state_dict"] if key.startswith("generator."))
    content["state_dict"][name][0] = value
    torch.save(content, tmp_path / "nan.ckpt")
    with pytest.raises(InputError, match=r"nan\.ckpt: is damaged.*is not finite"):
        load_generator(tmp_path / "nan.ckpt")
