"""Areas of interest: which pixels lie inside, and maps of no more than these."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyproj
import pytest
import rasterio
import shapely
import shapely.affinity
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.transform import from_origin

from tests.rasters import GSD, NORTH, WEST, noise, write
from tiles.errors import InputError
from tiles.grid import PixelGrid
from tiles.maps.layers import ClassMap, ValueMap
from tiles.mosaic.mosaicker import mosaic
from tiles.reading.area import read_area

VALUE = ValueMap("value", high=255)
CLASSES = ClassMap("class", ("a", "b"), ((0, 0, 0), (200, 0, 0)))
UTM = "EPSG:32633"


def grid(width: int = 700, height: int = 900) -> PixelGrid:
    return PixelGrid(CRS.from_string(UTM), from_origin(WEST, NORTH, GSD, GSD), width, height)


def on_ground(shape: Any) -> Any:
    """From pixels (column, row) to coordinates."""
    return shapely.transform(shape, lambda p: np.array([WEST, NORTH]) + p * [GSD, -GSD])


def save(path: Path, shapes: list[Any], crs: str | None = UTM, to: str | None = None) -> Path:
    frame = geopandas.GeoDataFrame(geometry=[on_ground(shape) for shape in shapes], crs=crs)
    (frame if to is None else frame.to_crs(to)).to_file(path)
    return path


STAR = shapely.Polygon(
    [
        (350 + radius * np.cos(angle), 450 + 1.2 * radius * np.sin(angle))
        for angle, radius in zip(
            np.linspace(0, 2 * np.pi, 14, endpoint=False), [330, 90] * 7, strict=True
        )
    ],
    [[(340, 440), (360, 440), (360, 470), (340, 470)]],
)


def centres(shape: Any, width: int, height: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    inside: np.ndarray = shapely.contains_xy(shape, x + 0.5, y + 0.5)
    return inside


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "shp"])
def test_pixels_whose_centres_lie_inside(tmp_path: Path, suffix: str) -> None:
    area = read_area(save(tmp_path / f"area.{suffix}", [STAR]), grid())
    assert (area.inside((0, 900), (0, 700)) == centres(STAR, 700, 900)).all()


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_no_pixel_depends_on_the_window(data: st.DataObject) -> None:
    # A corner of a pixel on every side, diagonals through centres: where rounding could decide.
    shape = shapely.Polygon([(100.5, 3), (690, 592.5), (100.5, 870.5), (0, 400)])
    area = read_area_of(shape)
    top, left = data.draw(st.integers(0, 899)), data.draw(st.integers(0, 699))
    bottom, right = data.draw(st.integers(top + 1, 900)), data.draw(st.integers(left + 1, 700))
    whole = area.inside((0, 900), (0, 700))
    assert (area.inside((top, bottom), (left, right)) == whole[top:bottom, left:right]).all()


def read_area_of(shape: Any) -> Any:
    from tiles.reading.area import Area

    return Area([shape], grid())


def test_another_crs_and_several_polygons(tmp_path: Path) -> None:
    other = shapely.box(10, 10, 40, 30)
    file = save(tmp_path / "area.gpkg", [STAR, other], to="EPSG:4326")
    area = read_area(file, grid())
    wanted = centres(STAR, 700, 900) | centres(other, 700, 900)
    # Coordinates in degrees are stored to about 1e-9 of a pixel, sides are bent by far less.
    assert (area.inside((0, 900), (0, 700)) != wanted).sum() <= 2
    (top, bottom), (left, right) = area.window
    west, north, east, south = shapely.union_all([STAR, other]).bounds
    assert (left, top, right, bottom) == pytest.approx((west, north, east, south), abs=1)


def test_a_polygon_far_larger_than_the_raster(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame(geometry=[shapely.box(-20, 30, 40, 70)], crs="EPSG:4326")
    frame.to_file(tmp_path / "europe.gpkg")
    area = read_area(tmp_path / "europe.gpkg", grid())
    assert area.inside((0, 900), (0, 700)).all()
    assert area.window == ((0, 900), (0, 700))


@pytest.mark.parametrize("margin", [0, 3])
def test_many_overlapping_polygons_are_their_union(tmp_path: Path, margin: int) -> None:
    """Also as the parts of one shape, which GEOS would take minutes to repair."""
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 690, (3000, 2)) + 0.25
    boxes = [shapely.box(x, y, x + 9.5, y + 7.5) for x, y in corners]
    wanted = np.zeros((900, 700), bool)
    for x, y in corners.astype(int):
        # Centres of pixels: at x + 0.5, the box begins at x + 0.25 and ends at x + 9.75. With
        # a margin of 3, corners are rounded: 3 px are kept to the sides alone.
        wanted[y : y + 8, max(0, x - margin) : x + 10 + margin] = True
        wanted[max(0, y - margin) : y + 8 + margin, x : x + 10] = True
    for shapes in (boxes, [shapely.MultiPolygon(boxes)]):
        area = read_area(save(tmp_path / f"{len(shapes)}.gpkg", shapes), grid())
        found = area.on_grid(grid(), margin).inside((0, 900), (0, 700))
        if margin:
            assert (found >= wanted).all()
        else:
            assert (found == wanted).all()


NO_NUMBER = shapely.Polygon([(3, 3), (60, 9), (9, math.inf)])
ALL_HOLE = shapely.Polygon(STAR.exterior, [STAR.exterior])


def write_text(path: Path) -> Path:
    path.write_text("no polygons")
    return path


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda p: p / "area.gpkg", "does not exist"),
        (lambda p: write_text(p / "area.gpkg"), "cannot be read as polygons"),
        (lambda p: save(p / "a.shp", [STAR], crs=None), "no coordinate reference system"),
        (lambda p: save(p / "a.gpkg", [shapely.box(-90, -90, -9, -9)]), "outside the raster"),
        (lambda p: save(p / "a.gpkg", [shapely.Point(5, 5)]), "has no polygons"),
        (lambda p: save(p / "a.gpkg", [NO_NUMBER]), "a coordinate that is no number"),
        (lambda p: save(p / "a.gpkg", [ALL_HOLE]), "has no polygons"),
        (lambda p: save(p / "a.gpkg", [shapely.box(5.6, 5.6, 6.4, 6.4)]), "contains no pixel"),
    ],
)
def test_areas_that_are_none_are_one_line(tmp_path: Path, make: Any, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        read_area(make(tmp_path), grid())
    assert "\n" not in str(caught.value)


UNKNOWN_SHAPE = {"type": "Feature", "properties": {}, "geometry": {"type": "Clothoid"}}


def test_what_a_driver_leaves_out_is_said_with_the_name_of_the_file(tmp_path: Path) -> None:
    area = save(tmp_path / "area.geojson", [STAR], to="EPSG:4326")
    collection = json.loads(area.read_text())
    wanted = read_area(area, grid()).digest
    collection["features"].append(UNKNOWN_SHAPE)
    area.write_text(json.dumps(collection))
    with pytest.warns(UserWarning, match=rf"{area}: Unsupported geometry type"):
        assert read_area(area, grid()).digest == wanted


def test_an_area_that_is_refused_is_a_line_without_warnings(tmp_path: Path) -> None:
    area = tmp_path / "area.geojson"
    area.write_text(json.dumps({"type": "FeatureCollection", "features": [UNKNOWN_SHAPE]}))
    with warnings.catch_warnings(record=True) as said, pytest.raises(InputError) as caught:
        read_area(area, grid())
    assert not said
    assert str(caught.value) == f"{area}: has no polygons; give a layer of polygons"


def smooth(images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Answers that depend on the whole tile."""
    value = images[:, :1] + images.mean((1, 2, 3), keepdim=True)
    return {"value": value, "class": torch.cat([255 - value, value], 1)}


@pytest.mark.parametrize("lies", ["source", "network"])
@pytest.mark.parametrize("gsd", [None, 2.1 * GSD, 0.6 * GSD, 0.3 * GSD])
def test_inside_all_is_as_without_an_area(tmp_path: Path, gsd: float | None, lies: str) -> None:
    shape = shapely.Polygon([(120, 80), (300, 130), (260, 333), (140, 210)])
    values = noise(2, 400, 350) | 1
    values[:, 190:200, 100:240] = 0
    image = write(tmp_path / "image.tif", values, nodata=0)
    area = save(tmp_path / "area.geojson", [shape])
    predicted: list[int] = []

    def watch(images: torch.Tensor) -> dict[str, torch.Tensor]:
        predicted.append(len(images))
        return smooth(images)

    # Tiles of about the same ground, so that finer pixels do not need more of them.
    tile = 48 if gsd is None else max(48, round(48 * GSD / gsd))
    found = {}
    for name, wanted in (("all", None), ("some", area)):
        out = {key: tmp_path / f"{name}_{key}.tif" for key in ("value", "class")}
        mosaic(
            image, watch, [VALUE, CLASSES], out, tile=tile, overlap=tile * 5 // 12,
            batch_size=1, panel=100,
            gsd=gsd, grid=lies, area=wanted,  # type: ignore[arg-type]
        )  # fmt: skip
        found[name] = out, sum(predicted)
        predicted.clear()
    assert found["some"][1] < 0.75 * found["all"][1]
    for key in ("value", "class"):
        with (
            rasterio.open(found["all"][0][key]) as whole,
            rasterio.open(found["some"][0][key]) as part,
        ):
            column, row = (~whole.transform) * (part.transform.c, part.transform.f)
            column, row = round(column), round(row)
            scale = np.array([whole.width / 350, whole.height / 400])
            assert (part.width, part.height) == pytest.approx([180, 253] * scale, abs=2)
            cut = whole.read(1)[row : row + part.height, column : column + part.width]
            inside = centres(
                shapely.affinity.affine_transform(shape, [*np.diag(scale).flat, -column, -row]),
                part.width, part.height,
            )  # fmt: skip
            made = part.read(1)
            assert inside.any()
            assert (made[inside] == cut[inside]).all()
            assert (made[~inside] == whole.nodata).all()
            assert part.crs == whole.crs


def test_an_area_without_known_pixels(tmp_path: Path) -> None:
    values = np.ones((1, 90, 90), np.uint8)
    values[:, 20:60, 20:60] = 0
    image = write(tmp_path / "image.tif", values, nodata=0)
    area = save(tmp_path / "area.gpkg", [shapely.box(30, 30, 40, 40)])
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"no known pixel in .*area\.gpkg"):
        mosaic(image, smooth, [VALUE], {"value": tmp_path / "v.tif"}, tile=8, area=area)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("beside", [0, 300, -300])
def test_an_area_across_the_180th_meridian(tmp_path: Path, beside: int) -> None:
    """0.01 by 0.01 degrees at 17 degrees south; the ellipsoid's degrees are worked by hand."""
    to_fiji = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:3460", always_xy=True)
    x, y = to_fiji.transform(180.0, -17.0)
    fiji = PixelGrid(
        CRS.from_epsg(3460), from_origin(x - 1500 + beside, y + 1500, 3, 3), 1000, 1000
    )
    halves = [
        shapely.box(179.995, -17.005, 180, -16.995),
        shapely.box(-180, -17.005, -179.995, -16.995),
    ]
    file = tmp_path / "area.geojson"
    geopandas.GeoDataFrame(geometry=halves, crs="EPSG:4326").to_file(file)
    inside = read_area(file, fiji).inside((0, 1000), (0, 1000))
    square = 1 - 0.00669438 * math.sin(math.radians(17)) ** 2
    across = math.radians(0.01) * 6378137 * math.cos(math.radians(17)) / square**0.5
    down = math.radians(0.01) * 6378137 * (1 - 0.00669438) / square**1.5
    assert inside.sum() == pytest.approx(across * down / 9, rel=0.005)
