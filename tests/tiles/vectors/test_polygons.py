from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyogrio
import pytest
import rasterio.features
import scipy.ndimage
import shapely
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rasterio import Affine
from shapely import Polygon
from shapely.affinity import rotate

from semimtl_geo.synthetic import CITY_A, CITY_B, make_scene
from tests.rasters import GSD, NORTH, WEST, write
from tiles.errors import InputError
from tiles.maps.auxiliary import class_metadata
from tiles.types import UNKNOWN_CLASS
from tiles.vectors.building_polygons import buildings, buildings_of_folder
from tiles.vectors.class_polygons import land_cover_polygons
from tiles.vectors.footprints import LEAST_IOU, block, right_angled
from tiles.vectors.labelling import Sweep
from tiles.vectors.outlines import Outlines

NAMES = ("ground", "building", "tree")
PIXEL = GSD**2
PLACE = Affine(GSD, 0, WEST, 0, -GSD, NORTH)


def cover(path: Path, values: Any, names: tuple[str, ...] | None = NAMES, **more: Any) -> Path:
    write(path, np.asarray(values, np.uint8), **({"nodata": 255} | more))
    if names:
        text = class_metadata(names, [(0, 0, 0)] * len(names), [0] * len(names))
        path.with_name(f"{path.name}.aux.xml").write_text(text, encoding="utf-8")
    return path


def heights(path: Path, values: Any, **more: Any) -> Path:
    return write(path, np.asarray(values, np.float32), **({"nodata": -9999.0} | more))


def picture(*rows: str) -> np.ndarray:
    """Digits are classes, a dot is class 0, a space unknown."""
    digits = [[{" ": 255, ".": 0}.get(c) if c in " ." else int(c) for c in row] for row in rows]
    return np.array(digits, np.uint8)


def houses(tmp: Path, classes: Any, high: Any, **more: Any) -> geopandas.GeoDataFrame:
    """The footprints' layer, made of the pixels' outlines if nothing else is asked."""
    land, height = cover(tmp / "l.tif", classes), heights(tmp / "h.tif", high)
    settings_ = {"min_area": 0, "right_angles": False} | more
    return geopandas.read_file(buildings(land, height, tmp / "b.gpkg", **settings_), layer=0)


def areas(tmp: Path, values: Any, **more: Any) -> geopandas.GeoDataFrame:
    land = cover(tmp / "l.tif", values)
    return geopandas.read_file(
        land_cover_polygons(land, tmp / "a.gpkg", **({"min_area": 0} | more))
    )


def iou(one: Polygon, other: Polygon) -> float:
    return one.intersection(other).area / one.union(other).area


def turns(polygon: Polygon) -> np.ndarray:
    """Angles at the corners of all rings, in degrees from 0 to 180."""
    found = []
    for ring in (polygon.exterior, *polygon.interiors):
        edges = np.diff(np.asarray(ring.coords), axis=0)
        angles = np.degrees(np.arctan2(edges[:, 1], edges[:, 0]))
        found.append(np.abs((np.diff(angles, append=angles[0]) + 180) % 360 - 180))
    return np.concatenate(found)


# ---- exact shapes, areas and statistics


def test_rectangle_by_hand(tmp_path: Path) -> None:
    classes, high = np.zeros((40, 50)), np.full((40, 50), 7.0)
    classes[10:20, 5:35] = 1
    high[10:20, 5:35] = np.arange(300).reshape(10, 30) / 10
    (row,) = houses(tmp_path, classes, high, panel=16).itertuples()
    assert row.id == 1
    assert row.area_m2 == pytest.approx(300 * PIXEL, rel=1e-12)
    assert row.height_m == pytest.approx(14.95, abs=1e-5)
    assert row.height_p95_m == pytest.approx(0.95 * 29.9, abs=1e-5)
    assert row.volume_m3 == pytest.approx(299 * 300 / 2 / 10 * PIXEL, rel=1e-6)
    assert row.geometry.equals(
        shapely.box(WEST + 5 * GSD, NORTH - 20 * GSD, WEST + 35 * GSD, NORTH - 10 * GSD)
    )
    assert len(row.geometry.exterior.coords) == 5
    assert row.geometry.exterior.is_ccw


def test_corners_that_touch_do_not_connect(tmp_path: Path) -> None:
    frame = houses(tmp_path, picture("1..", ".1.", ".11"), np.full((3, 3), 5.0), panel=1)
    assert frame.area_m2.tolist() == pytest.approx([PIXEL, 3 * PIXEL])
    assert frame.id.tolist() == [1, 2]


def test_area_that_touches_itself_is_valid(tmp_path: Path) -> None:
    """A hole meets the outer ring at a point, and another hole."""
    frame = areas(tmp_path, picture("11111", "1.1.1", "11.11", "1111."))
    (own,) = frame[frame["class"] == 1].geometry
    assert own.is_valid
    assert len(own.interiors) == 3
    assert own.area == pytest.approx(16 * PIXEL, rel=1e-6)


def test_courtyard_stays_and_small_holes_are_filled(tmp_path: Path) -> None:
    classes = np.ones((30, 30))
    classes[5:15, 5:15] = 0
    classes[20:22, 20:22] = 2
    classes[20, 20] = 0  # two small areas in one hole
    frame = houses(tmp_path, classes, np.full((30, 30), 4.0), min_area=100 * PIXEL * 0.999)
    (row,) = frame.itertuples()
    assert len(row.geometry.interiors) == 1
    assert row.geometry.area == pytest.approx(800 * PIXEL, rel=1e-6)
    # but the figures are those of what is built
    assert row.area_m2 == pytest.approx(796 * PIXEL)
    assert row.volume_m3 == pytest.approx(796 * 4.0 * PIXEL)
    larger = houses(tmp_path, classes, np.full((30, 30), 4.0), min_area=101 * PIXEL)
    assert larger.geometry.area.tolist() == pytest.approx([900 * PIXEL], rel=1e-6)


def test_unknown_is_never_covered(tmp_path: Path) -> None:
    classes = picture("2222222", "2 22..2", "22 2. 2", "2222..2", "2222222")
    frame = areas(tmp_path, classes, min_area=8 * PIXEL, panel=2)
    # The hole of ground is below the least area, but has an unknown pixel inside.
    assert frame["class"].tolist() == [2]
    known = rasterio.features.rasterize(
        frame.geometry, out_shape=classes.shape, transform=PLACE, dtype="uint8"
    )
    assert not known[classes == 255].any()
    assert known.sum() == classes.size - 8


def test_small_areas_leave_gaps_beside_several(tmp_path: Path) -> None:
    frame = areas(tmp_path, picture("1112..", "111...", "111..."), min_area=2 * PIXEL)
    assert frame["class"].tolist() == [1, 0]
    assert frame.area_m2.tolist() == pytest.approx([9 * PIXEL, 8 * PIXEL])


def test_heights_without_data(tmp_path: Path) -> None:
    high = np.array([[2.0, -9999, 4, np.nan, 9, -9999, -9999, 9, 0]])
    frame = houses(tmp_path, [[1, 1, 1, 1, 0, 1, 1, 0, 1]], high)
    assert frame.height_m.tolist() == pytest.approx([3.0, math.nan, 0.0], nan_ok=True)
    assert frame.volume_m3.tolist() == pytest.approx([6 * PIXEL, math.nan, 0.0], nan_ok=True)
    assert frame.area_m2.tolist() == pytest.approx([4 * PIXEL, 2 * PIXEL, PIXEL])
    # Nothing to stand up where the height is unknown or 0.
    blocks = geopandas.read_file(tmp_path / "b.gpkg", layer="blocks")
    assert blocks.id.tolist() == [1]


def test_least_height_and_area(tmp_path: Path) -> None:
    classes, high = picture("111.11.1"), np.array([[3.0, 3, 3, 0, 1, 1, 0, 9]])
    frame = houses(tmp_path, classes, high, min_area=1.5 * PIXEL, min_height=2)
    assert frame.height_m.tolist() == [3.0]


def test_pixels_not_square(tmp_path: Path) -> None:
    place = Affine(0.5, 0, WEST, 0, -0.2, NORTH)
    land = cover(tmp_path / "l.tif", picture("....", ".11.", "...."), transform=place)
    frame = geopandas.read_file(land_cover_polygons(land, tmp_path / "a.gpkg", min_area=0))
    assert frame.area_m2.tolist() == pytest.approx([1.0, 0.2])
    assert frame.geometry.area.tolist() == pytest.approx([1.0, 0.2])


def test_feet(tmp_path: Path) -> None:
    """EPSG:2227 counts in US survey feet: areas and heights are metric, coordinates are not."""
    foot = 1200 / 3937
    place = {"crs": "EPSG:2227", "transform": Affine(2, 0, 6_000_000, 0, -2, 2_100_000)}
    land = cover(tmp_path / "l.tif", np.ones((9, 9)), **place)
    high = heights(tmp_path / "h.tif", np.full((9, 9), 3.0), **place)
    out = buildings(land, high, tmp_path / "b.gpkg")
    (row,) = geopandas.read_file(out, layer="blocks").itertuples()
    assert row.area_m2 == pytest.approx((18 * foot) ** 2)
    assert row.height_m == pytest.approx(3.0)
    assert shapely.get_coordinates(row.geometry, include_z=True)[:, 2].max() == pytest.approx(
        3.0 / foot
    )


# ---- independent truths, and any panels

RASTERS = hnp.arrays(
    np.uint8,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.sampled_from([0, 1, 1, 2, 255]),
)
SPIRAL = picture("1111111", "1.....1", "1.111.1", "1.1.1.1", "1.1...1", "1.11111", "1......")


def swept(classes: np.ndarray, panel: int, meetings: bool = False) -> list[tuple[Any, ...]]:
    """Class, pixels, first pixel and outline of all areas, by first pixel."""
    sweep = Sweep(
        lambda rows, columns: (classes[slice(*rows), slice(*columns)], None),
        classes.shape,
        np.arange(256) != UNKNOWN_CLASS,
        panel,
        meetings,
    )
    found = []
    for all_ in sweep:
        known = all_.value != UNKNOWN_CLASS
        number = np.where(known, np.cumsum(known) - 1, -1).astype(np.int32)
        part = all_.merged(number, int(known.sum()))
        outlines = Outlines(part.corners, len(part.value), 0, np.zeros((0, 2), np.int64))
        assert (outlines.pixels == part.pixels).all()
        shapes = outlines.polygons(Affine.identity())
        found += zip(
            part.first.tolist(), part.value.tolist(), part.pixels.tolist(), shapes, strict=True
        )
    return sorted(found, key=lambda area: area[0])


@settings(deadline=None, max_examples=150)
@given(RASTERS, st.integers(1, 10))
@example(SPIRAL, 1)
@example(SPIRAL, 3)
def test_areas_are_those_of_the_whole_array(classes: np.ndarray, panel: int) -> None:
    found = swept(classes, panel)
    shapes = rasterio.features.shapes(classes, mask=classes != 255, connectivity=4)
    truth = {(int(value), shapely.normalize(shapely.geometry.shape(s))) for s, value in shapes}
    assert {(value, shapely.normalize(shape)) for _, value, _, shape in found} == truth
    assert len(found) == len(truth)
    for first, value, pixels, shape in found:
        assert classes.ravel()[first] == value
        assert shape.is_valid
        assert shape.area == pixels
    whole = [(*area, shape.wkb) for *area, shape in swept(classes, 10)]
    assert [(*area, shape.wkb) for *area, shape in found] == whole


@settings(deadline=None, max_examples=80)
@given(RASTERS, st.integers(1, 10))
def test_areas_with_meetings_are_a_coverage(classes: np.ndarray, panel: int) -> None:
    shapes = [shape for *_, shape in swept(classes, panel, meetings=True)]
    plain = [shape for *_, shape in swept(classes, panel)]
    assert all(a.equals(b) for a, b in zip(shapes, plain, strict=True))
    if shapes:
        assert shapely.coverage_is_valid(shapes)
        assert [s.wkb for s in shapes] == [s[-1].wkb for s in swept(classes, 10, meetings=True)]


@settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(RASTERS, st.integers(1, 10), st.integers(0, 2**31), st.booleans())
def test_buildings_do_not_depend_on_panels(
    tmp_path: Path, classes: np.ndarray, panel: int, seed: int, right_angles: bool
) -> None:
    high = np.random.default_rng(seed).normal(6, 3, classes.shape).astype(np.float32)
    kinds = {"right_angles": right_angles, "min_height": -100}
    one = houses(tmp_path, classes, high, panel=panel, **kinds)
    assert one.equals(houses(tmp_path, classes, high, panel=10, **kinds))
    labels, count = scipy.ndimage.label(classes == 1)
    truth = [high[labels == number].astype(float) for number in range(1, count + 1)]
    assert one.height_m.tolist() == pytest.approx([np.median(own) for own in truth])
    assert one.height_p95_m.tolist() == pytest.approx([np.percentile(own, 95) for own in truth])
    assert one.volume_m3.tolist() == pytest.approx([own.sum() * PIXEL for own in truth])
    assert one.area_m2.tolist() == pytest.approx([len(own) * PIXEL for own in truth])


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Maps of both cities as they truly are."""
    folder = tmp_path_factory.mktemp("city")
    for style in (CITY_A, CITY_B):
        scene = make_scene(style, 3, 480)
        place = {"gsd": style.gsd, "crs": style.crs}
        names = ("impervious surfaces", "building", "low vegetation", "tree", "car", "clutter")
        cover(folder / f"{style.name}_landcover.tif", scene.landcover, names, **place)
        heights(folder / f"{style.name}_height.tif", scene.height, **place)
    return folder


def test_city_does_not_depend_on_panels(city: Path, tmp_path: Path) -> None:
    land = city / "city_b_landcover.tif"
    for make in (
        lambda out, panel: land_cover_polygons(land, out, simplify=0.6, panel=panel),
        lambda out, panel: land_cover_polygons(land, out, right_angles=True, panel=panel),
        lambda out, panel: buildings(land, city / "city_b_height.tif", out, panel=panel),
    ):
        made = [
            geopandas.read_file(make(tmp_path / f"{panel}.gpkg", panel), layer=0)
            for panel in (37, 100, 512)
        ]
        assert len(made[0]) > 5
        assert made[0].equals(made[1])
        assert made[0].equals(made[2])


# ---- simplification


def test_simplified_neighbours_still_fit(city: Path, tmp_path: Path) -> None:
    plain, soft = (
        geopandas.read_file(
            land_cover_polygons(
                city / "city_b_landcover.tif", tmp_path / "a.gpkg", min_area=0, simplify=tolerance
            )
        )
        for tolerance in (0.0, 0.8)
    )
    assert soft.is_valid.all()
    assert shapely.coverage_is_valid(soft.geometry.values)
    assert (soft.area_m2 == plain.area_m2).all()
    assert soft.geometry.area.sum() == pytest.approx(plain.geometry.area.sum(), rel=1e-3)
    points = [shapely.get_num_coordinates(frame.geometry.values).sum() for frame in (plain, soft)]
    assert points[1] < 0.5 * points[0]


@pytest.mark.parametrize("angle", [0, 3, 17, 30, 45, 62, 88])
def test_rotated_rectangle_gets_four_right_corners(angle: float) -> None:
    true = rotate(shapely.box(40, 50, 100, 85), angle)
    outline = _pixels(true)
    made = right_angled(outline, 1.5)
    assert len(made.exterior.coords) == 5
    assert turns(made) == pytest.approx(90, abs=1e-6)
    assert iou(made, true) > 0.97
    assert len(outline.exterior.coords) > 20 or angle == 0


def test_l_shape_with_courtyard() -> None:
    body = shapely.box(20, 20, 110, 60).union(shapely.box(20, 20, 60, 120))
    true = rotate(body.difference(shapely.box(32, 32, 48, 100)), 21)
    made = right_angled(_pixels(true), 1.5)
    assert (len(made.exterior.coords), len(made.interiors)) == (7, 1)
    assert len(made.interiors[0].coords) == 5
    assert turns(made) == pytest.approx(90, abs=1e-6)
    assert iou(made, true) > 0.95


@pytest.mark.parametrize(
    "true",
    [
        shapely.Point(60, 60).buffer(30),
        Polygon([(20, 20), (110, 20), (20, 110)]),
        shapely.box(60, 60, 61, 61),
        rotate(shapely.box(20, 60, 120, 62), 40),
    ],
    ids=["round", "triangle", "one pixel", "thin"],
)
def test_what_has_no_right_angles_is_simplified_plainly(true: Polygon) -> None:
    outline = _pixels(true)
    made = right_angled(outline, 1.5)
    assert made.is_valid
    assert iou(made, outline) >= min(LEAST_IOU, iou(shapely.simplify(outline, 1.5), outline))
    assert len(made.exterior.coords) <= len(outline.exterior.coords)


@settings(deadline=None, max_examples=60)
@given(hnp.arrays(np.uint8, (9, 9), elements=st.integers(0, 1)), st.floats(0.5, 4))
def test_right_angled_is_valid(classes: np.ndarray, tolerance: float) -> None:
    for _, value, _, shape in swept(classes, 9):
        if value == 1:
            made = right_angled(shape, tolerance)
            assert made.is_valid
            assert made.geom_type == "Polygon"
            plain = shapely.simplify(shape, tolerance)
            assert iou(made, shape) >= min(LEAST_IOU - 1e-9, iou(plain, shape))


def _pixels(true: Polygon) -> Polygon:
    drawn = rasterio.features.rasterize([true], out_shape=(140, 140), all_touched=False)
    (shape,) = (s for _, value, _, s in swept(drawn.astype(np.uint8), 999) if value == 1)
    return shape


@pytest.mark.parametrize("name", ["city_a", "city_b"])
def test_true_buildings_of_a_city(city: Path, tmp_path: Path, name: str) -> None:
    pair = city / f"{name}_landcover.tif", city / f"{name}_height.tif"
    exact, right = (
        geopandas.read_file(buildings(*pair, tmp_path / "b.gpkg", right_angles=kind), layer=0)
        for kind in (False, True)
    )
    with rasterio.open(pair[0]) as land, rasterio.open(pair[1]) as high:
        built, up = land.read(1) == 1, high.read(1).astype(float)
        pixel = land.transform.a**2
    labels, count = scipy.ndimage.label(built)
    numbers = np.arange(1, count + 1)
    sizes = scipy.ndimage.sum(built, labels, numbers) * pixel
    kept = numbers[sizes >= 10.0]
    assert len(kept) > 3
    assert exact.area_m2.to_numpy() == pytest.approx(sizes[sizes >= 10.0])
    assert exact.height_m.to_numpy() == pytest.approx(scipy.ndimage.median(up, labels, kept))
    volumes = scipy.ndimage.sum(up, labels, kept) * pixel
    assert exact.volume_m3.to_numpy() == pytest.approx(volumes)

    assert right.drop(columns="geometry").equals(exact.drop(columns="geometry"))
    assert right.is_valid.all()
    large = (right.area_m2 > 50).to_numpy()
    pairs = zip(right.geometry[large], exact.geometry[large], strict=True)
    assert min(iou(one, other) for one, other in pairs) > 0.9
    corners = [shapely.get_num_coordinates(f.geometry.values).sum() for f in (right, exact)]
    assert corners[0] < corners[1] / 3


# ---- blocks


def test_blocks_are_closed_and_face_outward() -> None:
    hole = shapely.box(2, 2, 4, 5)
    footprint = shapely.orient_polygons(shapely.box(0, 0, 10, 8).difference(hole))
    made = block(footprint, 6.0)
    edges: set[tuple[Any, ...]] = set()
    volume = 0.0
    for face in made.geoms:
        for ring in (face.exterior, *face.interiors):
            points = [tuple(point) for point in ring.coords]
            for edge in pairwise(points):
                assert edge not in edges
                edges.add(edge)
            # Volume by the divergence theorem, from triangles with the origin.
            a, rest = np.array(points[0]), np.array(points[1:-1])
            for b, c in pairwise(rest):
                volume += float(np.dot(a, np.cross(b, c))) / 6
    assert all((b, a) in edges for a, b in edges)
    assert volume == pytest.approx((80 - 6) * 6.0)
    assert len(made.geoms) == 2 + 8


def test_layers_read_back(tmp_path: Path) -> None:
    classes = picture("111....", "1.1..11", "111..11")
    houses(tmp_path, classes, np.full((3, 7), 4.5))
    path = tmp_path / "b.gpkg"
    assert pyogrio.list_layers(path).tolist() == [
        ["footprints", "Polygon"],
        ["blocks", "MultiPolygon Z"],
        ["layer_styles", None],  # where QGIS looks for styles
    ]
    names = ["id", "area_m2", "height_m", "height_p95_m", "volume_m3"]
    for layer in ("footprints", "blocks"):
        info = pyogrio.read_info(path, layer=layer)
        assert info["fields"].tolist() == names
        assert info["dtypes"].tolist() == ["int64"] + 4 * ["float64"]
        assert info["crs"] == "EPSG:32633"
        assert info["features"] == 2
    flat = pyogrio.read_dataframe(path, layer="footprints")
    solid = geopandas.read_file(path, layer="blocks")
    assert not flat.has_z.any()
    assert solid.has_z.all()
    for shape in solid.geometry:
        assert set(shapely.get_coordinates(shape, include_z=True)[:, 2]) == {0.0, 4.5}
    assert solid.geometry[0].geoms[1].area == pytest.approx(8 * PIXEL, rel=1e-6)
    assert len(solid.geometry[0].geoms) == 2 + 4 + 4
    assert solid.drop(columns="geometry").equals(flat.drop(columns="geometry"))


def test_names_come_from_the_auxiliary_file(tmp_path: Path) -> None:
    classes = picture("12 ")
    frame = areas(tmp_path, classes)
    assert frame.columns.tolist() == ["class", "name", "area_m2", "geometry"]
    assert frame["class"].dtype == np.int32
    assert frame.name.tolist() == ["building", "tree"]
    assert areas(tmp_path, classes, classes=["a", "b", "c & d"]).name.tolist() == ["b", "c & d"]
    bare = cover(tmp_path / "bare.tif", classes, None)
    plain = geopandas.read_file(land_cover_polygons(bare, tmp_path / "a.gpkg", min_area=0))
    assert plain.name.tolist() == ["1", "2"]


@pytest.mark.parametrize("building", [1, "Building"])
def test_building_by_number_or_name(tmp_path: Path, building: int | str) -> None:
    assert len(houses(tmp_path, picture("1.1"), np.ones((1, 3)), building=building)) == 2


def test_no_building_makes_empty_layers(tmp_path: Path) -> None:
    assert len(houses(tmp_path, np.zeros((5, 5)), np.ones((5, 5)))) == 0
    path = tmp_path / "b.gpkg"
    for layer, kind in (("footprints", "Polygon"), ("blocks", "MultiPolygon Z")):
        info = pyogrio.read_info(path, layer=layer)
        assert (info["geometry_type"], info["features"]) == (kind, 0)
        assert info["dtypes"].tolist() == ["int64"] + 4 * ["float64"]
    assert len(areas(tmp_path, np.full((4, 4), 255), simplify=1.0)) == 0


def test_progress_and_same_again(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    classes = np.random.default_rng(0).integers(0, 3, (20, 30))
    one = areas(tmp_path, classes, panel=8, progress=lambda *at: seen.append(at))
    assert seen == [(done, 12) for done in range(1, 13)]
    assert one.equals(areas(tmp_path, classes, panel=8))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.gpkg", "l.tif", "l.tif.aux.xml"]


def test_folder(city: Path, tmp_path: Path) -> None:
    files = buildings_of_folder(city, tmp_path, min_area=50.0)
    assert [file.name for file in files] == ["city_a_buildings.gpkg", "city_b_buildings.gpkg"]
    assert all(file.parent == tmp_path and file.exists() for file in files)
    with pytest.raises(InputError, match=r"has no NAME_landcover\.tif"):
        buildings_of_folder(tmp_path)
    with pytest.raises(InputError, match="is not a folder"):
        buildings_of_folder(tmp_path / "none")


# ---- what the user can mend

ONES = np.ones((4, 4))
FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"land": "none.tif"}, "does not exist"),
    "folder": ({"land": "."}, "is a folder"),
    "text": ({"land": "text.tif"}, "cannot be read as a raster"),
    "bands": ({"land": "rgb.tif"}, "is not a class map: it has 3 bands"),
    "floats": ({"land": "h.tif"}, "is not a class map: it has values of type float32"),
    "no crs": ({"land": "nocrs.tif"}, "has no coordinate reference system"),
    "degrees": ({"land": "degrees.tif"}, "coordinates in degrees.*EPSG:32633"),
    "mercator": ({"land": "mercator.tif"}, r"areas 2\.\d+ times as large.*EPSG:32633"),
    "nowhere": ({"land": "nowhere.tif"}, "coordinates outside the domain of its CRS"),
    "no names": ({"land": "bare.tif"}, "has no class called building, but no class names"),
    "no building": ({"land": "other.tif"}, "has no class called building, but the classes a, b"),
    "no number": ({"building": 3}, "has no class 3"),
    "names too few": ({"land": "few.tif", "building": 0}, "has pixels of class 1, but names for 1"),
    "sidecar": ({"land": "broken.tif"}, r"broken.tif.aux.xml: cannot be read"),
    "no height": ({"high": "none.tif"}, "does not exist"),
    "height size": ({"high": "h5.tif"}, r"another size \(5 x 4 px\) than .*l.tif; warp it"),
    "height place": ({"high": "moved.tif"}, "has its pixels at other places"),
    "height crs": ({"high": "zone.tif"}, "has another coordinate reference system"),
    "height bands": ({"high": "rgb.tif"}, "but a map of heights has one"),
    "suffix": ({"out": "b.shp"}, r"must end in \.gpkg"),
    "no out folder": ({"out": "none/b.gpkg"}, "does not exist; create it"),
    "out folder": ({"out": "dir.gpkg"}, "is a folder"),
    "area": ({"min_area": -1}, "min_area: must be >= 0, got -1"),
    "least height": ({"min_height": math.nan}, "min_height"),
    "panel": ({"panel": 0}, "panel: must be >= 1 px, got 0"),
}


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wrong")
    cover(folder / "l.tif", ONES)
    cover(folder / "bare.tif", ONES, None)
    cover(folder / "other.tif", ONES, ("a", "b"))
    cover(folder / "few.tif", ONES, ("building",))
    cover(folder / "broken.tif", ONES, None)
    cover(folder / "nocrs.tif", ONES, crs=None)
    degrees = Affine(1e-5, 0, 13.0, 0, -1e-5, 52.4)
    cover(folder / "degrees.tif", ONES, crs="EPSG:4326", transform=degrees)
    mercator = Affine(1, 0, 1_447_000, 0, -1, 6_873_000)
    cover(folder / "mercator.tif", ONES, crs="EPSG:3857", transform=mercator)
    cover(folder / "nowhere.tif", ONES, at=(1e9, 1e9))
    heights(folder / "h.tif", ONES)
    heights(folder / "h5.tif", np.ones((4, 5)))
    heights(folder / "moved.tif", ONES, at=(0.5, 0))
    heights(folder / "zone.tif", ONES, crs="EPSG:32632")
    write(folder / "rgb.tif", np.ones((3, 4, 4), np.uint8))
    (folder / "text.tif").write_text("no raster")
    (folder / "broken.tif.aux.xml").write_text("<PAMDataset>")
    (folder / "dir.gpkg").mkdir()
    return folder


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_faults_are_one_line(wrong: Path, fault: str) -> None:
    changes, message = FAULTS[fault]
    given_ = {"land": "l.tif", "high": "h.tif", "out": "out.gpkg"} | changes
    land, high, out = (wrong / given_.pop(name) for name in ("land", "high", "out"))
    before = sorted(wrong.iterdir())
    with pytest.raises(InputError, match=message) as error:
        buildings(land, high, out, **given_)
    assert "\n" not in str(error.value)
    assert sorted(wrong.iterdir()) == before


def test_a_failed_run_keeps_the_older_file(
    wrong: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = buildings(wrong / "l.tif", wrong / "h.tif", tmp_path / "b.gpkg", min_area=0)
    before = out.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise pyogrio.errors.DataSourceError("no space left")

    monkeypatch.setattr(geopandas.GeoDataFrame, "to_file", full)
    with pytest.raises(InputError, match=r"cannot be written \(no space left\); choose"):
        buildings(wrong / "l.tif", wrong / "h.tif", out)
    assert out.read_bytes() == before
    assert list(tmp_path.iterdir()) == [out]
