"""Holes of terrain models: which are filled, and with what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rasters import write
from tiles.elevation import FilledElevation, heights_above_ground
from tiles.elevation.model import Elevation
from tiles.errors import InputError, InvalidValueError

SIZE = 40
NODATA = -9999.0


def plane() -> np.ndarray:
    """Ground that rises by 0.1 m per pixel eastward and 0.05 m southward."""
    y, x = np.mgrid[:SIZE, :SIZE]
    return (50 + 0.1 * x + 0.05 * y).astype(np.float32)


def filled(folder: Path, heights: np.ndarray, width: float) -> np.ndarray:
    path = write(folder / "dtm.tif", heights, gsd=1.0, nodata=NODATA)
    with Elevation(path) as model:
        return FilledElevation(model, width).heights((0, SIZE), (0, SIZE))


def test_a_building_is_filled_and_a_lake_is_not(tmp_path: Path) -> None:
    heights = plane()
    house, row, lake = np.s_[4:14, 4:12], np.s_[2:4, 20:38], np.s_[16:38, 16:38]
    for hole in (house, row, lake):
        heights[hole] = NODATA
    made = filled(tmp_path, heights, 10)
    assert np.isnan(made[lake]).all()
    for hole in (house, row):
        np.testing.assert_allclose(made[hole], plane()[hole], atol=0.5)
        assert not np.isnan(made[hole]).any()
    known = heights != NODATA
    np.testing.assert_array_equal(made[known], plane()[known])
    assert np.isnan(filled(tmp_path, heights, 0)[~known]).all()


def test_level_ground_is_filled_exactly(tmp_path: Path) -> None:
    heights = np.full((SIZE, SIZE), 7.25, np.float32)
    heights[10:15, 10:30] = NODATA
    np.testing.assert_array_equal(filled(tmp_path, heights, 5), 7.25)


def test_what_lies_beyond_the_edge_stays_unknown(tmp_path: Path) -> None:
    """No ground is known on the other side of a hole at the edge."""
    heights = plane()
    heights[:, :6] = NODATA
    heights[:5, 20:] = NODATA
    made = filled(tmp_path, heights, 15)
    assert np.isnan(made[:, :6]).all()
    assert np.isnan(made[:5, 20:]).all()


def test_width_is_in_metres(tmp_path: Path) -> None:
    heights = plane()
    heights[10:20, 10:20] = NODATA
    path = write(tmp_path / "dtm.tif", heights, gsd=0.5, nodata=NODATA)
    with Elevation(path) as model:
        for width, empty in ((5.0, False), (4.9, True)):
            made = FilledElevation(model, width).heights((0, SIZE), (0, SIZE))
            assert np.isnan(made).any() == empty


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_no_pixel_depends_on_the_window(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    seed = data.draw(st.integers(0, 1000))
    rng = np.random.default_rng(seed)
    heights = (plane() + rng.normal(0, 1, (SIZE, SIZE))).astype(np.float32)
    for _ in range(6):
        top, left = rng.integers(0, SIZE, 2)
        heights[top : top + rng.integers(1, 15), left : left + rng.integers(1, 15)] = NODATA
    path = write(tmp_path_factory.mktemp("x") / "dtm.tif", heights, gsd=1.0, nodata=NODATA)
    span = st.tuples(st.integers(0, SIZE - 1), st.integers(1, SIZE)).map(sorted)
    rows, columns = (
        (first, max(last, first + 1)) for first, last in (data.draw(span), data.draw(span))
    )
    with Elevation(path) as model:
        whole = FilledElevation(model, 8)
        part = whole.heights(rows, columns)
        expected = whole.heights((0, SIZE), (0, SIZE))[slice(*rows), slice(*columns)]
        np.testing.assert_array_equal(part, expected)


def test_an_impossible_width(tmp_path: Path) -> None:
    path = write(tmp_path / "dtm.tif", plane(), gsd=1.0)
    with (
        Elevation(path) as model,
        pytest.raises(InvalidValueError, match="width of holes: must be >= 0"),
    ):
        FilledElevation(model, -1)


def test_pixels_of_no_size_matter_only_where_holes_are_filled(tmp_path: Path) -> None:
    """Metres that are called degrees."""
    path = write(tmp_path / "dtm.tif", plane(), crs="EPSG:4326")
    with Elevation(path) as model:
        assert np.array_equal(FilledElevation(model, 0).heights((0, SIZE), (0, SIZE)), plane())
        with pytest.raises(InputError, match=r"dtm\.tif: has coordinates outside the domain"):
            FilledElevation(model, 8)


@pytest.mark.parametrize("side", [2**21, 10**9])
def test_a_model_without_end_is_refused(tmp_path: Path, side: int) -> None:
    (tmp_path / "huge.vrt").write_text(
        f'<VRTDataset rasterXSize="{side}" rasterYSize="{side}"><SRS>EPSG:25832</SRS>'
        "<GeoTransform>500000, 0.5, 0, 5800000, 0, -0.5</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1"/></VRTDataset>'
    )
    with pytest.raises(InputError, match=rf"huge\.vrt: has {side} x {side} px, which are"):
        heights_above_ground(tmp_path / "huge.vrt", tmp_path / "heights.tif")


def test_scale_and_unit_are_those_of_the_named_band_of_each_file(tmp_path: Path) -> None:
    """Decimetres in a band that is the first of one file and the second of another."""
    places = []
    for number, names in enumerate((["height", "count"], ["count", "height"])):
        values = np.full((2, SIZE, SIZE), 50, np.int16)
        path = write(tmp_path / f"{number}.tif", values, at=(SIZE * number, 0), gsd=1.0)
        with rasterio.open(path, "r+") as file:
            file.descriptions = names
            file.scales = [0.1 if name == "height" else 1.0 for name in names]
        places.append(path)
    with Elevation(places, ["height"]) as model:
        assert np.allclose(model.heights((0, SIZE), (0, 2 * SIZE)), 5)


def test_heights_above_ground_over_holes(tmp_path: Path) -> None:
    heights = plane()
    house = np.s_[4:14, 4:12]
    heights[house] = NODATA
    dtm = write(tmp_path / "dtm.tif", heights, gsd=1.0, nodata=NODATA)
    surface = plane()
    surface[house] += 6
    dsm = write(tmp_path / "dsm.tif", surface, gsd=1.0)
    for holes, expected in ((0.0, -9999.0), (10.0, 6.0)):
        made = heights_above_ground(dsm, tmp_path / f"{holes}.tif", dtm=dtm, holes=holes)
        with rasterio.open(made) as file:
            np.testing.assert_allclose(file.read(1)[house], expected, atol=0.5)


def test_models_of_several_files(tmp_path: Path) -> None:
    """Two tiles make one model; feet by a scale, and a nodata value that nobody declared."""
    west, east = (plane() for _ in range(2))
    west[0, 0] = -9999
    names = [
        write(tmp_path / "w.tif", west, gsd=1.0),
        write(tmp_path / "e.tif", east, gsd=1.0, at=(SIZE, 0)),
    ]
    with Elevation(names, scale=0.3048, nodata=-9999) as model:
        made = model.heights((0, SIZE), (0, 2 * SIZE))
    assert np.isnan(made[0, 0])
    np.testing.assert_allclose(made[1:, :SIZE], plane()[1:] * 0.3048, rtol=1e-6)
    np.testing.assert_allclose(made[:, SIZE:], plane() * 0.3048, rtol=1e-6)
    with rasterio.open(names[1], "r+") as file:
        file.scales = (2.0,)
    with pytest.raises(InputError, match=r"e\.tif: its scale, offset and unit .* are not those of"):
        Elevation(names)
