"""Packaged models: found by name, small, described, and packed into the distribution."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
import rasterio

from semimtl_geo.cli import main
from semimtl_geo.mapping import Mapper
from semimtl_geo.models import find_model, model_names
from semimtl_geo.networks import ModelDescription
from semimtl_geo.samples import sample_scenes
from tests.rasters import write
from tiles.errors import InputError, MissingFileError

ROOT = Path(__file__).parents[3]
MEGABYTE = 10**6


@pytest.mark.parametrize("name", model_names())
def test_a_packaged_model_is_small_and_says_what_it_is(name: str) -> None:
    file = find_model(name)
    assert file.stat().st_size <= 8 * MEGABYTE
    card = Mapper.load(name, device="cpu").card
    assert card.description == ModelDescription.read(file.with_suffix(".md"))
    assert card.description is not None
    assert {task.name for task in card.tasks} == {"landcover", "height"}


def test_the_model_of_the_towns() -> None:
    card = Mapper.load("towns", device="cpu").card
    assert card.bands == ("red", "green", "blue")
    assert card.gsd == 1.0
    description = " ".join(str(card.description).replace("\\n", " ").split())
    assert all(scene.attribution.split(",")[0] in description for scene in sample_scenes())


def test_a_file_takes_precedence_but_a_folder_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    packaged = find_model("towns")
    assert packaged.is_absolute()
    Path("towns").mkdir()
    assert find_model("towns") == packaged
    Path("towns").rmdir()
    Path("towns").write_bytes(b"")
    assert find_model("towns") == Path("towns")
    with pytest.raises(InputError, match="towns: cannot be loaded safely"):
        Mapper.load("towns")
    Path("folder").mkdir()
    with pytest.raises(
        InputError, match=r"folder: is a folder; .* of the package: random_towns, towns"
    ):
        find_model("folder")


@pytest.mark.parametrize(
    "name", ["town", "Towns", "../models/towns", "towns.safetensors", "", "x/y"]
)
def test_other_names_are_refused_with_those_that_there_are(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    says = "or the name of a model of the package: random_towns, towns"
    with pytest.raises(InputError, match=says) as caught:
        Mapper.load(name)
    assert isinstance(caught.value, MissingFileError) == bool(name)


def test_commands_take_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    scene = sample_scenes()[0]
    with rasterio.open(scene.image) as source:
        crs, corner = source.crs, source.read()[:, :200, :200]
    write(tmp_path / "ortho.tif", corner, gsd=0.5, crs=crs)
    assert main(["map", "--model", "towns", "ortho.tif", "--out", "maps"]) == 0
    assert "re-estimated on" in capsys.readouterr().out
    with rasterio.open("maps/ortho_landcover.tif") as made:
        assert made.crs == crs
        assert made.shape == (200, 200)
        assert made.tags()["SEMIMTL_MODEL"] == "towns.safetensors"
        assert len(np.unique(made.read(1))) > 1
    assert main(["map", "--model", "village", "ortho.tif", "--out", "maps"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("village: no such file; ")
    assert line.endswith("of the package: random_towns, towns")


def test_all_files_are_packed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]
    for room in ("models", "samples"):
        folder = ROOT / "semimtl_geo" / room
        packed = {
            file for pattern in patterns[f"semimtl_geo.{room}"] for file in folder.glob(pattern)
        }
        data = {
            file
            for file in folder.rglob("*")
            if file.is_file() and file.suffix not in (".py", ".pyc")
        }
        assert packed == data
