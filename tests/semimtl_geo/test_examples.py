"""The examples do what they say, called as a user calls them."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import torch
from scipy import ndimage
from torchgeo.models import Unet_Weights, unet

from tests import fresh_process
from tests.conftest import Run
from tests.fresh_process import run_script
from tests.rasters import noise, write

EXAMPLES = Path(__file__).parents[2] / "examples"
BUILDING = 1


def call(name: str, folder: Path, *args: object) -> list[str]:
    """Run an example in a folder; the lines that it prints."""
    code, printed, said = fresh_process.run(run_script, EXAMPLES / name, *args, folder=folder)
    assert code == 0, said
    assert said == ""
    return printed.splitlines()


@pytest.fixture(scope="module")
def image(run: Run) -> Path:
    """An orthophoto of a synthetic city."""
    return min((run.cities / "city_b" / "test" / "image").glob("*.tif"))


@pytest.fixture(scope="module")
def printed(run: Run, image: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("example")
    lines = call("map_an_orthophoto.py", folder, run.checkpoint, image, folder / "maps")
    assert sorted(path.name for path in folder.iterdir()) == ["maps"]
    return lines


def test_map_an_orthophoto(printed: list[str], image: Path) -> None:
    files = dict(line.split(": ", 1) for line in printed[-2:])
    assert set(files) == {"landcover", "height"}
    with rasterio.open(image) as source:
        for file in files.values():
            with rasterio.open(file) as made:
                assert (made.crs, made.transform) == (source.crs, source.transform)
                assert made.shape == source.shape
    with rasterio.open(files["height"]) as made:
        assert f"tallest: {made.read(1, masked=True).max():.1f} m" in printed
    assert any("re-estimated on" in line for line in printed)


def test_map_a_whole_area(run: Run, image: Path, tmp_path: Path) -> None:
    other = min((run.cities / "city_a" / "test" / "image").glob("*.tif"))
    lines = call("map_a_whole_area.py", tmp_path, run.checkpoint, "maps", image, other)
    assert sorted(path.name for path in (tmp_path / "maps").glob("*.tif")) == sorted(
        f"{raster.stem}_{name}.tif" for raster in (image, other) for name in ("landcover", "height")
    )
    for line, raster in zip(lines[:2], (image, other), strict=True):
        with rasterio.open(tmp_path / "maps" / f"{raster.stem}_height.tif") as made:
            mean = made.read(1, masked=True).mean(dtype=float)
        assert line == f"{raster.stem}: mean height {mean:.1f} m"
    (comment,) = lines[2:]
    assert "of 2 rasters, without labels" in comment


def test_predict_an_xarray_image(run: Run, image: Path, printed: list[str], tmp_path: Path) -> None:
    """A quarter of the map of the whole."""
    lines = call("predict_an_xarray_image.py", tmp_path, run.checkpoint, image, "height.tif")
    with rasterio.open(printed[-1].removeprefix("height: ")) as file:
        rows, columns = file.height // 2, file.width // 2
        want, transform = file.read(1, masked=True)[:rows, :columns].filled(np.nan), file.transform
    with rasterio.open(tmp_path / "height.tif") as made:
        np.testing.assert_array_equal(made.read(1), want)
        assert made.transform.almost_equals(transform, 1e-9)
        assert made.crs is not None
    assert lines[-1] == f"tallest: {np.nanmax(want):.1f} m"


def test_buildings_with_heights(printed: list[str], image: Path, tmp_path: Path) -> None:
    """On true maps, for a network of two iterations knows no building."""
    named = Path(printed[-2].split(": ", 1)[1] + ".aux.xml")
    layers = {}
    for name in ("landcover", "height"):
        truth = image.parents[1] / name / image.name
        shutil.copy(truth, tmp_path / f"x_{name}.tif")
        with rasterio.open(truth) as file:
            layers[name], pixel = file.read(1), file.res[0] * file.res[1]
    shutil.copy(named, tmp_path / "x_landcover.tif.aux.xml")
    lines = call("buildings_with_heights.py", tmp_path, "x_landcover.tif", "x_height.tif", "x.gpkg")
    areas, count = ndimage.label(layers["landcover"] == BUILDING)
    pixels = [layers["height"][areas == number] for number in range(1, count + 1)]
    large = [(np.median(own), len(own) * pixel, own.sum() * pixel) for own in pixels]
    large = sorted((row for row in large if row[1] >= 10), reverse=True)
    assert large
    assert lines[0] == f"x.gpkg: {len(large)} buildings"
    found = [[float(value) for value in line.split()] for line in lines[2:]]
    for (_, area, height, volume), want in zip(found, large[:10], strict=True):
        assert [height, area, volume] == pytest.approx(want, rel=1e-4, abs=0.51)
    assert [row[2] for row in found] == pytest.approx([row[0] for row in large[:10]], abs=0.051)
    for layer in ("footprints", "blocks"):
        assert len(geopandas.read_file(tmp_path / "x.gpkg", layer=layer)) == len(large)


def test_own_network(image: Path, tmp_path: Path) -> None:
    assert call("own_network.py", tmp_path, image, "ndvi.tif") == []
    with rasterio.open(image) as source, rasterio.open(tmp_path / "ndvi.tif") as made:
        infrared, red, _ = source.read().astype(np.float32)
        expected = (infrared - red) / np.maximum(infrared + red, 1)
        assert np.allclose(made.read(1), expected, atol=1e-5)
        assert made.transform == source.transform


def test_map_with_a_torchgeo_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The weights are random, in the file that torchgeo would have fetched.

    It runs in this process, for others have the variables of the one that they are forks of.
    """
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    weights = Unet_Weights.SENTINEL2_2CLASS_FTW
    model = unet(encoder_name="efficientnet-b3", encoder_weights=None, in_channels=8, classes=2)
    file = tmp_path / "torch/hub/checkpoints" / weights.url.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    torch.save(model.state_dict(), file)
    for seed, date in enumerate(("20260401", "20260701")):
        for number, band in enumerate(("B02", "B03", "B04", "B08")):
            name = f"T32UPB_{date}T101031_{band}_10m.tif"
            values = noise(1, 40, 50, seed=10 * seed + number).astype(np.uint16) * 12
            write(tmp_path / date / "R10m" / name, values, gsd=10.0)
    out = tmp_path / "fields.tif"
    example = runpy.run_path(str(EXAMPLES / "map_with_a_torchgeo_model.py"))
    example["main"](str(tmp_path / "20260401"), str(tmp_path / "20260701"), str(out))
    assert capsys.readouterr().out == f"{out}\n"
    with rasterio.open(out) as made:
        assert made.shape == (40, 50)
        assert set(np.unique(made.read(1))) <= {0, 1}
