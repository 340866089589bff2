"""The picture: its panels line up and show one place, whatever grid the maps are on."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import rasterio
from rasterio.warp import transform_bounds

from semimtl_geo.report.preview import _image, _small_grid, write_preview
from semimtl_geo.tasks import Depth, Segmentation
from tests.rasters import noise, write
from tiles.grid import PixelGrid

TASKS = [Segmentation(), Depth()]


@pytest.fixture
def maps(tmp_path: Path) -> dict[str, Path]:
    """Buildings everywhere, 20 m high, but for an unknown lower half."""
    classes = np.ones((60, 60), np.uint8)
    classes[30:] = 255
    heights = np.where(classes == 1, np.float32(20), np.float32(-9999))
    return {
        "landcover": write(tmp_path / "l.tif", classes, nodata=255),
        "height": write(tmp_path / "h.tif", heights, nodata=-9999),
    }


def test_panels_line_up_and_unknown_is_hatched(maps: dict[str, Path], tmp_path: Path) -> None:
    image = write(tmp_path / "i.tif", np.full((3, 60, 60), 200, np.uint8))
    write_preview(image, maps, TASKS, tmp_path / "p.png")
    picture = np.rint(255 * plt.imread(tmp_path / "p.png")[..., :3]).astype(int)
    places = []
    for color, share in (((200, 200, 200), 1), ((0, 0, 255), 2), ((253, 231, 37), 2)):
        # The ramp's end need not be hit to the last bit, and legends are small.
        found = np.abs(picture - color).max(axis=2) <= 3
        rows = np.flatnonzero(found.sum(axis=1) > 400)
        columns = np.flatnonzero(found[rows].sum(axis=0) > 0.9 * len(rows))
        top, left, width = rows[0], columns[0], len(columns)
        places.append((top, share * len(rows), width))
        if share == 2:  # The image knows what the maps do not.
            lower = picture[rows[-1] + 4 : top + width - 4, left + 4 : left + width - 4]
            greys = np.unique(lower.reshape(-1, 3), axis=0)
            assert len(greys) > 2
            assert ((greys < 255).all(axis=1) & (np.ptp(greys, axis=1) < 20)).all()
    np.testing.assert_allclose(places, [places[0]] * 3, atol=3)
    np.testing.assert_allclose(places[0][1:], 4.6 * 200, rtol=0.05)
    assert not list(tmp_path.glob(".*"))


def test_the_image_is_brought_to_the_grid_of_the_maps(tmp_path: Path) -> None:
    """Into another zone: a place is found by its coordinates, and what is beyond is unknown."""
    image = np.full((3, 100, 100), 10, np.uint8)
    image[:, 20:40, 60:80] = 250
    path = write(tmp_path / "i.tif", image, gsd=1.0)
    with rasterio.open(path) as file:
        bright = file.window_bounds(rasterio.windows.Window(60, 20, 20, 20))
        bounds = transform_bounds(file.crs, "EPSG:32634", *file.bounds)
        x, y = ((a + b) / 2 for a, b in zip(bright[:2], bright[2:], strict=True))
        (east,), (north,) = rasterio.warp.transform(file.crs, "EPSG:32634", [x], [y])
    transform = rasterio.transform.from_bounds(*bounds, 220, 220)
    grid = PixelGrid(rasterio.crs.CRS.from_epsg(32634), transform, 220, 220)
    shown = _image([path], grid)
    row, column = rasterio.transform.rowcol(transform, east, north)
    assert shown[row, column].tolist() == [250, 250, 250, 255]
    assert shown[0, 0, 3] == 0
    found = np.argwhere((shown[..., 0] > 130) & (shown[..., 3] > 0)).mean(axis=0)
    np.testing.assert_allclose(found, (row, column), atol=1.5)


def test_files_of_one_place_the_first_has_its_say(tmp_path: Path) -> None:
    one = write(tmp_path / "1.tif", np.full((3, 10, 10), 40, np.uint8), gsd=1.0)
    two = write(tmp_path / "2.tif", np.full((3, 10, 10), 80, np.uint8), gsd=1.0, at=(5, 0))
    whole = write(tmp_path / "w.tif", np.zeros((10, 15), np.uint8), gsd=1.0)
    shown = _image([one, two], _small_grid(whole))
    assert shown[5, :, 0].tolist() == [40] * 10 + [80] * 5
    assert (shown[..., 3] == 255).all()


def test_images_of_more_than_bytes_are_stretched(tmp_path: Path) -> None:
    values = np.linspace(0, 4095, 3 * 100 * 100).reshape(3, 100, 100).astype(np.uint16)
    path = write(tmp_path / "i.tif", values)
    shown = _image([path], _small_grid(path))
    assert (shown[..., :3].min(), shown[..., :3].max()) == (0, 255)


def test_long_rasters_keep_their_shape(tmp_path: Path) -> None:
    path = write(tmp_path / "l.tif", noise(100, 2000) % np.uint8(6), nodata=255)
    grid = _small_grid(path)
    assert (grid.height, grid.width) == (45, 900)
    with rasterio.open(path) as file:
        np.testing.assert_allclose(grid.bounds, file.bounds)
    write_preview(path, {"landcover": path}, TASKS, tmp_path / "p.png")
    assert plt.imread(tmp_path / "p.png").shape[1] > 1800
