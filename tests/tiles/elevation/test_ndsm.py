from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin
from rio_cogeo.cogeo import cog_validate

from semimtl_geo.synthetic import CITY_B, make_scene
from tests.rasters import NORTH, WEST, write
from tiles.elevation.ground import Ground, GroundFilter
from tiles.elevation.model import Elevation
from tiles.elevation.ndsm import heights_above_ground
from tiles.elevation.smrf import fill, objects, outliers
from tiles.elevation.terrain import Terrain, bilinear
from tiles.errors import InputError
from tiles.grid import PixelGrid

UNKNOWN = -9999.0


def terrain(east: np.ndarray, north: np.ndarray) -> np.ndarray:
    """A slope of 10 and 5 % with a gentle hill; metres, at coordinates."""
    x, y = east - WEST, NORTH - north
    hill = 6 * np.exp(-((x - 70) ** 2 + (y - 50) ** 2) / (2 * 60**2))
    return np.asarray(210 + 0.1 * x + 0.05 * y + hill)


def centres(n: int, gsd: float) -> tuple[np.ndarray, np.ndarray]:
    at = (np.arange(n) + 0.5) * gsd
    return WEST + at[None, :], NORTH - at[:, None]


@dataclass(frozen=True)
class Town:
    """A place whose ground is known."""

    gsd: float
    ground: np.ndarray
    height: np.ndarray
    roof: np.ndarray

    @property
    def dsm(self) -> np.ndarray:
        made: np.ndarray = (self.ground + self.height).astype(np.float32)
        return made


def make_town(n: int, gsd: float, seed: int = 0) -> Town:
    rng = np.random.default_rng(seed)
    east, north = centres(n, gsd)
    ground = terrain(east, north)
    x, y = np.broadcast_arrays(east - WEST, NORTH - north)
    size, height = n * gsd, np.zeros((n, n))
    for _ in range(round(size * size / 2500)):
        cx, cy, turn = *rng.uniform(0, size, 2), rng.uniform(0, np.pi)
        across = np.abs((x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)) < rng.uniform(4, 15)
        along = np.abs((y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)) < rng.uniform(4, 15)
        height[across & along] = rng.uniform(6, 20)
    roof = height > 0
    for _ in range(round(size * size / 1200)):
        radius, (cx, cy) = rng.uniform(1.5, 5), rng.uniform(0, size, 2)
        dome = 1 - ((x - cx) ** 2 + (y - cy) ** 2) / radius**2
        crown = np.where(dome > 0, 3 + 1.5 * radius * np.sqrt(np.maximum(dome, 0)), 0)
        height = np.where(roof, height, np.maximum(height, crown))
    return Town(gsd, ground, height, roof)


@pytest.fixture(scope="module")
def town() -> Town:
    return make_town(500, 0.4)


def load(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        values: np.ndarray = file.read(1)
    return values


def rmse(errors: np.ndarray) -> float:
    return float(np.sqrt(np.mean(errors.astype(np.float64) ** 2)))


def save(path: Path, values: np.ndarray, gsd: float, **profile: Any) -> Path:
    return write(path, values, gsd=gsd, **{"nodata": UNKNOWN, **profile})


# Surface minus terrain


def test_minus_a_terrain_on_the_same_grid_is_exact(tmp_path: Path, town: Town) -> None:
    dsm = save(tmp_path / "dsm.tif", town.dsm, town.gsd)
    dtm = save(tmp_path / "dtm.tif", town.ground.astype(np.float32), town.gsd)
    out = heights_above_ground(dsm, tmp_path / "h.tif", dtm=dtm)
    assert np.abs(load(out) - town.height).max() < 1e-4
    assert not load(out)[town.height == 0].any()


@pytest.mark.parametrize(
    ("crs", "gsd"), [(32633, 1.0), (32633, 5.0), (32632, 2.0), (3035, 2.0), (4326, 2e-5)]
)
def test_minus_a_terrain_on_another_grid(tmp_path: Path, town: Town, crs: int, gsd: float) -> None:
    across = Transformer.from_crs(32633, crs, always_xy=True)
    edge = 500 * town.gsd
    corners = across.transform(*np.meshgrid([WEST, WEST + edge], [NORTH, NORTH - edge]))
    # Shifted against the surface, and not aligned to anything.
    west, north = corners[0].min() - 3.3 * gsd, corners[1].max() + 3.3 * gsd
    height, width = (int(np.ptp(c) / gsd) + 8 for c in (corners[1], corners[0]))
    x, y = np.meshgrid(
        west + (np.arange(width) + 0.5) * gsd, north - (np.arange(height) + 0.5) * gsd
    )
    values = terrain(*across.transform(x, y, direction="INVERSE")).astype(np.float32)
    dtm = save(
        tmp_path / "dtm.tif", values, gsd, crs=f"EPSG:{crs}",
        transform=from_origin(west, north, gsd, gsd),
    )  # fmt: skip
    dsm = save(tmp_path / "dsm.tif", town.dsm, town.gsd)
    out = heights_above_ground(dsm, tmp_path / "h.tif", dtm=dtm)
    assert np.abs(load(out) - town.height).max() < 0.05


def test_a_coarse_terrain_of_the_same_extent_makes_no_rim(tmp_path: Path, town: Town) -> None:
    dsm = save(tmp_path / "dsm.tif", town.dsm, town.gsd)
    values = terrain(*centres(40, 5.0)).astype(np.float32)
    out = heights_above_ground(dsm, tmp_path / "h.tif", dtm=save(tmp_path / "dtm.tif", values, 5.0))
    assert np.abs(load(out) - town.height).max() < 0.05


def test_whole_metres_are_interpolated_too(tmp_path: Path) -> None:
    dsm = save(tmp_path / "dsm.tif", np.full((1, 40), 90, np.uint16), 1.0, nodata=None)
    # The surface is below the terrain in part: unsigned integers must not overflow.
    values = np.array([[80, 84, 88, 92]], np.uint16)
    dtm = save(tmp_path / "dtm.tif", values, 10.0, nodata=None)
    found = load(heights_above_ground(dsm, tmp_path / "h.tif", dtm=dtm))
    truth = 90 - (80 + 0.4 * (np.arange(40) + 0.5 - 5))
    assert found[0] == pytest.approx(np.maximum(truth, 0), abs=1e-4)


def test_scaled_integers_are_metres(tmp_path: Path) -> None:
    dsm = save(tmp_path / "dsm.tif", np.full((9, 9), 1234, np.int16), 1.0)
    with rasterio.open(dsm, "r+") as file:
        file.scales, file.offsets = (0.1,), (-3.0,)
    dtm = save(tmp_path / "dtm.tif", np.full((9, 9), 100, np.float64), 1.0)
    found = load(heights_above_ground(dsm, tmp_path / "h.tif", dtm=dtm))
    assert found == pytest.approx(np.full((9, 9), 20.4), abs=1e-4)


def test_unknown_terrain_is_unknown_and_below_ground_is_zero(tmp_path: Path) -> None:
    surface = np.full((30, 30), 105, np.float32)
    surface[3, 4], surface[5, 6], surface[7, 8] = np.nan, np.inf, 60
    ground = np.full((30, 30), 100, np.float32)
    ground[20:24, 9] = UNKNOWN
    dsm, dtm = (
        save(tmp_path / f"{name}.tif", values, 1.0)
        for name, values in (("dsm", surface), ("dtm", ground))
    )
    expected = np.full((30, 30), 5, np.float32)
    expected[3, 4] = expected[5, 6] = expected[20:24, 9] = UNKNOWN
    expected[7, 8] = 0
    found = load(heights_above_ground(dsm, tmp_path / "h.tif", dtm=dtm))
    assert np.array_equal(found, expected)


def test_beyond_the_terrain_is_unknown(tmp_path: Path) -> None:
    dsm = save(tmp_path / "dsm.tif", np.full((600, 600), 105, np.float32), 1.0)
    dtm = save(tmp_path / "dtm.tif", np.full((9, 7), 100, np.float32), 50.0, at=(1, 2))
    found = load(heights_above_ground(dsm, tmp_path / "h.tif", dtm=dtm))
    expected = np.full((600, 600), UNKNOWN, np.float32)
    expected[100:550, 50:400] = 5
    assert np.array_equal(found, expected)


def test_a_terrain_in_degrees_across_the_180th_meridian(tmp_path: Path) -> None:
    """Its longitudes go on beyond 180, where PROJ's jump to -180."""
    x, y = Transformer.from_crs("EPSG:4326", "EPSG:3460", always_xy=True).transform(180.0, -17.0)
    transforms = from_origin(x - 1500, y + 1500, 10, 10), from_origin(179.95, -16.95, 1e-3, 1e-3)
    for name, height, n, crs, transform in zip(
        ("dsm", "dtm"), (5.0, 2.0), (300, 100), ("EPSG:3460", "EPSG:4326"), transforms, strict=True
    ):
        with rasterio.open(
            tmp_path / f"{name}.tif", "w", width=n, height=n, count=1, dtype="float32", crs=crs,
            transform=transform,
        ) as file:  # fmt: skip
            file.write(np.full((n, n), height, np.float32), 1)
    heights_above_ground(tmp_path / "dsm.tif", tmp_path / "heights.tif", dtm=tmp_path / "dtm.tif")
    assert np.unique(load(tmp_path / "heights.tif")).tolist() == [3.0]


def test_undeclared_nodata_is_not_interpolated_with_heights(tmp_path: Path) -> None:
    """Files half a pixel apart are resampled; 65535 counts as unknown before that."""
    for name, offset in (("a", 0.0), ("b", 19.5)):
        values = np.full((20, 20), 500, np.uint16)
        values[8:12, 8:12] = 65535
        with rasterio.open(
            tmp_path / f"{name}.tif", "w", width=20, height=20, count=1, dtype="uint16",
            crs="EPSG:32633", transform=from_origin(WEST + offset, NORTH, 1, 1),
        ) as file:  # fmt: skip
            file.write(values, 1)
    with Elevation([tmp_path / "a.tif", tmp_path / "b.tif"], scale=0.01, nodata=65535) as model:
        heights = model.heights((0, model.grid.height), (0, model.grid.width))
    known = heights[np.isfinite(heights)]
    assert np.unique(known).tolist() == [5.0]
    assert known.size < heights.size


def test_a_very_fine_terrain_is_read_in_pieces(
    tmp_path: Path, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = terrain(*centres(500, town.gsd)).astype(np.float32)
    dtm = save(tmp_path / "dtm.tif", values, town.gsd)
    dsm = save(tmp_path / "dsm.tif", town.dsm[::5, ::5], 5 * town.gsd)
    whole = load(heights_above_ground(dsm, tmp_path / "a.tif", dtm=dtm))
    monkeypatch.setattr("tiles.elevation.terrain.MOST_TERRAIN_PIXELS", 1000)
    assert np.array_equal(load(heights_above_ground(dsm, tmp_path / "b.tif", dtm=dtm)), whole)


@given(st.integers(1, 6), st.integers(1, 6), st.data())
def test_bilinear_meets_planes_and_keeps_what_is_unknown(
    height: int, width: int, data: st.DataObject
) -> None:
    numbers = st.floats(-2, 2)
    # Along a single row or column there is no slope to be known.
    down = data.draw(numbers) if height > 1 else 0.0
    along = data.draw(numbers) if width > 1 else 0.0
    row = np.array(data.draw(st.lists(st.floats(-0.5, height - 0.5), min_size=1)))[:, None]
    column = np.array(data.draw(st.lists(st.floats(-0.5, width - 0.5), min_size=1)))[None]
    values = 3 + down * np.arange(height)[:, None] + along * np.arange(width)[None]
    assert bilinear(values, row, column) == pytest.approx(3 + down * row + along * column, abs=1e-9)
    known = np.array(
        data.draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    )
    known = known.reshape(height, width)
    inner_row, inner_column = np.arange(height)[:, None], np.arange(width)[None]
    found = bilinear(np.where(known, values, np.nan), inner_row * 1.0, inner_column * 1.0)
    assert np.array_equal(np.isnan(found), ~known)
    assert found[known] == pytest.approx(values[known], abs=1e-9)


# The ground filter


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_heights_over_filtered_ground(tmp_path: Path, town: Town, noise: float) -> None:
    rough = np.random.default_rng(1).normal(0, 1, town.dsm.shape) * noise
    dsm = save(tmp_path / "dsm.tif", (town.dsm + rough).astype(np.float32), town.gsd)
    errors = load(heights_above_ground(dsm, tmp_path / "h.tif")) - town.height
    # Measured: 0.02 in all, 0.06 on roofs (0.25 at most), 0 on the ground; noise adds itself.
    assert rmse(errors) < 0.1
    assert rmse(errors[town.roof]) < 0.2
    assert np.abs(errors[town.roof] - rough[town.roof]).max() < 0.5
    assert rmse(errors[town.height == 0]) < 0.02


def test_heights_over_filtered_ground_in_a_synthetic_city(tmp_path: Path) -> None:
    scene = make_scene(CITY_B, 3, 512)
    ground = terrain(*centres(512, CITY_B.gsd))
    dsm = save(tmp_path / "dsm.tif", (ground + scene.height).astype(np.float32), CITY_B.gsd)
    errors = load(heights_above_ground(dsm, tmp_path / "h.tif")) - scene.height
    assert rmse(errors) < 0.1
    assert rmse(errors[scene.landcover == 1]) < 0.2
    assert rmse(errors[scene.height == 0]) < 0.02


def test_flat_roofs_over_sloping_ground(tmp_path: Path) -> None:
    east, north = centres(240, 0.5)
    ground = terrain(east, north)
    surface = ground.copy()
    surface[60:120, 80:130] = ground[60:120, 80:130].max() + 8
    dsm = save(tmp_path / "dsm.tif", surface.astype(np.float32), 0.5)
    errors = load(heights_above_ground(dsm, tmp_path / "h.tif")) - (surface - ground)
    # The hill under the house is higher than the plane through its rim: measured 0.38.
    assert np.abs(errors).max() < 0.45


def test_flat_ground_is_exactly_zero(tmp_path: Path) -> None:
    surface = np.full((300, 300), 123.4, np.float32)
    surface[100:150, 40:90] += 10
    surface[280:, 270:] += 5
    dsm = save(tmp_path / "dsm.tif", surface, 0.5)
    found = load(heights_above_ground(dsm, tmp_path / "h.tif"))
    assert not found[surface < 125].any()
    assert np.abs(found[100:150, 40:90] - 10).max() < 1e-4
    assert np.abs(found[280:, 270:] - 5).max() < 1e-4


@pytest.mark.parametrize("gsd", [0.3, 1.3])
def test_the_ground_does_not_depend_on_how_it_was_cut(tmp_path: Path, gsd: float) -> None:
    town = make_town(260, gsd, seed=5)
    surface = town.dsm
    surface[:, 200:210] = UNKNOWN
    surface[30:70, 20:33] = UNKNOWN
    dsm = save(tmp_path / "dsm.tif", surface, gsd)
    found = [
        load(heights_above_ground(dsm, tmp_path / f"{block}.tif", building=16.0, block=block))
        for block in (4096, 64, 37)
    ]
    for other in found[1:]:
        assert np.abs(other - found[0]).max() <= 1e-4


def test_windows_of_ground_and_terrain_are_cut_from_one_piece(tmp_path: Path) -> None:
    place = make_town(120, 0.7, seed=2)
    dsm = save(tmp_path / "dsm.tif", place.dsm, 0.7)
    dtm = save(
        tmp_path / "dtm.tif", place.ground.astype(np.float32), 3.0, crs="EPSG:32632",
        transform=from_origin(798_300, 5_808_300, 9.0, 9.0),
    )  # fmt: skip
    with (
        Elevation(dsm) as surface,
        Elevation(dtm) as other,
        Ground(surface, GroundFilter(building=16.0), tmp_path, block=50) as ground,
    ):
        ground.prepare(lambda: None)
        below = Terrain(other, surface)
        whole = [*ground.at((0, 120), (0, 120)), below.heights((0, 120), (0, 120))]
        assert not np.isnan(whole).any()
        for rows, columns in (((37, 38), (0, 120)), ((70, 120), (11, 64))):
            part = [*ground.at(rows, columns), below.heights(rows, columns)]
            for one, all_ in zip(part, whole, strict=True):
                assert np.abs(one - all_[slice(*rows), slice(*columns)]).max() < 1e-6


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([0.3, 0.5, 1.0, 2.0]), st.data())
def test_unknown_stays_unknown_and_nothing_else_becomes_so(
    tmp_path_factory: pytest.TempPathFactory,
    height: int,
    width: int,
    gsd: float,
    data: st.DataObject,
) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    share = data.draw(st.sampled_from([0.0, 0.1, 0.6, 0.98]))
    surface = rng.choice([100, 100, 100, 100, 111, 60], (height, width)).astype(np.float32)
    unknown = rng.random((height, width)) < share
    unknown.flat[rng.integers(unknown.size)] = False
    surface[unknown] = rng.choice([UNKNOWN, np.nan], int(unknown.sum()))
    folder = tmp_path_factory.mktemp("unknown")
    dsm = save(folder / "dsm.tif", surface, gsd)
    found = load(heights_above_ground(dsm, folder / "h.tif", building=12.0, block=16))
    assert np.array_equal(found == UNKNOWN, unknown)
    assert (found[~unknown] >= 0).all()
    assert np.isfinite(found).all()


def test_masks_and_alpha_are_unknown(tmp_path: Path) -> None:
    surface = np.full((40, 40), 100, np.float32)
    mask = np.full((40, 40), 255, np.uint8)
    mask[5:9, 30:] = 0
    masked = save(tmp_path / "mask.tif", surface, 1.0, mask=mask, nodata=None)
    both = np.stack([surface, mask.astype(np.float32)])
    alpha = save(tmp_path / "alpha.tif", both, 1.0, nodata=None)
    with rasterio.open(alpha, "r+") as file:
        file.colorinterp = (ColorInterp.gray, ColorInterp.alpha)
    for dsm in (masked, alpha):
        found = load(heights_above_ground(dsm, tmp_path / "h.tif"))
        assert np.array_equal(found == UNKNOWN, mask == 0)


def test_feet_are_converted_along_the_ground(tmp_path: Path) -> None:
    surface = np.full((300, 300), 100, np.float32)
    surface[100:160, 100:160] += 9  # 18.3 m wide
    dsm = save(tmp_path / "dsm.tif", surface, 1.0, crs="EPSG:2263")
    assert load(heights_above_ground(dsm, tmp_path / "h.tif", building=20.0))[130, 130] == 9
    assert load(heights_above_ground(dsm, tmp_path / "h.tif", building=14.0))[130, 130] == 0


def test_outliers_are_lone_pits_and_not_lanes() -> None:
    low = np.full((20, 20), 50.0)
    low[3, 4] = low[10:12, 10:12] = 20.0
    low[:, 16] = 30.0
    expected = np.zeros((20, 20), bool)
    expected[3, 4] = expected[10:12, 10:12] = True
    assert np.array_equal(outliers(low, 1.0), expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(0, 5), st.integers(0, 99))
def test_no_object_depends_on_what_is_farther_than_two_windows(
    radius: int, extra: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    low = np.cumsum(rng.normal(0, 0.3, (50, 60)), axis=1)
    low[rng.random(low.shape) < 0.1] = np.nan
    whole = objects(low, radius, 1.0, 0.15)
    # The middle cut out, with its margin.
    margin = 2 * radius + extra
    rows, columns = slice(max(20 - margin, 0), 30 + margin), slice(max(25 - margin, 0), 33 + margin)
    part = objects(low[rows, columns], radius, 1.0, 0.15)
    inner = slice(20 - rows.start, 30 - rows.start), slice(25 - columns.start, 33 - columns.start)
    for one, other in zip(whole, part, strict=True):
        assert np.array_equal(one[20:30, 25:33], other[inner], equal_nan=True)


@given(st.floats(-1, 1), st.floats(-1, 1), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_gaps_in_a_plane_are_filled_with_the_plane(down: float, along: float, seed: int) -> None:
    y, x = np.mgrid[:40, :50]
    plane = 7 + down * y + along * x
    gaps = np.random.default_rng(seed).random(plane.shape) < 0.5
    gaps[10:20, 15:28] = True
    found = fill(np.where(gaps, np.nan, plane), np.zeros(plane.shape), 40)
    assert np.abs(found - plane).max() < 0.02
    assert np.array_equal(found[~gaps], plane[~gaps])


# The file


def test_the_file_says_what_it_is_and_where_it_comes_from(tmp_path: Path, town: Town) -> None:
    calls: list[tuple[int, int]] = []
    dsm = save(tmp_path / "dsm.tif", town.dsm, town.gsd)
    out = heights_above_ground(
        dsm, tmp_path / "h.tif", slope=0.2, block=100, progress=lambda *call: calls.append(call)
    )
    total = calls[-1][1]
    assert calls == [(done, total) for done in range(1, total + 1)]
    assert cog_validate(out, strict=True, quiet=True)[0]
    assert out.with_suffix(".qml").exists()
    with rasterio.open(out) as file:
        tags = file.tags()
        assert (file.dtypes, file.nodata) == (("float32",), UNKNOWN)
        assert (file.descriptions, file.units) == (("height above ground",), ("m",))
    assert tags["ELEVATION_DSM"] == "dsm.tif"
    assert "Pingel" in tags["ELEVATION_METHOD"]
    assert (tags["ELEVATION_SLOPE"], tags["ELEVATION_BUILDING"]) == ("0.2", "40")
    dtm = save(tmp_path / "dtm.tif", town.ground.astype(np.float32), town.gsd)
    with rasterio.open(heights_above_ground(dsm, out, dtm=dtm)) as file:
        tags = file.tags()
    assert (tags["ELEVATION_DTM"], "ELEVATION_SLOPE" in tags) == ("dtm.tif", False)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "dsm.tif",
        "dtm.tif",
        "h.qml",
        "h.sld",
        "h.tif",
    ]


FLAT = np.full((60, 60), 100, np.float32)
DEGREES = from_origin(13.0, 52.0, 1e-5, 1e-5)


def broken(path: Path) -> Path:
    values = np.random.default_rng(0).random((300, 300)).astype(np.float32)
    save(path, values, 1.0, compress="deflate")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def in_feet(path: Path) -> Path:
    with rasterio.open(save(path, FLAT, 1.0), "r+") as file:
        file.units = ("ft",)
    return path


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(
    ("make", "options", "says"),
    [
        (lambda p: p.with_name("missing.tif"), {}, "does not exist"),
        (lambda p: p.parent, {}, "is a folder"),
        (broken, {}, "cannot be read"),
        (lambda p: save(p, FLAT, 1.0, crs=None), {}, "no coordinate reference system"),
        (lambda p: save(p, np.stack([FLAT, FLAT]), 1.0), {}, "has 2 bands"),
        (lambda p: save(p, FLAT, 1.0, nodata=100), {}, "no known pixel"),
        (lambda p: save(p, FLAT - 32868, 1.0), {}, "-32768 m"),
        (in_feet, {}, "in 'ft'"),
        (lambda p: save(p, FLAT, 1.0, crs="EPSG:2263+6360"), {}, "in 'US survey foot'"),
        (lambda p: save(p, FLAT, 15.0), {}, "cannot show buildings"),
        (lambda p: save(p, FLAT, 1e-5, crs="EPSG:4326"), {}, "has coordinates outside the domain"),
        (lambda p: save(p, FLAT, 1, crs="EPSG:4326", transform=DEGREES), {}, "elongated"),
        (lambda p: save(p, FLAT, 1.0), {"building": 400.0}, "cells of 3.1 m"),
        (lambda p: save(p, FLAT, 1.0), {"building": 0.0}, "building"),
        (lambda p: save(p, FLAT, 1.0), {"slope": float("nan")}, "slope"),
        (lambda p: save(p, FLAT, 1.0), {"threshold": -1.0}, "threshold"),
        (lambda p: save(p, FLAT, 1.0), {"block": 0}, "block"),
        (lambda p: save(p, FLAT, 1.0), {"out": "missing/h.tif"}, "does not exist"),
        (lambda p: save(p, FLAT, 1.0), {"out": "."}, "is a folder"),
        (lambda p: save(p, FLAT, 1.0), {"out": "dsm.tif"}, "is an input of the map"),
        (lambda p: save(p, FLAT, 1.0), {"dtm": None}, "does not exist"),
        (lambda p: save(p, FLAT, 1.0), {"dtm": {"at": (60, 0)}}, "does not overlap"),
        (lambda p: save(p, FLAT, 1.0), {"dtm": {"crs": "EPSG:32733"}}, "does not overlap"),
        (lambda p: save(p, FLAT, 1.0), {"dtm": {"nodata": 100}}, "in common"),
        (lambda p: save(p, FLAT - 47, 1.0), {"dtm": {}}, "height reference"),
        (
            lambda p: save(p, FLAT, 1.0, crs="EPSG:25833+7837"),
            {"dtm": {"crs": "EPSG:25833+5773"}},
            "refer to",
        ),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_leaves_no_file(
    tmp_path: Path, make: Callable[[Path], Path], options: dict[str, Any], says: str
) -> None:
    dsm = make(tmp_path / "dsm.tif")
    options = dict(options)
    if "dtm" in options:
        profile = options["dtm"]
        options["dtm"] = tmp_path / "dtm.tif"
        if profile is not None:
            save(options["dtm"], FLAT, 1.0, **profile)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=says) as caught:
        heights_above_ground(dsm, tmp_path / options.pop("out", "h.tif"), **options)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


def test_a_terrain_far_below_is_warned_of(tmp_path: Path) -> None:
    """As heights above the geoid are below those above the ellipsoid; 1 % of the pixels are low."""
    save(tmp_path / "dtm.tif", FLAT, 1.0)
    raised = FLAT + 45
    raised.flat[: FLAT.size // 100] -= 45
    dsm = save(tmp_path / "dsm.tif", raised, 1.0)
    with pytest.warns(UserWarning, match=r"dtm\.tif: lies 5 m or more below .* in 99%"):
        heights_above_ground(dsm, tmp_path / "h.tif", dtm=tmp_path / "dtm.tif")
    assert load(tmp_path / "h.tif").max() == 45


def test_a_full_disk_is_one_line_and_leaves_no_file(tmp_path: Path) -> None:
    dsm = save(tmp_path / "dsm.tif", FLAT, 1.0)
    resource = pytest.importorskip("resource", reason="no limits of file sizes on Windows")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(InputError, match="enough free space"):
            heights_above_ground(dsm, tmp_path / "h.tif")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == [dsm]


@pytest.mark.parametrize("moment", [1, 3, 5])
def test_an_interruption_leaves_no_file(tmp_path: Path, moment: int) -> None:
    def stop(done: int, total: int) -> None:
        assert total == 5
        if done == moment:
            raise KeyboardInterrupt

    dsm = save(tmp_path / "dsm.tif", FLAT, 1.0)
    with pytest.raises(KeyboardInterrupt):
        heights_above_ground(dsm, tmp_path / "h.tif", progress=stop)
    assert list(tmp_path.iterdir()) == [dsm]


def test_pixels_of_the_grid_may_be_in_any_direction(tmp_path: Path) -> None:
    surface = FLAT.copy()
    surface[10:30, 5:20] += 7
    upside = from_origin(WEST, NORTH, 1.0, 1.0) @ rasterio.Affine(1, 0, 0, 0, -1, 0)
    dsm = save(tmp_path / "dsm.tif", surface, 1.0, transform=upside)
    dtm = save(tmp_path / "dtm.tif", FLAT, 1.0, at=(0, -60))
    with rasterio.open(dsm) as file:
        assert PixelGrid(file.crs, file.transform, 60, 60).gsd == 1
    for given_dtm in (None, dtm):
        found = load(heights_above_ground(dsm, tmp_path / "h.tif", dtm=given_dtm))
        assert np.array_equal(found, surface - FLAT)
