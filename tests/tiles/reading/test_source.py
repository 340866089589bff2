from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import rasterio.vrt
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio.enums import ColorInterp, Resampling
from rasterio.warp import reproject

from tests.rasters import GSD, NORTH, WEST, noise, write
from tiles.errors import InputError
from tiles.mosaic.tile_sample import sample_tiles
from tiles.reading.band_names import find_bands
from tiles.reading.open_files import MAX_OPEN_FILES, OpenFiles
from tiles.reading.source import Source

few = settings(max_examples=25, deadline=None)


@contextmanager
def folder() -> Iterator[Path]:
    """For tests that hypothesis repeats."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


def whole(source: Source) -> tuple[np.ndarray, np.ndarray]:
    return source.read((0, source.grid.height), (0, source.grid.width))


def pieces(path: Path, values: np.ndarray, windows: list[tuple[int, int, int, int]]) -> list[Path]:
    """Files of the windows (top, bottom, left, right) of an array."""
    return [
        write(path / f"{i}.tif", values[:, top:bottom, left:right], at=(left, top))
        for i, (top, bottom, left, right) in enumerate(windows)
    ]


def ground(source: Source) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (x, y) of the pixels' centres."""
    grid = source.grid
    row, column = np.mgrid[: grid.height, : grid.width] + 0.5
    t = grid.transform
    return t.c + column * t.a, t.f + row * t.e


def smooth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values of places in EPSG:32633."""
    return 100 + 50 * np.sin((x - WEST) / 3) + 40 * np.cos((y - NORTH) / 4)


def smooth_file(path: Path, at: tuple[float, float], gsd: float, size: int, **kwargs: Any) -> Path:
    row, column = np.mgrid[:size, :size] + 0.5
    values = smooth(WEST + (at[0] + column) * gsd, NORTH - (at[1] + row) * gsd)
    return write(path, values.astype(np.float32), at=at, gsd=gsd, **kwargs)


def in_crs(path: Path, source: Path, crs: str) -> Path:
    """A copy of a file in another CRS, made by GDAL."""
    with (
        rasterio.open(source) as file,
        rasterio.vrt.WarpedVRT(
            file, crs=crs, resampling=Resampling.cubic, nodata=np.nan, tolerance=0.01
        ) as vrt,
    ):
        profile = {"crs": vrt.crs, "transform": vrt.transform, "nodata": np.nan}
        return write(path, vrt.read(), **profile)


@few
@given(st.data())
def test_pieces_are_the_array_in_any_window(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(4, 60)), data.draw(st.integers(4, 60))
    values = noise(2, height, width)
    middle, centre = data.draw(st.integers(1, height - 1)), data.draw(st.integers(1, width - 1))
    more = data.draw(st.integers(0, 9))
    windows = [
        (max(0, top - more), bottom, max(0, left - more), right)
        for top, bottom in ((0, middle), (middle, height))
        for left, right in ((0, centre), (centre, width))
    ]
    order = data.draw(st.permutations(range(4)))
    with folder() as path:
        names = pieces(path, values, windows)
        with Source([names[i] for i in order]) as source:
            assert (source.grid.height, source.grid.width) == (height, width)
            assert source.grid.transform.c == pytest.approx(WEST, abs=1e-6)
            for _ in range(4):
                top, left = (data.draw(st.integers(0, size - 1)) for size in (height, width))
                bottom = data.draw(st.integers(top + 1, height))
                right = data.draw(st.integers(left + 1, width))
                found, known = source.read((top, bottom), (left, right))
                assert known.all()
                assert np.array_equal(found, values[:, top:bottom, left:right])


def test_one_raster_is_read_as_it_is(tmp_path: Path) -> None:
    values = noise(3, 30, 40)
    image = write(tmp_path / "a.tif", values)
    for rasters, crs in ((image, None), ([str(image)], "EPSG:32633")):
        with Source(rasters, (3, 1), crs) as source, rasterio.open(image) as file:
            assert (source.name, source.bands, source.dtype) == (str(image), (3, 1), np.uint8)
            assert (source.grid.crs, source.grid.transform) == (file.crs, file.transform)
            assert [Path(entry[0]) for entry in source.file_stats()] == [image, image]
            assert np.array_equal(source.read((5, 9), (7, 40))[0], values[[2, 0], 5:9, 7:40])


def test_the_first_that_knows_a_pixel_has_its_say(tmp_path: Path) -> None:
    one, two = np.full((1, 20, 20), 10, np.uint8), np.full((1, 20, 20), 20, np.uint8)
    one[0, 5:8, 5:15] = 0
    two[0, 6, 3:12] = 0
    names = [
        write(tmp_path / "one.tif", one, nodata=0),
        write(tmp_path / "two.tif", two, at=(4, 0), nodata=0),
    ]
    expected = np.zeros((20, 24), np.uint8)
    expected[:, 4:] = two[0]
    expected[:, :20] = np.where(one[0] > 0, one[0], expected[:, :20])
    with Source(names) as source:
        values, known = whole(source)
        assert source.name == f"{names[0]} and 1 more"
        assert np.array_equal(known, expected > 0)
        assert np.array_equal(values[0][known], expected[known])
        assert len({entry[0] for entry in source.file_stats()}) == 2
    with Source(names[::-1]) as source:
        values, known = whole(source)
    assert values[0, 0, 10] == 20
    assert np.array_equal(known, expected > 0)


@pytest.mark.parametrize("how", ["nodata", "mask", "alpha", "nan"])
@pytest.mark.parametrize("crs", [None, "EPSG:25832"])
def test_unknown_pixels_do_not_colour_their_neighbours(
    tmp_path: Path, how: str, crs: str | None
) -> None:
    hole = np.zeros((80, 80), bool)
    hole[30:50, 20:60] = True
    values = np.full((2, 80, 80), 200, np.float32 if how == "nan" else np.uint8)
    values[:, hole] = np.nan if how == "nan" else 0
    values[0, 10] = 0  # dark in one band only
    settings: dict[str, Any] = {"nodata": {"nodata": 0}, "mask": {"mask": ~hole}}.get(how, {})
    if how == "alpha":
        values = np.concatenate([values, np.where(hole, 0, 255)[None]]).astype(np.uint8)
        settings = {"photometric": "minisblack"}
    first = write(tmp_path / "first.tif", np.ones((2, 8, 8), values.dtype), at=(-20, 0))
    image = write(tmp_path / "image.tif", values, at=(0.3, 0.4), **settings)
    if how == "alpha":
        with rasterio.open(image, "r+") as file:
            file.colorinterp = [*file.colorinterp[:2], ColorInterp.alpha]
    with Source([first, image], crs=crs) as source:
        assert source.dtype == values.dtype
        found, known = whole(source)
    assert set(np.unique(found[1][known].round(3))) == {1, 200}
    inside = binary(tmp_path, ~hole, source)
    assert (known == inside).mean() > 0.99


def binary(path: Path, known: np.ndarray, source: Source) -> np.ndarray:
    """Where GDAL finds a mask's pixels on the grid of a source, and those of the first file."""
    image = write(path / "mask.tif", known.astype(np.uint8), at=(0.3, 0.4))
    made = np.zeros((source.grid.height, source.grid.width), np.uint8)
    target = {"dst_transform": source.grid.transform, "dst_crs": source.grid.crs}
    with rasterio.open(image) as file:
        reproject(rasterio.band(file, 1), made, **target, tolerance=0.001)
    with rasterio.open(path / "first.tif") as file:
        more = np.zeros_like(made)
        ones = np.ones(file.shape, np.uint8)
        where = {"src_transform": file.transform, "src_crs": file.crs}
        reproject(ones, more, **where, **target, tolerance=0.001)
    return (made | more) > 0


def test_a_file_in_another_crs_agrees_with_gdal(tmp_path: Path) -> None:
    image = write(tmp_path / "a.tif", noise(3, 300, 260))
    with Source(image, crs="EPSG:25832") as source, rasterio.open(image) as file:
        values, known = whole(source)
        assert source.grid.crs.to_epsg() == 25832
        assert source.grid.gsd == pytest.approx(GSD, rel=0.01)
        expected = np.zeros_like(values)
        reproject(
            file.read(), expected, src_transform=file.transform, src_crs=file.crs,
            dst_transform=source.grid.transform, dst_crs=source.grid.crs,
            resampling=Resampling.bilinear, tolerance=0.001,
        )  # fmt: skip
    ring = np.pad(known, 1)
    inner = known & ring[2:, 1:-1] & ring[:-2, 1:-1] & ring[1:-1, 2:] & ring[1:-1, :-2]
    assert np.abs(values.astype(int) - expected)[:, inner].max() <= 1
    assert not expected[:, ~known].any()
    assert known.mean() > 0.8


@pytest.mark.parametrize("crs", [None, "EPSG:25832", "EPSG:4326"])
def test_a_smooth_field_is_reproduced_from_any_mixture(tmp_path: Path, crs: str | None) -> None:
    # The same grid, shifted by parts of a pixel, other pixels, and another CRS; no gaps.
    names = [
        smooth_file(tmp_path / "a.tif", (0, 0), 0.15, 120),
        smooth_file(tmp_path / "b.tif", (110.4, 3.7), 0.15, 120),
        smooth_file(tmp_path / "c.tif", (3, 155), 0.1, 160),
        smooth_file(tmp_path / "d.tif", (60, 50), 0.25, 60),
    ]
    names.append(in_crs(tmp_path / "e.tif", names.pop(1), "EPSG:25832"))
    with Source(names, crs=crs) as source:
        values, known = whole(source)
        back = Transformer.from_crs(source.grid.crs.to_wkt(), "EPSG:32633", always_xy=True)
        x, y = back.transform(*ground(source))
    assert known.mean() > 0.75
    assert np.abs(values[0] - smooth(x, y))[known].max() < 2.5  # half a pixel at the edges
    assert np.abs(values[0] - smooth(x, y))[known].mean() < 0.1


def test_averages_where_the_common_grid_is_coarser(tmp_path: Path) -> None:
    first = write(tmp_path / "a.tif", np.zeros((1, 4, 4), np.uint8), gsd=1.0)
    fine = noise(1, 400, 400)
    second = write(tmp_path / "b.tif", fine, at=(40, 0), gsd=0.1)
    with Source([first, second]) as source:
        values, known = source.read((0, 40), (4, 44))
    assert known.all()
    means = fine[0].reshape(40, 10, 40, 10).mean(axis=(1, 3))
    assert np.abs(values[0] - means).max() <= 0.5


def test_files_of_another_grid_meet_without_a_seam(tmp_path: Path) -> None:
    values = noise(1, 100, 200)
    halves = pieces(tmp_path, values, [(0, 100, 0, 90), (0, 100, 90, 200)])
    first = write(tmp_path / "first.tif", noise(1, 4, 4), at=(-9.4, 0.3))
    with (
        Source([first, write(tmp_path / "whole.tif", values)], crs="EPSG:25832") as one,
        Source([first, *halves], crs="EPSG:25832") as two,
    ):
        assert one.grid == two.grid
        assert all(np.array_equal(a, b) for a, b in zip(whole(one), whole(two), strict=True))


@few
@given(st.data())
def test_a_warped_pixel_is_the_same_in_any_window(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["uint8", "uint16", "float32", "float64"]))
    gsd = data.draw(st.sampled_from([0.08, 0.15, 0.4]))
    crs = data.draw(st.sampled_from([None, "EPSG:25832", "EPSG:4326"]))
    values = noise(2, 150, 90).astype(kind)
    values[:, 40:60, 30:35] = 0
    with folder() as path:
        names = [
            write(path / "a.tif", noise(2, 40, 50, seed=1).astype(kind)),
            write(path / "b.tif", values, at=(7.3, 11.8), gsd=gsd, nodata=0),
        ]
        with Source(names, crs=crs) as source:
            grid = source.grid
            expected, certain = whole(source)
            for _ in range(5):
                top = data.draw(st.integers(0, grid.height - 1))
                left = data.draw(st.integers(0, grid.width - 1))
                bottom = data.draw(st.integers(top + 1, grid.height))
                right = data.draw(st.integers(left + 1, grid.width))
                found, known = source.read((top, bottom), (left, right))
                part = np.s_[top:bottom, left:right]
                assert np.array_equal(known, certain[part])
                assert np.array_equal(found[:, known], expected[:, *part][:, known])


def test_large_windows_are_the_same_too(tmp_path: Path) -> None:
    image = write(tmp_path / "a.tif", noise(1, 900, 1300))
    with Source(image, crs="EPSG:25832") as source:
        expected, certain = whole(source)
        for rows, columns in (
            ((1, 700), (3, 1250)),
            ((511, 514), (0, 1100)),
            ((0, 900), (600, 601)),
        ):
            found, known = source.read(rows, columns)
            assert np.array_equal(found, expected[:, slice(*rows), slice(*columns)])
            assert np.array_equal(known, certain[slice(*rows), slice(*columns)])


def test_many_files_few_of_them_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = noise(1, 100, 200)
    windows = [(y, y + 10, x, x + 10) for y in range(0, 100, 10) for x in range(0, 200, 10)]
    names = pieces(tmp_path, values, windows)
    taken: set[str] = set()
    take = OpenFiles.get
    monkeypatch.setattr(OpenFiles, "get", lambda self, p: taken.add(p.name) or take(self, p))
    with Source(names) as source:
        assert source.name == f"{names[0]} and 199 more"
        assert np.array_equal(source.read((5, 25), (31, 39))[0], values[:, 5:25, 31:39])
        assert taken == {str(names[i]) for i in (3, 23, 43)}
        assert np.array_equal(whole(source)[0], values)
        assert len(source._files._open) == MAX_OPEN_FILES
    assert not source._files._open


RGB = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]


@pytest.mark.parametrize(("dtype", "known"), [("float32", False), ("uint8", True)])
def test_one_band_of_nodata_hides_floats_alone(tmp_path: Path, dtype: str, known: bool) -> None:
    """Also where the band that GDAL takes for alpha is read as a colour."""
    values = np.full((4, 2, 2), 9, dtype)
    values[1, 0, 0] = 0
    path = write(tmp_path / "a.tif", values, nodata=0, photometric="rgb")
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [*RGB, ColorInterp.alpha]
    with Source(path, [1, 2, 3, 4]) as source:
        assert whole(source)[1][0, 0] == known


def test_a_replaced_file_is_never_read(tmp_path: Path) -> None:
    names = pieces(tmp_path, noise(1, 10, 20), [(0, 10, 0, 10), (0, 10, 10, 20)])
    with Source(names) as source:
        write(names[1], noise(1, 5, 5).astype(np.float32))
        for _ in range(2):
            with pytest.raises(InputError, match="it was replaced"):
                whole(source)


def named(path: Path, descriptions: list[str], colours: list[ColorInterp] | None = None) -> Path:
    """Bands of 10, 20, 30, ... that are called something."""
    count = len(descriptions)
    values = np.broadcast_to(
        10 * np.arange(1, count + 1, dtype=np.uint8)[:, None, None], (count, 8, 8)
    )
    write(path, values, photometric="minisblack")
    with rasterio.open(path, "r+") as file:
        file.descriptions = descriptions
        if colours:
            file.colorinterp = colours
    return path


@pytest.mark.parametrize(
    ("descriptions", "colours", "wanted", "expected"),
    [
        (["Red", "green", "BLUE", "Near Infrared"], None, ("nir", "R", "Green"), [4, 1, 2]),
        (["", "", "", ""], [*RGB, ColorInterp.undefined], ("blue", "red"), [3, 1]),
        (["", "", "", "NIR"], [*RGB, ColorInterp.alpha], ("IR", "red", "green"), [4, 1, 2]),
        (["", "", "", ""], [*RGB, ColorInterp.undefined], ("nir", "red"), None),
        # Infrared, red and green, saved as an ordinary picture.
        (["nir", "red", "green"], RGB, ("green", "near-infrared"), [3, 1]),
        (["nir", "red", "green"], RGB, ("blue",), None),
        (["red", "red", "blue"], None, ("red", "blue"), None),
        (["B08", "B04", "red edge"], None, ("b04", "RedEdge"), [2, 3]),
    ],
)
def test_bands_by_name(
    tmp_path: Path,
    descriptions: list[str],
    colours: list[ColorInterp] | None,
    wanted: tuple[str, ...],
    expected: list[int] | None,
) -> None:
    image = named(tmp_path / "a.tif", descriptions, colours)
    with rasterio.open(image) as file:
        assert find_bands(file, wanted) == expected
    if expected is None:
        with pytest.raises(
            InputError, match=r"(has no band|has several bands) named .*; (give|choose)"
        ):
            Source(image, wanted)
        return
    with Source(image, wanted) as source:
        assert source.bands == tuple(expected)
        assert whole(source)[0][:, 0, 0].tolist() == [10 * band for band in expected]


def test_each_file_is_asked_for_the_names(tmp_path: Path) -> None:
    one = named(tmp_path / "one.tif", ["red", "green", "nir"])
    two = named(tmp_path / "two.tif", ["nir", "green", "red", "blue"])
    with rasterio.open(two, "r+") as file:
        file.transform = rasterio.Affine(GSD, 0, WEST + 8 * GSD, 0, -GSD, NORTH)
    with Source([one, two], ("nir", 2)) as source:
        values = whole(source)[0]
    assert source.bands == (3, 2)
    assert values[:, 0, 0].tolist() == [30, 20]
    assert values[:, 0, 8].tolist() == [10, 20]


def test_infrared_that_gdal_takes_for_alpha_is_a_colour(tmp_path: Path) -> None:
    values = noise(4, 60, 60)
    values[3, 20:30] = 0
    image = write(tmp_path / "a.tif", values, photometric="rgb", alpha="yes")
    with Source(image, (4, 1, 2), crs="EPSG:25832") as source, Source(image, (4, 1)) as plain:
        assert whole(plain)[1].all()
        found, known = whole(source)
    gap = known[found.shape[1] // 2]
    assert np.flatnonzero(np.diff(gap.astype(int))).size <= 2  # no hole inside
    assert known.mean() > 0.8


def test_urls_archives_and_virtual_rasters(tmp_path: Path, served: str) -> None:
    values = noise(1, 40, 50)
    image = write(tmp_path / "in" / "a.tif", values, driver="COG")
    archive = shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path / "in")
    other = write(tmp_path / "b.tif", values, at=(50, 0))
    for name in (
        f"{served}/a.tif",
        f"/vsicurl/{served}/a.tif",
        f"zip://{archive}!a.tif",
        f"/vsizip/{archive}/a.tif",
    ):
        with Source([name, other]) as source:
            assert np.array_equal(whole(source)[0], np.concatenate([values, values], axis=2))
    with pytest.raises(InputError, match=r"missing.tif: cannot be read as a raster"):
        Source([image, f"{served}/missing.tif"])
    virtual = tmp_path / "a.vrt"
    with rasterio.open(image) as file, rasterio.vrt.WarpedVRT(file) as vrt:
        rasterio.shutil.copy(vrt, virtual, driver="VRT")
    with Source([virtual, other]) as source:
        assert np.array_equal(whole(source)[0][:, :, :50], values)


def test_a_survey_of_several_files(tmp_path: Path) -> None:
    values = noise(3, 32, 64)
    names = pieces(tmp_path, values, [(0, 32, 0, 32), (0, 32, 32, 64)])
    batches = sample_tiles(names, tile=16, count=99, bands=(2,))
    assert sum(len(batch) for batch in batches) == 8
    found = {tile.numpy().astype(np.uint8).tobytes() for batch in batches for tile in batch}
    corners = [(y, x) for y in (0, 16) for x in (0, 16, 32, 48)]
    assert found == {values[1, y : y + 16, x : x + 16].tobytes() for y, x in corners}
    assert sample_tiles(names[0], tile=16, count=99, crs="EPSG:25832")


def good(path: Path, name: str = "good.tif", **profile: Any) -> Path:
    return write(path / name, profile.pop("values", noise(3, 20, 20)), **profile)


ROTATED = rasterio.Affine(0.15, 0.01, WEST, 0.01, -0.15, NORTH)
LOCAL = 'LOCAL_CS["a wall",UNIT["metre",1]]'


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(
    ("make", "options", "says"),
    [
        (lambda p: [], {}, "rasters: must name at least one file"),
        (lambda p: [good(p), p / "bad.tif"], {}, "bad.tif: does not exist"),
        (lambda p: [good(p), p], {}, "is a folder"),
        (lambda p: [good(p), good(p, "bad.tif", crs=None)], {}, "bad.tif: .*coordinate reference"),
        (
            lambda p: [good(p), good(p, "bad.tif", values=noise(2, 9, 9))],
            {},
            "bad.tif: has 2 bands, but .*good.tif 3",
        ),
        (
            lambda p: [good(p), good(p, "bad.tif", values=noise(2, 9, 9))],
            {"bands": (1, 3)},
            "bad.tif: has 2 bands, but band 3 is requested",
        ),
        (
            lambda p: [named(p / "a.tif", ["nir"]), named(p / "bad.tif", ["thermal"])],
            {"bands": ("nir",)},
            "bad.tif: has no band named nir; its bands are 1 thermal",
        ),
        (
            lambda p: [good(p), good(p, "bad.tif", values=noise(3, 9, 9).astype(np.uint16))],
            {},
            "bad.tif: has values of uint16, but .*good.tif of uint8",
        ),
        (lambda p: [good(p), good(p, "bad.tif", transform=ROTATED)], {}, "bad.tif: .*rotated"),
        (
            lambda p: [good(p), good(p, "bad.tif", values=np.ones((3, 9, 9), np.complex64))],
            {},
            "bad.tif: has complex",
        ),
        (
            lambda p: [good(p), good(p, "2.tif"), good(p, "bad.tif", at=(4e6, 0))],
            {},
            "bad.tif: lies 600 km from .*good.tif",
        ),
        (
            lambda p: [good(p, "bad.tif", at=(4e6, 0)), good(p), good(p, "2.tif")],
            {},
            "bad.tif: lies 600 km from .*good.tif",
        ),
        (lambda p: good(p), {"crs": "EPSG:99999"}, "crs EPSG:99999: is not a coordinate"),
        (lambda p: good(p), {"crs": "UTM somewhere"}, "crs UTM somewhere: is not a coordinate"),
        (lambda p: good(p), {"crs": ""}, "crs : is not a coordinate"),
        (lambda p: good(p), {"crs": "EPSG:4978"}, "is neither projected nor geographic"),
        (lambda p: good(p, crs=LOCAL), {"crs": "EPSG:25832"}, "good.tif: cannot be transformed"),
        (lambda p: [good(p), good(p, "bad.tif", crs=LOCAL)], {}, "bad.tif: cannot be transformed"),
        (
            lambda p: good(p, crs="EPSG:4326", transform=rasterio.Affine(1, 0, 0, 0, -1, 500)),
            {"crs": "EPSG:25832"},
            "good.tif: extends beyond the area in which .*32N.* is defined",
        ),
    ],
)
def test_faults_are_one_line(
    tmp_path: Path, make: Callable[[Path], Any], options: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError) as caught:
        Source(make(tmp_path), **options)
    assert "\n" not in str(caught.value)
    assert re.search(says, str(caught.value)), str(caught.value)


@pytest.mark.parametrize("how", ["vanished", "broken", "replaced"])
def test_a_file_that_changes_while_it_is_read(tmp_path: Path, how: str) -> None:
    values = noise(1, 200, 200)
    names = [
        write(tmp_path / f"{i}.tif", values, at=(200 * i, 0), compress="deflate") for i in (0, 1)
    ]
    with Source(names) as source:
        if how == "vanished":
            names[1].unlink()
        elif how == "broken":
            names[1].write_bytes(names[1].read_bytes()[:20_000])
        else:
            write(names[1], values[:, :100])
        source.read((0, 200), (0, 200))
        with pytest.raises(InputError, match=r"1\.tif: cannot be read") as caught:
            source.read((0, 200), (100, 400))
    assert "\n" not in str(caught.value)
