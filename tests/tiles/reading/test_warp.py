"""Why the package has a warper of its own: GDAL's gives other values in other windows."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling
from rasterio.windows import Window

from tests.rasters import noise, write
from tiles.reading import Source, warped_vrt
from tiles.reading.warp import WarpedOverlay

ROWS, COLUMNS = (13, 413), (7, 407)


def gdal_differs(image: Path, crs: str | None) -> bool:
    """Return whether GDAL's bilinear pixels of a window are others than those of a whole read."""
    window = Window(COLUMNS[0], ROWS[0], COLUMNS[1] - COLUMNS[0], ROWS[1] - ROWS[0])
    with (
        rasterio.open(image) as file,
        warped_vrt(file, crs=crs or file.crs, resampling=Resampling.bilinear) as warped,
    ):
        part = warped.read(1)[slice(*ROWS), slice(*COLUMNS)]
        return not np.array_equal(warped.read(1, window=window), part, equal_nan=True)


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize("crs", [None, "EPSG:25832"])
def test_pixels_do_not_depend_on_the_window(tmp_path: Path, dtype: str, crs: str | None) -> None:
    image = write(tmp_path / "image.tif", noise(1, 900, 900).astype(dtype), gsd=0.5)
    with Source([image, image], crs=crs) as source:
        values, known = source.read((0, source.grid.height), (0, source.grid.width))
        part_values, part_known = source.read(ROWS, COLUMNS)
    part = slice(*ROWS), slice(*COLUMNS)
    assert np.array_equal(part_known, known[part])
    assert np.array_equal(part_values, values[:, *part])
    # GDAL's do, where float values are transformed to another CRS. If this fails with a later
    # version of GDAL, tiles/reading/warp.py may not be needed any more.
    assert gdal_differs(image, crs) == (dtype == "float32" and crs is not None)


def test_a_place_that_no_crs_defines_is_unknown_without_a_warning(tmp_path: Path) -> None:
    """Metres that are called degrees."""
    here = write(tmp_path / "here.tif", noise(1, 20, 30))
    nowhere = write(tmp_path / "nowhere.tif", noise(1, 20, 30), crs="EPSG:4326")
    with Source(here) as target, Source(nowhere) as source, warnings.catch_warnings():
        warnings.simplefilter("error")
        _, known = WarpedOverlay(source._raster, target.grid).read((0, 20), (0, 30))
    assert not known.any()
