"""Maps of tile services and STAC Items: those of files with the same pixels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from semimtl_geo.cli import main
from semimtl_geo.mapping import Mapper, map_files
from tests.map_server import make_item, write_area, write_tiles
from tests.rasters import noise, write
from tests.semimtl_geo.conftest import Run
from tiles.reading import open_tile_service

LAYERS = ("landcover", "height")


def pixels(files: list[Path]) -> list[Any]:
    found = []
    for path in files:
        with rasterio.open(path) as file:
            found += [file.read().tobytes(), file.transform, file.crs]
    return found


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_the_command_maps_a_tile_service(
    run: Run, tmp_path: Path, served: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tiles(tmp_path / "in")
    area = write_area(tmp_path / "area.gpkg")
    address = f"{served}/{{z}}/{{x}}/{{y}}.png?key=secret"
    with rasterio.open(open_tile_service(address, area, 0.384)) as service:
        values = service.read()
        profile = service.profile | {"driver": "GTiff", "photometric": "rgb", "alpha": "yes"}
    with rasterio.open(tmp_path / "saved.tif", "w", **profile) as file:
        file.write(values)
    common = ["map", f"--model={run.checkpoint}", f"--area={area}", "--domain=city_a"]
    out = f"--out={tmp_path / 'a'}"
    assert main([*common, address, out, "--preview", "--resolution=0.4"]) == 0
    assert main([*common, str(tmp_path / "saved.tif"), f"--out={tmp_path / 'b'}"]) == 0
    name = served.removeprefix("http://").replace(":", "_")
    made = [tmp_path / f"a/{name}_{layer}.tif" for layer in LAYERS]
    assert pixels(made) == pixels([tmp_path / f"b/saved_{layer}.tif" for layer in LAYERS])
    assert (tmp_path / f"a/{name}_preview.png").stat().st_size > 1000
    with rasterio.open(made[0]) as file:
        assert file.tags()["SEMIMTL_RASTER"] == f"{served}/{{z}}/{{x}}/{{y}}.png"
        # Level 18, whose pixels are smaller on the ground by the cosine of 50 degrees: 0.384 m.
        assert file.res[0] == pytest.approx(0.597, abs=0.001)
    item = json.loads((tmp_path / f"a/{name}_maps.stac.json").read_text())
    assert f"{served}/{{z}}/{{x}}/{{y}}.png" in [link["href"] for link in item["links"]]
    assert "secret" not in json.dumps(item) + capsys.readouterr().out

    # The network's 0.27 m are nearer to the 0.192 m of level 19, which this server lacks.
    assert main([*common, address, f"--out={tmp_path / 'c'}"]) == 2
    assert "has no known pixel" in capsys.readouterr().err
    assert main([*common[:2], address, f"--out={tmp_path / 'c'}"]) == 2
    assert "give an area to read" in capsys.readouterr().err
    saved = str(tmp_path / "saved.tif")
    assert main([*common, saved, f"--out={tmp_path / 'c'}", "--resolution=1"]) == 2
    assert "resolution: applies only to tile services" in capsys.readouterr().err


def test_an_item_whose_bands_lie_in_files_of_their_own(
    run: Run, tmp_path: Path, served: str
) -> None:
    values = noise(3, 80, 90)
    assets: dict[str, tuple[str, list[dict[str, Any]] | None]] = {}
    mapper = Mapper.load(run.checkpoint, "cpu", "float32")
    for number, band in enumerate(mapper.card.bands):
        write(tmp_path / f"in/{number}.tif", values[[number]], gsd=0.27, driver="COG")
        assets[f"band{number}"] = f"{number}.tif", [{"name": f"B{number}", "eo:common_name": band}]
    make_item(tmp_path / "in", dict(reversed(assets.items())))
    whole = write(tmp_path / "town.tif", values, gsd=0.27)
    expected = map_files(mapper.map(whole, tmp_path / "whole"))
    address = f"{served}/town.json"
    found = map_files(mapper.map(address, tmp_path / "item", devices=["cpu", "cpu"]))
    assert [path.name for path in found.values()] == [path.name for path in expected.values()]
    assert pixels(list(found.values())) == pixels(list(expected.values()))
    item = json.loads((tmp_path / "item/town_maps.stac.json").read_text())
    assert address in [link["href"] for link in item["links"]]
    with rasterio.open(found["height"]) as file:
        assert np.ptp(file.read()) > 0
