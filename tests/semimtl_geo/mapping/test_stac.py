"""STAC Items of maps, read by pystac and checked against the schema of STAC's core."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pystac
import pytest
import rasterio
from pyproj import Transformer
from pystac.extensions.classification import ClassificationExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import RasterExtension
from pystac.validation.stac_validator import JsonSchemaSTACValidator

from semimtl_geo.mapping import Mapper
from semimtl_geo.mapping.stac import write_maps_item
from tests.rasters import noise, write
from tests.semimtl_geo.conftest import Run
from tiles.errors import InputError
from tiles.maps import ValueMap


@pytest.fixture(scope="module")
def folder(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of maps, of a raster beside it."""
    folder = tmp_path_factory.mktemp("stac")
    write(folder / "ortho.tif", noise(3, 70, 90), gsd=0.27)
    shutil.copy(run.checkpoint, folder / "net.ckpt")
    (folder / "net.stac.json").write_text("{}", encoding="utf-8")
    mapper = Mapper.load(folder / "net.ckpt", "cpu", "float32").for_domain("city_a")
    mapper.map(folder / "ortho.tif", folder / "maps", confidence=True)
    return folder


def test_the_item_says_where_the_maps_lie_and_what_they_mean(folder: Path) -> None:
    file = folder / "maps" / "ortho_maps.stac.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    JsonSchemaSTACValidator().validate_core(content, pystac.STACObjectType.ITEM, "1.1.0")
    item = pystac.Item.from_file(file)
    with rasterio.open(folder / "maps" / "ortho_landcover.tif") as raster:
        projection = ProjectionExtension.ext(item)
        assert projection.code == raster.crs.to_string()
        assert projection.shape == [raster.height, raster.width]
        assert projection.transform == list(raster.transform)[:6]
        to_degrees = Transformer.from_crs(raster.crs, 4326, always_xy=True)
        west, north = to_degrees.transform(raster.bounds.left, raster.bounds.top)
        corner = [round(west, 8), round(north, 8)]
        names = [tag for tag in raster.tags() if tag == "SEMIMTL_MODEL_SHA256"]
        assert item.properties["semimtl:model_sha256"] == raster.tags()[names[0]]
    assert item.geometry is not None
    ring = [[round(number, 8) for number in point] for point in item.geometry["coordinates"][0]]
    assert corner in ring
    assert set(item.assets) == {"landcover", "height", "landcover_confidence"}
    for asset in item.assets.values():
        assert Path(str(asset.get_absolute_href())).is_file()
    (height,) = RasterExtension.ext(item.assets["height"]).bands or []
    assert (height.unit, height.nodata, height.data_type) == ("m", -9999.0, "float32")
    classes = ClassificationExtension.ext(item.assets["landcover"]).classes or []
    shown = [(entry.value, entry.name, entry.color_hint) for entry in classes]
    assert shown[2] == (2, "low_vegetation", "00FFFF")


def test_the_item_says_what_the_maps_were_made_from(folder: Path) -> None:
    item = pystac.Item.from_file(folder / "maps" / "ortho_maps.stac.json")
    sources = [str(link.get_absolute_href()) for link in item.get_links("derived_from")]
    assert sources == [str(folder / "ortho.tif"), str(folder / "net.stac.json")]


@pytest.mark.parametrize("ending", ["_maps.qlr", "_maps.stac.json"])
def test_a_folder_in_the_way_is_seen_before_the_work(
    folder: Path, tmp_path: Path, ending: str
) -> None:
    (tmp_path / f"ortho{ending}").mkdir()
    mapper = Mapper.load(folder / "net.ckpt", "cpu", "float32").for_domain("city_a")
    with pytest.raises(InputError, match=rf"ortho\{ending}: is a folder"):
        mapper.map(folder / "ortho.tif", tmp_path)
    assert len([*tmp_path.iterdir()]) == 1


def test_the_bounding_box_of_a_map_across_the_180th_meridian(tmp_path: Path) -> None:
    """Its west is greater than its east (RFC 7946, section 5.2)."""
    to_fiji = Transformer.from_crs("EPSG:4326", "EPSG:3460", always_xy=True)
    x, y = to_fiji.transform(180.0, -17.0)
    file = tmp_path / "height.tif"
    transform = rasterio.Affine(10, 0, x - 500, 0, -10, y + 500)
    with rasterio.open(
        file, "w", width=100, height=100, count=1, dtype="float32", crs="EPSG:3460",
        transform=transform,
    ):  # fmt: skip
        pass
    layer = ValueMap("height", unit="m")
    write_maps_item(tmp_path / "x.json", "x", [layer], {"height": file}, [])
    west, south, east, north = json.loads((tmp_path / "x.json").read_text())["bbox"]
    assert 179.99 < west < 180
    assert -180 < east < -179.99
    assert south < -17 < north


def test_passwords_of_servers_are_not_written(folder: Path, tmp_path: Path) -> None:
    layers = {"height": ValueMap("height", unit="m")}
    files = {"height": folder / "maps" / "ortho_height.tif"}
    sources = ["/vsicurl/https://me:secret@host/a.tif?token=x", "GPKG:none.gpkg:layer", 300 * "x"]
    write_maps_item(tmp_path / "x.json", "x", [*layers.values()], files, sources)
    links = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))["links"]
    assert [link["href"] for link in links] == ["https://host/a.tif"]
