from __future__ import annotations

import pickle
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rasterio
import torch
import torchgeo.models
import torchvision
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from semimtl_geo.networks.encoder import Encoder
from semimtl_geo.networks.weights import build_encoder, read_state_dict
from semimtl_geo.samples import sample_scenes
from tests.semimtl_geo.conftest import TINY
from tiles.errors import InputError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Statistics of ImageNet's bands."""


@pytest.fixture(scope="module")
def resnet18(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """torchvision's own network, its classifier too, as torch.save writes it."""
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    model = torchvision.models.resnet18(weights=None)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean)  # type: ignore[arg-type]
    torch.save(model.state_dict(), path)
    return path


def features_of(state: dict[str, Tensor], images: Tensor) -> Tensor:
    """The deepest features by torchvision, dilated as the paper's network."""
    model = torchvision.models.resnet18(weights=None)
    model.load_state_dict(state)
    # torchvision dilates bottlenecks only, so here at a stride of 32.
    return nn.Sequential(*list(model.eval().children())[:-2])(images)


@pytest.mark.parametrize("format_", ["pth", "safetensors", "wrapped"])
def test_weights_of_torchvision(resnet18: Path, tmp_path: Path, format_: str) -> None:
    state = torch.load(resnet18, weights_only=True)
    path = resnet18
    if format_ == "safetensors":
        path = tmp_path / "resnet18.safetensors"
        save_file(state, path)
    elif format_ == "wrapped":
        path = tmp_path / "checkpoint.pt"
        torch.save({"state_dict": state, "epoch": 3}, path)
    encoder = build_encoder(Encoder("resnet18", str(path), output_stride=32), 3).eval()
    own = encoder.state_dict()
    assert set(state) - set(own) == {"fc.weight", "fc.bias"}
    assert all(torch.equal(own[key], state[key]) for key in own)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(encoder(images)[-1], features_of(state, images))


def test_weights_of_timm(tmp_path: Path) -> None:
    """timm's names have no prefix, segmentation_models_pytorch's wrapper gives them one."""
    torch.manual_seed(1)
    source = TINY.build(3)
    plain = {key.removeprefix("model."): value for key, value in source.state_dict().items()}
    plain |= {"fc.weight": torch.zeros(10, 16), "fc.bias": torch.zeros(10)}
    torch.save(plain, tmp_path / "timm.pth")
    torch.manual_seed(2)
    made = build_encoder(Encoder(TINY.name, str(tmp_path / "timm.pth"), 8, TINY.options), 3)
    for key, value in source.state_dict().items():
        assert torch.equal(made.state_dict()[key], value)


@pytest.mark.parametrize("bands", [1, 4, 6])
def test_other_bands_keep_the_scale_of_answers(resnet18: Path, bands: int) -> None:
    """Bands take turns at the file's red, green and blue; grey in gives about grey out."""
    three = build_encoder(Encoder("resnet18", str(resnet18)), 3)
    other = build_encoder(Encoder("resnet18", str(resnet18)), bands)
    first, old = other.state_dict()["conv1.weight"], three.state_dict()["conv1.weight"]
    assert first.shape == (64, bands, 7, 7)
    turns = [i % 3 for i in range(bands)]
    torch.testing.assert_close(first, old[:, turns] * 3 / bands)
    with torch.no_grad():
        assert len(other(torch.rand(1, bands, 32, 32))) == 6


def test_imagenet_from_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights need no network, and fit each other: on an orthophoto, what enters each of the 52
    BatchNorm layers has about the statistics that the file holds. Shuffled filters do not."""
    monkeypatch.setattr(socket, "socket", None)
    encoder = build_encoder(Encoder("mobilenet_v2", "imagenet", output_stride=32), 3).eval()
    with rasterio.open(sample_scenes()[0].image) as scene:
        image = torch.from_numpy(scene.read()[None]).float() / 255
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))

    def typical_deviation() -> float:
        found = []

        def compare(norm: Any, inputs: Any) -> None:
            off = inputs[0].mean((0, 2, 3)) - norm.running_mean
            found.append((off.abs() / norm.running_var.sqrt()).median())

        norms = [layer for layer in encoder.modules() if isinstance(layer, nn.BatchNorm2d)]
        hooks = [norm.register_forward_pre_hook(compare) for norm in norms]
        with torch.no_grad():
            encoder((image - mean) / std)
        for hook in hooks:
            hook.remove()
        assert len(found) == 52
        return float(torch.stack(found).median())

    assert typical_deviation() < 0.3
    for layer in encoder.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data = layer.weight.data.flip(0)
    assert typical_deviation() > 0.6


def test_weights_of_torchgeo(
    resnet18: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of a name is fetched, here from a local address; pickled code is not run."""
    name = "ResNet18_Weights.SENTINEL2_RGB_MOCO"
    weights = torchgeo.models.get_weight(name)
    value = replace(weights.value, url=resnet18.as_uri())
    monkeypatch.setattr(type(weights), "url", property(lambda self: value.url))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    encoder = build_encoder(Encoder("resnet18", f"torchgeo:{name}"), 3)
    state = torch.load(resnet18, weights_only=True)
    assert torch.equal(encoder.state_dict()["conv1.weight"], state["conv1.weight"])
    with pytest.raises(InputError, match="torchgeo:Nothing: is not the name of weights"):
        build_encoder(Encoder("resnet18", "torchgeo:Nothing"), 3)


def test_the_stride_is_8(resnet18: Path) -> None:
    with torch.no_grad():
        features = build_encoder(Encoder("resnet18", str(resnet18)), 3)(torch.rand(1, 3, 64, 64))
    assert features[-1].shape == (1, 512, 8, 8)


def test_weights_of_another_architecture(resnet18: Path) -> None:
    with pytest.raises(InputError, match="not of this encoder"):
        build_encoder(Encoder("resnet34", str(resnet18)), 3)
    with pytest.raises(InputError, match="not of this encoder"):
        build_encoder(Encoder(TINY.name, str(resnet18), 8, TINY.options), 3)


@pytest.mark.parametrize(
    "content", [{"x": torch.zeros(1)}, {}, {1: torch.zeros(1)}, {"state_dict": 3}, [1, 2], "text"]
)
def test_files_of_something_else(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"w\.pth"):
        build_encoder(Encoder("resnet18", str(tmp_path / "w.pth")), 3)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        build_encoder(Encoder("resnet18", str(tmp_path / "none.pth")), 3)
    with pytest.raises(InputError, match="is a folder"):
        build_encoder(Encoder("resnet18", str(tmp_path)), 3)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet19", {}),
        ("tu-resnot", {}),
        ("tu-hf-hub:a/b", {}),
        ("vgg11", {}),
        ("tu-resnet10t", {"colour": 3}),
    ],
)
def test_encoders_that_cannot_be_built(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"cannot be built|is not the name"):
        build_encoder(Encoder(name, None, 8, options), 3)


class Bomb:
    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> Any:
        return (Path.touch, (self.victim,))


@pytest.mark.parametrize("how", ["pickle", "torch", "nested"])
def test_no_code_is_run(tmp_path: Path, how: str) -> None:
    victim, path = tmp_path / "victim", tmp_path / "w.pth"
    if how == "pickle":
        path.write_bytes(pickle.dumps(Bomb(victim)))
    else:
        torch.save(Bomb(victim) if how == "torch" else {"conv1.weight": Bomb(victim)}, path)
    with pytest.raises(InputError, match="cannot be loaded safely"):
        build_encoder(Encoder("resnet18", str(path)), 3)
    assert not victim.exists()
    # The bomb is a live one.
    torch.load(path, weights_only=False) if how != "pickle" else pickle.loads(path.read_bytes())  # noqa: S301
    assert victim.exists()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    start=st.sampled_from([b"", b"\x80\x02", b"PK\x03\x04", pickle.dumps({"a": 1}), b"{}"]),
    rest=st.binary(max_size=60),
    suffix=st.sampled_from([".pth", ".safetensors"]),
)
def test_damaged_files_are_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, start: bytes, rest: bytes, suffix: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"damaged{suffix}"
    path.write_bytes(start + rest)
    with pytest.raises(InputError) as caught:
        read_state_dict(path)
    assert "\n" not in str(caught.value)


def test_a_file_cut_short(resnet18: Path, tmp_path: Path) -> None:
    whole = resnet18.read_bytes()
    for share in (0.1, 0.5, 0.999):
        (tmp_path / "w.pth").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(InputError, match="cannot be loaded safely"):
            read_state_dict(tmp_path / "w.pth")
