"""Exported networks, read by onnxruntime, PyTorch alone, pystac and safetensors."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pystac
import pytest
import torch
import xarray
import yaml
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from rasterio import Affine
from safetensors import safe_open

from semimtl_geo import Mapper
from semimtl_geo.cli import main
from semimtl_geo.export import FixedNetwork, export_model
from semimtl_geo.export.onnx_files import write_onnx
from semimtl_geo.networks.checkpoint import KEY
from semimtl_geo.networks.generator import Generator
from semimtl_geo.tasks import BinnedDepth, Segmentation
from semimtl_geo.training.module import SemiMTL
from tests.semimtl_geo.conftest import TINY, Run
from tiles.errors import InputError

MODELS = ("run", "unet")
"""One has the paper's decoders, the other has U-Nets, and heights by bins."""


@pytest.fixture(scope="module")
def checkpoints(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the checkpoint of each model by its name."""
    torch.manual_seed(0)
    model = SemiMTL(
        [Segmentation(decoder="unet"), BinnedDepth(decoder="unet", bins=8)],
        {"city_a": ["landcover"], "city_b": ["height"]},
        encoder=replace(TINY, output_stride=32),
        decoder_width=16,
        discriminator_width=4,
        gsd=1.0,
        crop=64,
    )
    weights = model.state_dict()
    for name, values in weights.items():
        if name.endswith("running_mean"):
            values.normal_(std=0.1)
        if name.endswith("running_var"):
            values.uniform_(0.5, 2.0)
    unet = tmp_path_factory.mktemp("checkpoints") / "unet.ckpt"
    torch.save({"state_dict": weights, KEY: model.card.to_plain()}, unet)
    return {"run": run.checkpoint, "unet": unet}


@pytest.fixture(scope="module")
def exported(
    checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[Path]]:
    """Export each model; returns the files by its name."""
    return {
        name: export_model(file, tmp_path_factory.mktemp(name), domain="city_a", name="net")
        for name, file in checkpoints.items()
    }


@pytest.fixture(scope="module")
def folders(exported: dict[str, list[Path]]) -> dict[str, Path]:
    """Return the folder of the files of each model by its name."""
    return {name: files[0].parent for name, files in exported.items()}


@pytest.fixture(scope="module")
def mappers(checkpoints: dict[str, Path]) -> dict[str, Mapper]:
    """Return each model by its name, with the statistics that its files have."""
    return {
        name: Mapper.load(file, "cpu", "float32").for_domain("city_a")
        for name, file in checkpoints.items()
    }


def image_of(mapper: Mapper) -> xarray.DataArray:
    """One tile of noise at the network's resolution."""
    edge = mapper.card.tile or mapper.card.crop
    pixels = np.random.default_rng(0).integers(0, 256, (3, edge, edge), np.uint8)
    image = xarray.DataArray(pixels, dims=("band", "y", "x"))
    gsd = mapper.card.gsd or 1.0
    image = image.rio.write_crs(25832)
    return image.rio.write_transform(Affine(gsd, 0, 5e5, 0, -gsd, 5.8e6))


def ask(file: Path, image: xarray.DataArray) -> np.ndarray:
    """Return the answer of an ONNX file for an image of one tile."""
    session = onnxruntime.InferenceSession(file)
    (wanted,) = session.get_inputs()
    assert wanted.shape == [1, 3, *image.shape[1:]]
    (answer,) = session.run(None, {"image": image.values[None] / np.float32(255)})
    return np.asarray(answer[0])


def check_land_cover(answer: np.ndarray, maps: xarray.Dataset) -> None:
    """Compare the answer of an ONNX file with the maps of the same network."""
    assert np.array_equal(answer.argmax(axis=0), maps.landcover.values)
    assert np.abs(answer.sum(axis=0) - 1).max() < 1e-5
    assert np.abs(100 * answer - maps.landcover_probabilities.values).max() < 0.51


def test_the_files_of_an_export(exported: dict[str, list[Path]]) -> None:
    for files in exported.values():
        assert [file.name for file in files] == [
            "net.safetensors",
            "net.pt2",
            "net_landcover.onnx",
            "net_height.onnx",
            "net.stac.json",
            "README.md",
        ]
        assert sorted(files) == sorted(files[0].parent.iterdir())


@pytest.mark.parametrize("name", MODELS)
def test_onnx_answers_as_the_mapper(
    name: str, folders: dict[str, Path], mappers: dict[str, Mapper]
) -> None:
    image = image_of(mappers[name])
    maps = mappers[name].predict(image, probabilities=True, bands=[1, 2, 3]).compute()
    heights = ask(folders[name] / "net_height.onnx", image)
    assert np.abs(heights[0] - maps.height.values).max() < 1e-4
    check_land_cover(ask(folders[name] / "net_landcover.onnx", image), maps)


def test_onnx_of_a_packaged_model(tmp_path: Path) -> None:
    """The encoder is MobileNetV2, and the weights are trained."""
    mapper = Mapper.load("towns", "cpu", "float32").for_domain("versailles")
    file = tmp_path / "landcover.onnx"
    write_onnx(FixedNetwork(mapper, tasks=["landcover"]), file, mapper.card.gsd)
    image = image_of(mapper)
    maps = mapper.predict(image, probabilities=True, bands=[1, 2, 3]).compute()
    check_land_cover(ask(file, image), maps)


@pytest.mark.parametrize("name", MODELS)
def test_onnx_files_say_what_deepness_asks(
    name: str, folders: dict[str, Path], mappers: dict[str, Mapper]
) -> None:
    card = mappers[name].card
    found = {}
    for task in ("landcover", "height"):
        model = onnx.load(folders[name] / f"net_{task}.onnx")
        onnx.checker.check_model(model, full_check=True)
        assert (model.ir_version, model.opset_import[0].version) == (8, 17)
        found[task] = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
        assert not any(key.startswith("standardization") for key in found[task])
        assert found[task]["tile_size"] == (card.tile or card.crop)
        assert found[task]["resolution"] == pytest.approx(100 * (card.gsd or 0))
        share = found[task]["tiles_overlap"] / 100 * found[task]["tile_size"]
        assert share >= (found[task]["tile_size"] // 2 if card.overlap is None else card.overlap)
    names = found["landcover"].pop("class_names")
    assert [*names] == [str(number) for number in range(len(names))]
    assert tuple(names.values()) == card.tasks[0].classes
    assert found["landcover"]["model_type"] == "Segmentor"
    assert (found["landcover"]["seg_thresh"], found["landcover"]["seg_small_segment"]) == (0, 0)
    assert found["height"]["model_type"] == "Regressor"
    assert found["height"]["reg_output_scaling"] == 1


@pytest.mark.parametrize("name", MODELS)
def test_the_program_answers_as_the_network(
    name: str, folders: dict[str, Path], mappers: dict[str, Mapper]
) -> None:
    mapper = mappers[name]
    program = torch.export.load(folders[name] / "net.pt2").module()
    edge = mapper.card.tile or mapper.card.crop
    images = torch.rand(3, 3, edge, edge)
    with torch.no_grad():
        answers = program(images)
        outputs = mapper.generator(images)
    for task, answer in zip(mapper.card.tasks, answers, strict=True):
        wanted = task.estimate(outputs[task.name])
        assert torch.allclose(answer, wanted, atol=1e-5)


def test_heights_are_cut_where_bytes_end(
    mappers: dict[str, Mapper], monkeypatch: pytest.MonkeyPatch
) -> None:
    network = FixedNetwork(mappers["run"], tasks=["height"])

    def tall(self: Generator, images: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"height": torch.full_like(images[:, :1], 1000.0)}

    monkeypatch.setattr(Generator, "forward", tall)
    (heights,) = network(network.example())
    assert heights.unique().tolist() == [255]


def test_pooling_by_matrices_is_adaptive_pooling(mappers: dict[str, Mapper]) -> None:
    mapper = mappers["run"]
    network = FixedNetwork(mapper, tile=mapper.card.crop)  # bins of unequal windows
    plain = network.without_adaptive_pooling()
    decoders = plain.generator.decoders.modules()
    assert not any(isinstance(module, torch.nn.AdaptiveAvgPool2d) for module in decoders)
    for one, other in zip(network(network.example()), plain(network.example()), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_the_item_describes_inputs_and_answers(folders: dict[str, Path]) -> None:
    file = folders["unet"] / "net.stac.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    JsonSchemaSTACValidator().validate_core(content, pystac.STACObjectType.ITEM, "1.1.0")
    item = pystac.Item.from_file(file)
    properties = item.properties
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.-]+[a-zA-Z0-9]", properties["mlm:name"])
    assert set(properties["mlm:tasks"]) == {"semantic-segmentation", "regression"}
    assert properties["mlm:accelerator"] is None
    (image,) = properties["mlm:input"]
    assert image["bands"] == [band["name"] for band in properties["bands"]]
    assert image["input"]["dim_order"][1] == "bands"
    classes, heights = properties["mlm:output"]
    assert classes["result"]["shape"][1] == len(classes["classification:classes"])
    assert heights["result"]["shape"][1] == 1
    for asset in item.assets.values():
        assert Path(str(asset.get_absolute_href())).is_file()
        assert "mlm:model" in (asset.roles or [])
        assert asset.extra_fields["mlm:artifact_type"]


def test_nothing_of_the_training_is_passed_on(folders: dict[str, Path], run: Run) -> None:
    folder = folders["run"]
    private = [str(run.out).encode(), str(Path.cwd()).encode(), b"optimizer_states"]
    for file in folder.iterdir():
        content = file.read_bytes()
        assert not any(text in content for text in private), file
    with safe_open(folder / "net.safetensors", "pt") as weights:
        assert not any(name.startswith("discriminators") for name in weights.keys())  # noqa: SIM118
    assert (folder / "net.stac.json").is_file()
    head = (folder / "README.md").read_text(encoding="utf-8").split("---\n")[1]
    assert yaml.safe_load(head)["library_name"] == "semimtl-geo"
    words = "of the training domain city_a"
    for described in ("README.md", "net.stac.json", "net_height.onnx"):
        assert words.encode() in (folder / described).read_bytes()


def test_a_model_finds_the_item_beside_it(folders: dict[str, Path]) -> None:
    mapper = Mapper.load(folders["run"] / "net.safetensors", "cpu", "float32")
    assert mapper.for_domain("city_b").item == folders["run"] / "net.stac.json"


def test_statistics_must_be_chosen(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(run.checkpoint), "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--domain" in line
    assert "--raster" in line
    assert not (tmp_path / "out").exists()


def test_a_readme_of_ones_own_is_kept(run: Run, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="is not a model card that an export wrote"):
        export_model(run.checkpoint, tmp_path, domain="city_a")
    assert [file.name for file in tmp_path.iterdir()] == ["README.md"]
