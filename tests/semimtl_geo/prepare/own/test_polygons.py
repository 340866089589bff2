"""Polygons of land cover, against rectangles on whole pixels and against shapely."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from tests.rasters import GSD, NORTH, WEST, noise, write
from tests.semimtl_geo.prepare.own.folders import box, load, make, write_polygons
from tiles.errors import InputError

SIZE = 24
CRS = "EPSG:32633"
SPLIT = {"train": ["a"], "test": ["b"]}
CLASSES = [
    {"name": "ground", "color": [255, 255, 255], "values": ["meadow", "field", 4]},
    {"name": "building", "color": [0, 0, 255], "values": ["house", 7]},
]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    for number, name in enumerate("ab"):
        at = (number * SIZE, 0)
        write(tmp_path / "raw" / "image" / f"{name}.tif", noise(3, SIZE, SIZE), at=at)
    return tmp_path / "raw"


def pixels(left: float, top: float, right: float, bottom: float) -> Any:
    """A rectangle by columns and rows of image a."""
    return box(WEST, NORTH, left * GSD, top * GSD, right * GSD, bottom * GSD)


SHAPES = [
    ("house", pixels(4, 4, 10, 10)),
    ("meadow", pixels(2, 2, 20, 12)),  # under the house, though it comes later in the file
    ("field", pixels(30, 0, 40, 24)),  # at image b
    (None, pixels(15, 15, 20, 20)),
]


def expected() -> tuple[np.ndarray, np.ndarray]:
    """Classes of images a and b."""
    made = np.full((SIZE, 2 * SIZE), 255, np.uint8)
    made[2:12, 2:20] = 0
    made[4:10, 4:10] = 1
    made[:, 30:40] = 0
    return made[:, :SIZE], made[:, SIZE:]


def made(raw: Path, **config: Any) -> Path:
    defaults: dict[str, Any] = {"match": "place", "classes": CLASSES, "split": SPLIT}
    defaults["landcover"] = {"field": "v"}
    return make(raw, **(defaults | config))


@pytest.mark.parametrize("suffix", ["gpkg", "shp", "geojson", "fgb"])
def test_formats(raw: Path, suffix: str) -> None:
    """GeoJSON is in degrees; half a millionth of a degree is less than a pixel's half."""
    import geopandas

    path = write_polygons(raw / "landcover" / f"cover.{suffix}", SHAPES, CRS)
    if suffix == "geojson":
        geopandas.read_file(path).to_crs(4326).to_file(path, COORDINATE_PRECISION=9)
    folder = made(raw)
    for name, classes in zip("ab", expected(), strict=True):
        np.testing.assert_array_equal(load(folder, "landcover", name)[0], classes)


def test_by_name_and_by_several_files(raw: Path) -> None:
    write_polygons(raw / "landcover" / "a.gpkg", SHAPES[1:], CRS)
    write_polygons(raw / "landcover" / "b.gpkg", SHAPES[:3], CRS)
    by_name = made(raw, match="name")
    np.testing.assert_array_equal(load(by_name, "landcover", "a") == 1, False)
    by_place = make(raw, "again", match="place", classes=CLASSES, split=SPLIT,
                    landcover={"field": "v"})  # fmt: skip
    np.testing.assert_array_equal(load(by_place, "landcover", "a")[0], expected()[0])


def test_numbers_and_another_crs(raw: Path) -> None:
    """Integers of a field of floats; a triangle in another zone, against shapely in ours."""
    import geopandas

    triangle = shapely.Polygon(
        [(WEST, NORTH), (WEST + 20 * GSD, NORTH - 3 * GSD), (WEST + 2 * GSD, NORTH - 22 * GSD)]
    )
    frame = geopandas.GeoDataFrame({"v": [7.0, np.nan]}, geometry=[triangle, triangle], crs=CRS)
    (raw / "landcover").mkdir()
    frame.to_crs(25832).to_file(raw / "landcover" / "x.gpkg")
    got = load(made(raw), "landcover", "a")[0] == 1
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    centres = shapely.points(WEST + x * GSD, NORTH - y * GSD)
    clear = shapely.distance(triangle.boundary, centres) > 0.01 * GSD
    np.testing.assert_array_equal(got[clear], shapely.contains(triangle, centres)[clear])


def test_names_of_layers_are_values(raw: Path) -> None:
    path = raw / "landcover" / "map.gpkg"
    write_polygons(path, SHAPES[:1], CRS, layer="house")
    write_polygons(path, SHAPES[1:2], CRS, layer="meadow")
    write_polygons(path, [("x", shapely.Point(WEST, NORTH))], CRS, layer="wells")
    folder = made(raw, landcover={})
    np.testing.assert_array_equal(load(folder, "landcover", "a")[0], expected()[0])
    one = make(raw, "again", match="place", classes=CLASSES, split=SPLIT,
               landcover={"layer": "house"})  # fmt: skip
    np.testing.assert_array_equal(load(one, "landcover", "a")[0] == 1, expected()[0] == 1)
    assert (load(one, "landcover", "a")[0] != 0).all()


def test_unknown_values_count_less_than_any_class(raw: Path) -> None:
    shapes = [*SHAPES, ("cloud", pixels(0, 0, 24, 24))]
    write_polygons(raw / "landcover" / "x.gpkg", shapes, CRS)
    folder = made(raw, unknown=["cloud"])
    np.testing.assert_array_equal(load(folder, "landcover", "a")[0], expected()[0])


def test_holes_bowties_and_lines(raw: Path) -> None:
    """A polygon with a hole, one that crosses itself, and a line, which has no pixels."""
    ring = pixels(2, 2, 12, 12).difference(pixels(5, 5, 9, 9))
    bowtie = shapely.Polygon(
        [(WEST + x * GSD, NORTH - y * GSD) for x, y in ((14, 2), (22, 10), (22, 2), (14, 10))]
    )
    line = shapely.LineString([(WEST, NORTH - 20 * GSD), (WEST + 9, NORTH - 20 * GSD)])
    both = shapely.GeometryCollection([ring, line])
    write_polygons(raw / "landcover" / "x.gpkg", [("house", both), ("house", bowtie)], CRS)
    got = load(made(raw), "landcover", "a")[0] == 1
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    inside = (x > 2) & (x < 12) & (y > 2) & (y < 12) & ~((x > 5) & (x < 9) & (y > 5) & (y < 9))
    np.testing.assert_array_equal(got[:, :13], inside[:, :13])
    assert not got[13:].any()
    assert got[4:8, 20].all()
    assert not got[3, 17:19].any()


def test_many_windows(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The classes do not depend on how the scene is cut into windows."""
    rng = np.random.default_rng(0)
    shapes = []
    for value in rng.choice(["meadow", "house"], 40):
        x, y, r = rng.uniform(0, SIZE, 3)
        circle = shapely.Point(WEST + x * GSD, NORTH - y * GSD).buffer(r / 4 * GSD)
        shapes.append((str(value), circle))
    write_polygons(raw / "landcover" / "x.gpkg", shapes, CRS)
    whole = load(made(raw), "landcover", "a")
    monkeypatch.setattr("semimtl_geo.prepare.rasters.resampling.WINDOW_ROWS", 5)
    monkeypatch.setattr("semimtl_geo.prepare.rasters.resampling.WINDOW_COLUMNS", 7)
    cut = make(raw, "cut", match="place", classes=CLASSES, split=SPLIT, landcover={"field": "v"})
    np.testing.assert_array_equal(load(cut, "landcover", "a"), whole)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"landcover": {"field": "w"}}, r"x\.gpkg: its layer x has no field 'w'; .* of v"),
        ({"landcover": {"layer": "y"}}, r"x\.gpkg: has no layer of polygons 'y', but x"),
        ({"landcover": {}}, r"x\.gpkg: has the layer 'x', which scenes.yaml gives no class"),
        ({"classes": CLASSES[:1]}, r"x\.gpkg: has the value 'house', which scenes.yaml gives no"),
        ({"classes": [CLASSES[0] | {"values": []}]}, "has polygons, but no class has any values"),
    ],
)
def test_bad_settings(raw: Path, config: dict[str, Any], said: str) -> None:
    write_polygons(raw / "landcover" / "x.gpkg", SHAPES, CRS)
    with pytest.raises(InputError, match=said) as error:
        made(raw, **config)
    assert "\n" not in str(error.value)
    assert not list(raw.parent.glob("out/*/*/landcover/*"))


def test_bad_files(raw: Path) -> None:
    path = raw / "landcover" / "x.geojson"
    path.parent.mkdir()
    path.write_text("{")
    with pytest.raises(InputError, match=r"x\.geojson: cannot be read as polygons"):
        made(raw)
    path.unlink()
    line = shapely.LineString([(WEST, NORTH), (WEST + 1, NORTH)])
    write_polygons(raw / "landcover" / "x.gpkg", [("house", line)], CRS)
    with pytest.raises(InputError, match=r"x\.gpkg: has no polygons"):
        made(raw)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("2024-01-01T00:00:00", r"has the value 2024-01-01 .*, which scenes.yaml gives no class"),
        (1.5, r"has the value 1\.5, which"),
        (5.0, r"has the value 5, which"),
        (["house"], r"its field v holds lists .*; choose another field"),
    ],
)
def test_other_types_of_fields(raw: Path, value: Any, said: str) -> None:
    feature = {
        "type": "Feature",
        "properties": {"v": value},
        "geometry": shapely.geometry.mapping(pixels(2, 2, 20, 20)),
    }
    named = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    content = {"type": "FeatureCollection", "crs": named, "features": [feature]}
    (raw / "landcover").mkdir()
    (raw / "landcover" / "x.geojson").write_text(json.dumps(content))
    with pytest.raises(InputError, match=said):
        made(raw)


def test_polygons_beside_rasters_are_left_alone(raw: Path) -> None:
    """Old folders may hold outlines beside their rasters."""
    for number, name in enumerate("ab"):
        at = (number * SIZE, 0)
        write(raw / "landcover" / f"{name}.tif", np.full((SIZE, SIZE), 7, np.uint8), at=at)
    write_polygons(raw / "landcover" / "a.shp", SHAPES, CRS)
    folder = make(raw, classes=CLASSES, split=SPLIT)
    assert (load(folder, "landcover", "a") == 1).all()
