"""Images that xarray holds, in the place of raster files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rioxarray
import xarray

from tests.rasters import noise, write
from tiles import InputError, ValueMap, mosaic
from tiles.reading import Source
from tiles.reading.array_raster import ArrayRaster


@pytest.fixture
def image(tmp_path: Path) -> xarray.DataArray:
    """An image of a file, with an unknown corner."""
    pixels = noise(3, 40, 50)
    pixels[:, :5, :7] = 0
    opened = rioxarray.open_rasterio(write(tmp_path / "ortho.tif", pixels, nodata=0))
    assert isinstance(opened, xarray.DataArray)
    return opened


def test_it_reads_as_the_file(image: xarray.DataArray, tmp_path: Path) -> None:
    """Also with its dimensions in another order, and a part of it."""
    with Source(tmp_path / "ortho.tif", [3, 1]) as file:
        for same in (image, image.transpose("y", "x", "band")):
            with Source(same, [3, 1]) as array:
                assert (array.grid, array.bands, array.dtype) == (file.grid, (3, 1), file.dtype)
                for one, other in zip(
                    file.read((0, 30), (3, 50)), array.read((0, 30), (3, 50)), strict=True
                ):
                    np.testing.assert_array_equal(one, other)
        part = ArrayRaster(image.isel(x=slice(10, 30), y=slice(5, 25)))
        assert part.grid == file.grid.window(10, 5, 20, 20)


def test_a_map_does_not_replace_the_file_it_is_made_of(
    image: xarray.DataArray, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="is an input of the map"):
        mosaic(image, lambda batch: batch[:, :1], ValueMap("red"), tmp_path / "ortho.tif")


def test_what_cannot_be_read(image: xarray.DataArray) -> None:
    for bad, says in (
        (image.drop_vars("spatial_ref"), "has no coordinate reference system"),
        (image.rename(x="a", y="b"), "has no rows and columns"),
        (image.isel(band=0, drop=True), "has dimensions y, x"),
        (image.astype(np.complex64), "has values of complex64"),
    ):
        with pytest.raises(InputError, match=says):
            Source(bad)
    with pytest.raises(InputError, match="has 3 bands, not"):
        Source(image, [1, 4])
    with pytest.raises(InputError, match="merge the images first"):
        Source([image, image])
    with pytest.raises(InputError, match="reproject it first"):
        Source(image, crs="EPSG:4326")
