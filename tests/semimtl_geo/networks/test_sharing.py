"""Shared models: what is in the file, what comes back, and what is refused."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from safetensors.torch import load_file, save_file

from semimtl_geo.cli import main
from semimtl_geo.mapping import Mapper, map_files
from semimtl_geo.networks import ModelDescription, load_networks, save_model
from semimtl_geo.networks.checkpoint import KEY
from tests.rasters import noise, write
from tests.semimtl_geo.conftest import Run
from tiles.errors import InputError, InvalidValueError

DESCRIPTION = ModelDescription(
    title="Two cities, «größer»",
    data="Synthetic scenes.\n\nTwo of them.",
    licences="MIT.",
    scores="- mIoU: none was measured",
    limits="It has never seen a real city.",
)


@pytest.fixture(scope="module")
def shared(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(
        run.checkpoint, tmp_path_factory.mktemp("shared") / "m.safetensors", DESCRIPTION
    )


def header(path: Path) -> dict[str, Any]:
    """The header as the format's specification has it, without the library."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    parsed: dict[str, Any] = json.loads(data[8 : 8 + length])
    return parsed


def test_the_file_holds_the_generator_and_its_card_and_nothing_else(run: Run, shared: Path) -> None:
    entries = header(shared)
    texts = entries.pop("__metadata__")
    content = torch.load(run.checkpoint, weights_only=True)
    card = json.loads(texts.pop("semimtl_geo"))
    assert card == content[KEY] | {"sources": 0, "discriminator_width": 0}
    assert texts == {**DESCRIPTION.to_plain(), "format": "pt"}
    trained = {
        name.removeprefix("generator."): value
        for name, value in content["state_dict"].items()
        if name.startswith("generator.")
    }
    assert entries.keys() <= trained.keys()
    missing = trained.keys() - entries.keys()  # scale and shift of the second domain
    assert missing
    assert all(name.endswith(("norms.1.weight", "norms.1.bias")) for name in missing)
    for name, entry in entries.items():
        statistic = name.endswith(("running_mean", "running_var"))
        kind = "I64" if name.endswith("num_batches_tracked") else "F32" if statistic else "F16"
        assert entry["dtype"] == kind, name
        assert entry["shape"] == list(trained[name].shape)
    parameters = sum(
        trained[name].numel() for name, entry in entries.items() if entry["dtype"] == "F16"
    )
    assert shared.stat().st_size > 2 * parameters
    for private in (str(run.out), os.path.expanduser("~") + os.sep, str(run.cities)):  # noqa: PTH111
        assert private.encode() not in shared.read_bytes()


def test_the_weights_are_the_trained_ones_rounded_to_half_precision(run: Run, shared: Path) -> None:
    card, generator, discriminators = load_networks(shared)
    trained_card, trained, _ = load_networks(run.checkpoint)
    assert card == replace(trained_card, sources=0, discriminator_width=0, description=DESCRIPTION)
    assert discriminators == {}
    assert not generator.training
    for (name, value), want in zip(
        generator.state_dict().items(), trained.state_dict().values(), strict=True
    ):
        exact = name.endswith(("running_mean", "running_var", "num_batches_tracked"))
        rounded = want if exact else torch.from_numpy(want.numpy().astype(np.float16)).float()
        assert value.dtype == want.dtype
        assert torch.equal(value, rounded), name


@pytest.mark.parametrize("domain", [None, "city_b"])
def test_maps_agree_with_those_of_the_checkpoint(
    run: Run, shared: Path, tmp_path: Path, domain: str | None
) -> None:
    raster = write(tmp_path / "a.tif", noise(3, 10, 10).repeat(16, 1).repeat(16, 2), gsd=0.27)
    made = []
    for model in (run.checkpoint, shared):
        mapper = Mapper.load(model, "cpu", "float32")
        # After two iterations all heights might be cut off at the ground.
        mapper.generator.state_dict()["decoders.height.regression.bias"].fill_(0.5)
        files = map_files(mapper.map(raster, tmp_path / model.stem, domain=domain))
        layers = {}
        for name, file in files.items():
            with rasterio.open(file) as opened:
                layers[name] = opened.read(1)
                assert opened.tags()["SEMIMTL_MODEL"] == model.name
        made.append(layers)
    assert (made[0]["landcover"] == made[1]["landcover"]).mean() > 0.99
    assert made[0]["height"].std() > 0
    # Random colours through a network of two iterations; trained ones differ by millimetres.
    difference = np.abs(made[0]["height"] - made[1]["height"])
    assert difference.mean() < 0.02
    assert difference.max() < 0.2


def test_a_shared_model_can_be_described_anew(shared: Path, tmp_path: Path) -> None:
    other = replace(DESCRIPTION, title="Another")
    again = save_model(shared, tmp_path / "again.safetensors", other)
    assert load_networks(again)[0].description == other
    first, second = header(shared), header(again)
    texts = first.pop("__metadata__") | {"title": "Another"}
    assert second.pop("__metadata__") == texts
    assert first == second


def test_plausibility_is_refused(shared: Path, tmp_path: Path) -> None:
    raster = write(tmp_path / "a.tif", noise(3, 80, 80), gsd=0.27)
    with pytest.raises(InputError, match=r"has no discriminators .*; take the checkpoint of a sys"):
        Mapper.load(shared, device="cpu").map(raster, tmp_path, plausibility=True)


Fault = Callable[[dict[str, torch.Tensor], dict[str, Any], dict[str, str]], object]


def _first(tensors: dict[str, torch.Tensor]) -> str:
    return next(name for name in tensors if name.endswith("conv1.weight"))


FAULTS: dict[str, tuple[Fault, str]] = {
    "weights alone": (lambda _, __, texts: texts.clear(), "is not a model of semimtl_geo"),
    "no JSON": (lambda _, __, texts: texts.update(semimtl_geo="{"), "model card that is no JSON"),
    "nested too deep": (
        lambda _, __, texts: texts.update(semimtl_geo=100_000 * "["),
        "model card that is no JSON",
    ),
    "a list": (lambda _, __, texts: texts.update(semimtl_geo="[]"), "card without entries"),
    "no limits": (lambda _, __, texts: texts.pop("limits"), "has no limits"),
    "escape sequences": (
        lambda _, __, texts: texts.update(title="\x1b[2J"),
        "has characters that cannot be printed in title",
    ),
    "a later format": (lambda _, card, __: card.update(format=2), "format 2, this version"),
    "no bands": (lambda _, card, __: card.pop("bands"), "bands"),
    "bands without means": (lambda _, card, __: card.update(mean=[0.5]), "value per band"),
    "a deviation of zero": (
        lambda _, card, __: card.update(std=[1, 0, 1]),
        "std: must be > 0",
    ),
    "no distance": (
        lambda _, card, __: card.update(gsd=-1.0),
        "gsd: must be 0.001 to",
    ),
    "as large as the memory": (
        lambda _, card, __: card.update(decoder_width=10**9),
        "model.decoder_width: must be 1 to 8192, got 1000000000",
    ),
    "crops as large as the memory": (
        lambda _, card, __: card.update(crop=10**9),
        "crop: must be 1",
    ),
    "infinite crops": (lambda _, card, __: card.update(crop=float("inf")), "is damaged"),
    "a class without a name": (
        lambda _, card, __: card["tasks"][0]["classes"].__setitem__(0, 3),
        "class or unit that is not one printable line",
    ),
    "a colour of no byte": (
        lambda _, card, __: card["tasks"][0]["colors"].__setitem__(0, [0, 0, 256]),
        "'landcover': has a colour value that is not",
    ),
    "no scale": (
        lambda _, card, __: card["tasks"][1].update(scale=-1),
        "scale: must be > 0 to",
    ),
    "an encoder as large as the memory": (
        lambda _, card, __: card["encoder"]["options"].update(channels=[8, 8, 16, 10**7]),
        "model.encoder.options.channels: must be 0 to 8192",
    ),
    "an encoder that reads a file": (
        lambda _, card, __: card["encoder"]["options"].update(checkpoint_path="/etc/passwd"),
        "options.checkpoint_path: reads another file",
    ),
    "an encoder that is downloaded": (
        lambda _, card, __: card["encoder"]["options"].update(pretrained=True),
        "options.pretrained: reads another file",
    ),
    "a tensor too few": (lambda tensors, _, __: tensors.pop(_first(tensors)), "Missing key"),
    "a tensor too many": (
        lambda tensors, _, __: tensors.update(x=torch.zeros(1)),
        "Unexpected key",
    ),
    "another shape": (
        lambda tensors, _, __: tensors.update({_first(tensors): torch.zeros(1)}),
        "size mismatch",
    ),
    "not a number": (
        lambda tensors, _, __: tensors[_first(tensors)].fill_(torch.nan),
        "weights that are not finite numbers",
    ),
    "complex numbers": (
        lambda tensors, _, __: tensors.update({_first(tensors): torch.zeros(1).double()}),
        "weights that are not finite numbers",
    ),
}


@pytest.mark.parametrize(("spoil", "says"), FAULTS.values(), ids=FAULTS)
def test_what_is_not_a_shared_model_is_refused(
    shared: Path, tmp_path: Path, spoil: Fault, says: str
) -> None:
    texts = header(shared)["__metadata__"]
    card = json.loads(texts["semimtl_geo"])
    tensors = load_file(shared)
    before = json.dumps(card)
    spoil(tensors, card, texts)
    if json.dumps(card) != before:
        texts["semimtl_geo"] = json.dumps(card)
    save_file(tensors, tmp_path / "bad.safetensors", texts)
    with pytest.raises(InputError, match=says) as caught:
        Mapper.load(tmp_path / "bad.safetensors")
    line = str(caught.value)
    assert line.startswith(str(tmp_path / "bad.safetensors: "))
    assert "\n" not in line
    assert "fetch it again" in line


def test_damaged_files(shared: Path, tmp_path: Path) -> None:
    data, path = shared.read_bytes(), tmp_path / "bad.safetensors"
    endless = struct.pack("<Q", 1 << 60)
    for content in (b"", data[:7], data[:1000], data[:-1], data + b"x", b"\x80\x04.", endless):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"bad.safetensors: is a damaged safetensors file"):
            load_networks(path)
    (tmp_path / "folder.safetensors").mkdir()
    for name, says in (("folder", "is a folder"), ("none", "no such file")):
        with pytest.raises(InputError, match=says):
            load_networks(tmp_path / f"{name}.safetensors")


def test_what_cannot_be_shared(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"m.pt: does not end in .safetensors"):
        save_model(run.checkpoint, tmp_path / "m.pt", DESCRIPTION)
    with pytest.raises(InputError, match=r"none/m.safetensors: cannot be written"):
        save_model(run.checkpoint, tmp_path / "none" / "m.safetensors", DESCRIPTION)
    content = torch.load(run.checkpoint, weights_only=True)
    content["state_dict"]["generator.decoders.height.regression.bias"].fill_(1e5)
    torch.save(content, tmp_path / "large.ckpt")
    with pytest.raises(InputError, match=r"large.ckpt: has weights that float16 cannot represent"):
        save_model(tmp_path / "large.ckpt", tmp_path / "m.safetensors", DESCRIPTION)
    assert [file.name for file in tmp_path.iterdir()] == ["large.ckpt"]


def test_the_command(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("card.md").write_text(DESCRIPTION.to_markdown(), encoding="utf-8")
    command = ["export", str(run.checkpoint), "--out", "m.safetensors", "--card"]
    assert main([*command, "card.md"]) == 0
    size = Path("m.safetensors").stat().st_size / 1e6
    assert capsys.readouterr().out == f"m.safetensors ({size:.2f} MB)\n"
    write(tmp_path / "a.tif", noise(3, 80, 80), gsd=0.27)
    assert main(["map", "--model", "m.safetensors", "a.tif", "--out", "maps"]) == 0
    capsys.readouterr()
    Path("short.md").write_text("# Title\n\n## Data\n\nScenes.\n", encoding="utf-8")
    Path("odd.md").write_text("# Title\n\n## Author\n\nWe.\n", encoding="utf-8")
    for card, says in (
        ("none.md", "none.md: cannot be read (No such file or directory)"),
        ("short.md", "short.md: has no licences; write `# TITLE` and the sections `## Data`"),
        ("odd.md", "odd.md: has an unknown or repeated section Author"),
        ("a.tif", "a.tif: cannot be read"),
    ):
        assert main([*command, card]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert line.startswith(says)
    assert main(["export", "none.ckpt", "--out", "x.safetensors", "--card", "card.md"]) == 2
    assert "none.ckpt: no such file" in capsys.readouterr().err


def test_a_description_is_markdown() -> None:
    text = DESCRIPTION.to_markdown()
    assert text.startswith("# Two cities, «größer»\n\n## Data\n\nSynthetic scenes.\n\nTwo of them.")
    assert ModelDescription.from_markdown(text) == DESCRIPTION
    assert ModelDescription.from_markdown(text.replace("\n", "\r\n")) == DESCRIPTION
