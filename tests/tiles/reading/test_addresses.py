"""Tile services and STAC Items, given by a server of this machine, whose pixels are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from pyproj import Transformer

from tests.map_server import colour, make_item, write_area, write_tiles
from tests.rasters import noise, write
from tiles.errors import InputError, InvalidValueError
from tiles.maps.layers import ValueMap
from tiles.mosaic.mosaicker import mosaic
from tiles.reading.addresses import raster_stem, resolve_addresses
from tiles.reading.raster import Raster
from tiles.reading.source import Source
from tiles.reading.tile_service import open_tile_service, service_name


def write_capabilities(path: Path, server: str) -> None:
    """A WMTS service of the same tiles, as the OGC's standard 07-057r7 has it."""
    half = 20037508.342789244
    matrices = "".join(
        f"<TileMatrix><ows:Identifier>{level}</ows:Identifier>"
        f"<ScaleDenominator>{2 * half / 256 / 2**level / 0.00028!r}</ScaleDenominator>"
        f"<TopLeftCorner>{-half} {half}</TopLeftCorner><TileWidth>256</TileWidth>"
        f"<TileHeight>256</TileHeight><MatrixWidth>{2**level}</MatrixWidth>"
        f"<MatrixHeight>{2**level}</MatrixHeight></TileMatrix>"
        for level in range(21)
    )
    layers = "".join(
        f"<Layer><ows:Identifier>{name}</ows:Identifier><ows:WGS84BoundingBox>"
        "<ows:LowerCorner>10 49</ows:LowerCorner><ows:UpperCorner>12 51</ows:UpperCorner>"
        "</ows:WGS84BoundingBox><Style isDefault='true'><ows:Identifier>default</ows:Identifier>"
        "</Style><Format>image/png</Format><TileMatrixSetLink><TileMatrixSet>web</TileMatrixSet>"
        f"</TileMatrixSetLink><ResourceURL format='image/png' resourceType='tile' "
        f"template='{server}/{{TileMatrix}}/{{TileCol}}/{{TileRow}}.png'/></Layer>"
        for name in ("ortho", "other")
    )
    path.write_text(
        "<Capabilities xmlns='http://www.opengis.net/wmts/1.0' version='1.0.0' "
        "xmlns:ows='http://www.opengis.net/ows/1.1'><Contents>"
        f"{layers}<TileMatrixSet><ows:Identifier>web</ows:Identifier>"
        f"<ows:SupportedCRS>urn:ogc:def:crs:EPSG::3857</ows:SupportedCRS>{matrices}"
        "</TileMatrixSet></Contents></Capabilities>"
    )


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("service", ["xyz", "wmts"])
def test_pixels_of_a_tile_service_lie_where_they_belong(
    tmp_path: Path, served: str, service: str
) -> None:
    write_tiles(tmp_path / "in")
    write_capabilities(tmp_path / "in/wmts.xml", served)
    address = {
        "xyz": f"{served}/{{z}}/{{x}}/{{y}}.png?key=secret",
        "wmts": f"WMTS:{served}/wmts.xml,layer=ortho",
    }[service]
    area = write_area(tmp_path / "area.gpkg")
    # 0.384 m at level 18: pixels of Web Mercator are smaller on the ground by cos(50 degrees).
    raster = open_tile_service(address, area, gsd=0.45)
    with Source(raster, bands=["red", "green", "blue"]) as source:
        assert source.grid.pixel_size == pytest.approx((0.3838,) * 2, rel=0.003)
        assert "secret" not in source.name
    with Source(raster, crs="EPSG:25832") as source:
        values, known = source.read((0, source.grid.height), (0, source.grid.width))
        t = source.grid.transform
        columns, rows = np.meshgrid(np.arange(known.shape[1]), np.arange(known.shape[0]))
        x, y = t.c + t.a * (columns + 0.5), t.f + t.e * (rows + 0.5)
    to_degrees = Transformer.from_crs(25832, 4326, always_xy=True)
    expected = colour(*to_degrees.transform(x, y))
    assert known.mean() > 0.5
    assert not known.all()  # a tile is missing
    assert np.abs(values - expected)[:3, known].max() <= 1
    # All of the area and its surroundings are there, but for that tile.
    inside = geopandas.read_file(area).geometry[0].buffer(150)
    assert known[shapely.contains_xy(inside, x, y)].mean() > 0.8


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_map_of_a_tile_service_is_that_of_its_pixels(tmp_path: Path, served: str) -> None:
    write_tiles(tmp_path / "in")
    address, area = (
        f"{served}/{{z}}/{{x}}/{{y}}.png",
        write_area(tmp_path / "area.gpkg", "EPSG:4326"),
    )
    with rasterio.open(open_tile_service(address, area, 0.384)) as service:
        profile = service.profile | {"driver": "GTiff", "photometric": "rgb", "alpha": "yes"}
        with rasterio.open(tmp_path / "saved.tif", "w", **profile) as file:
            file.write(service.read())

    def network(batch: Any) -> Any:
        return batch.mean(dim=(1, 2, 3), keepdim=True) + batch[:, :1]

    maps = []
    for number, raster in enumerate((address, tmp_path / "saved.tif")):
        out = tmp_path / f"{number}.tif"
        mosaic(raster, network, ValueMap("mean"), out, tile=64, gsd=0.384, area=area)
        with rasterio.open(out) as file:
            maps.append((file.read().tobytes(), file.transform, file.crs))
    assert maps[0] == maps[1]


def read(raster: Any, **options: Any) -> np.ndarray:
    with Source(raster, **options) as source:
        values, known = source.read((0, source.grid.height), (0, source.grid.width))
    values = values.astype(int)
    values[:, ~known] = -1
    return np.asarray(values)


@pytest.mark.parametrize("remote", [False, True])
@pytest.mark.parametrize("key", ["bands", "eo:bands"])
def test_bands_of_an_item_that_lie_in_files_of_their_own(
    tmp_path: Path, served: str, remote: bool, key: str
) -> None:
    values = noise(3, 40, 50)
    values[:, :7, :9] = 0
    common = "eo:common_name" if key == "bands" else "common_name"
    assets: dict[str, tuple[str, list[dict[str, Any]] | None]] = {}
    for number, (name, color) in enumerate({"B04": "red", "B03": "green", "B08": "nir"}.items()):
        write(tmp_path / f"in/{name}.tif", values[number : number + 1], nodata=0, driver="COG")
        assets[name] = f"./{name}.tif", [{"name": name, common: color}]
    path = make_item(tmp_path / "in", assets, key)
    address = f"{served}/town.json" if remote else str(path)
    (raster,) = resolve_addresses([address], bands=("nir", "red", "green"))
    expected = values[[2, 0, 1]].astype(int)
    expected[:, (expected == 0).all(axis=0)] = -1
    assert np.array_equal(read(raster), expected)
    assert np.array_equal(read(raster, bands=["green"])[0], expected[2])
    (one,) = resolve_addresses([f"{address}#B03"])
    assert np.array_equal(read(one)[0] > 0, values[1] > 0)
    with pytest.raises(InputError, match=r"several images: B04, B03, B08; name one: .*json#B04"):
        resolve_addresses([address])
    with pytest.raises(InputError, match=r"no asset B02, but B04, B03, B08, look"):
        resolve_addresses([f"{address}#B02"])


def test_an_item_names_the_bands_of_a_file_that_does_not(tmp_path: Path) -> None:
    """As the National Agriculture Imagery Program's: four bands, and a mask, without names."""
    values = noise(4, 30, 20)
    image = write(tmp_path / "in/ortho.tif", values, photometric="minisblack")
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(image, "r+") as file:
        mask = np.full((30, 20), 255, np.uint8)
        mask[3:9, 5:7] = 0
        file.write_mask(mask)
    names = [{"name": name} for name in ("Red", "Green", "Blue", "NIR")]
    item = make_item(tmp_path / "in", {"image": ("ortho.tif", names)})
    found = read(resolve_addresses([str(item)], bands=("nir", "red", "green")))
    expected = np.where(mask > 0, values[[3, 0, 1]].astype(int), -1)
    assert np.array_equal(found, expected)
    (whole,) = resolve_addresses([item])
    with Raster(whole) as raster:
        assert raster.bands == (1, 2, 3, 4)


def test_names_for_what_is_made() -> None:
    for name, expected in {
        "a/ortho.tif": "ortho",
        "https://example.org/b.tif?key=1": "b",
        "items/town.json#visual": "town",
        "https://example.org/collections/c/items/town.2026?key=1": "town.2026",
        "https://me:secret@tiles.example.org/{z}/{x}/{y}.png?key=1": "tiles.example.org",
        "WMTS:https://example.org/wmts?key=1,layer=ortho": "example.org_ortho",
    }.items():
        assert raster_stem(name) == expected
        assert "secret" not in service_name(name)


def test_faults_of_addresses_are_one_line(tmp_path: Path, served: str) -> None:
    area = write_area(tmp_path / "area.gpkg")
    (tmp_path / "in").mkdir()
    write_capabilities(tmp_path / "in/wmts.xml", served)
    tiles = f"{served}/{{z}}/{{x}}/{{y}}.png"
    evil = make_item(tmp_path / "in", {"image": ("file:///etc/passwd.tif", None)})
    (tmp_path / "in/broken.json").write_text('{"type": "Feature"')
    bad = tmp_path / "pole.gpkg"
    geopandas.GeoDataFrame(geometry=[shapely.box(0, 89.9, 1, 90)], crs=4326).to_file(bad)
    for kind, make, says in (
        (InvalidValueError, lambda: resolve_addresses([tiles], gsd=1.0), "give an area"),
        (InvalidValueError, lambda: resolve_addresses([tiles], area=area), "sampling distance"),
        (InvalidValueError, lambda: open_tile_service(tiles, area, 0.0), "gsd: must be > 0"),
        (InputError, lambda: open_tile_service(tiles, tmp_path / "no.gpkg", 1.0), "not exist"),
        (InputError, lambda: open_tile_service(tiles, bad, 1.0), "pole.gpkg: "),
        (InputError, lambda: open_tile_service(f"{tiles}{{s}}", area, 1.0), "{s} to be filled in"),
        (InputError, lambda: open_tile_service(f"WMTS:{served}/no.xml", area, 1.0), "WMTS service"),
        (
            InputError,
            lambda: open_tile_service(f"WMTS:{served}/wmts.xml", area, 1.0),
            "several layers: ortho, other",
        ),
        (InputError, lambda: resolve_addresses([f"{served}/no.json"]), "no.json: cannot be read"),
        (InputError, lambda: resolve_addresses([tmp_path / "in/broken.json"]), "broken.json: "),
        (InputError, lambda: resolve_addresses([evil]), "has an image at file:///etc/passwd.tif"),
    ):
        with pytest.raises(kind) as caught:
            make()
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)


def test_bands_on_different_grids_are_refused(tmp_path: Path) -> None:
    for name, size in (("fine", 40), ("coarse", 20)):
        write(tmp_path / f"in/{name}.tif", noise(1, size, size), gsd=6 / size)
    assets = {name: (f"{name}.tif", [{"name": name}]) for name in ("fine", "coarse")}
    item = make_item(tmp_path / "in", assets)
    with pytest.raises(InputError, match=r"coarse.tif: has another grid or type than .*fine.tif"):
        resolve_addresses([item], bands=("fine", "coarse"))
