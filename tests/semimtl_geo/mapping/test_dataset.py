"""Maps as data sets, from files that rasterio alone has written."""

from __future__ import annotations

from pathlib import Path

import dask.array
import numpy as np
import pytest
import rasterio
import xarray
from xarray.conventions import cf_encoder

from semimtl_geo import open_maps
from semimtl_geo.mapping import map_files
from tests.rasters import NORTH, WEST, write
from tiles.errors import InputError

NAMES = """<PAMDataset><PAMRasterBand band="1"><CategoryNames><Category>low vegetation</Category>
<Category>building</Category></CategoryNames></PAMRasterBand></PAMDataset>"""
TAGS = {
    "SEMIMTL_VERSION": "0.9",
    "SEMIMTL_MODEL": "m.ckpt",
    "SEMIMTL_MODEL_SHA256": "abc",
    "SEMIMTL_RASTER": "ortho.tif",
    "SEMIMTL_STATISTICS": "of the training domain a",
}
HEIGHTS = np.array([[1.5, -9999, 3], [0, 5, 6.25]], np.float32)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    cover = write(
        tmp_path / "o_landcover.tif", np.array([[0, 255, 1], [1, 1, 0]], "u1"), nodata=255
    )
    (tmp_path / "o_landcover.tif.aux.xml").write_text(NAMES, encoding="utf-8")
    height = write(tmp_path / "o_height.tif", HEIGHTS, nodata=-9999)
    percent = write(tmp_path / "o_c.tif", np.array([[0, 255, 100], [1, 1, 9]], "u1"), nodata=255)
    for path, text, unit in (
        (cover, "landcover", ""),
        (height, "height above ground", "m"),
        (percent, "confidence in landcover", "%"),
    ):
        with rasterio.open(path, "r+") as file:
            file.update_tags(**TAGS)
            file.set_band_description(1, text)
            file.set_band_unit(1, unit)
    return {"landcover": cover, "height": height, "landcover_confidence": percent}


def test_variables_say_what_their_numbers_mean(files: dict[str, Path]) -> None:
    maps = open_maps(files)
    assert list(maps.data_vars) == list(files)
    for name, file in files.items():
        assert maps[name].encoding["source"] == str(file)
        assert (maps[name].dims, maps[name].shape) == (("y", "x"), (2, 3))
    assert map_files(maps) == files
    assert list(map_files(maps.assign(plain=maps["height"].drop_attrs()))) == list(files)
    cover = maps["landcover"]
    assert cover.dtype == cover.attrs["flag_values"].dtype == np.uint8
    assert cover.attrs["flag_values"].tolist() == [0, 1]
    assert cover.attrs["flag_meanings"] == "low_vegetation building"
    assert cover.attrs["_FillValue"] == 255
    assert cover.to_numpy().tolist() == [[0, 255, 1], [1, 1, 0]]
    assert maps["height"].attrs == {
        "long_name": "height above ground",
        "units": "m",
        "file": str(files["height"]),
    }
    want = np.where(HEIGHTS == -9999, np.nan, HEIGHTS)
    np.testing.assert_array_equal(maps["height"], want)
    assert maps["height"].dtype == np.float32
    assert float(maps["landcover_confidence"].max()) == 100
    assert maps["landcover_confidence"].attrs["units"] == "%"


def test_georeference_and_provenance(files: dict[str, Path]) -> None:
    maps = open_maps(files)
    assert maps.attrs == {
        "Conventions": "CF-1.11",
        "title": "Maps of ortho.tif",
        "source": "semimtl-geo 0.9, model m.ckpt (SHA-256 abc)",
        "comment": "BatchNorm statistics: of the training domain a",
        "files": "\n".join(map(str, files.values())),
    }
    assert maps.rio.crs.to_epsg() == 32633
    np.testing.assert_allclose(maps.x, WEST + 0.15 * np.array([0.5, 1.5, 2.5]), atol=1e-6)
    np.testing.assert_allclose(maps.y, NORTH - 0.15 * np.array([0.5, 1.5]), atol=1e-6)
    assert maps.x.attrs["standard_name"] == "projection_x_coordinate"
    assert maps.spatial_ref.attrs["grid_mapping_name"] == "transverse_mercator"


def test_pixels_stay_on_disk_in_chunks_of_whole_blocks(tmp_path: Path) -> None:
    blocks = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    path = write(tmp_path / "h.tif", np.ones((2100, 4100), np.float32), nodata=-9999, **blocks)
    height = open_maps({"height": path})["height"]
    assert isinstance(height.data, dask.array.Array)
    assert height.chunks == ((2048, 52), (2048, 2048, 4))


def test_encoded_by_the_conventions(files: dict[str, Path], tmp_path: Path) -> None:
    maps = open_maps(files)
    encoded, _ = cf_encoder(dict(maps.variables), dict(maps.attrs))
    for name, dtype, fill in (
        ("landcover", np.uint8, 255),
        ("landcover_confidence", np.uint8, 255),
        ("height", np.float32, -9999),
    ):
        assert encoded[name].dtype == dtype
        assert encoded[name].attrs["_FillValue"] == fill
        assert encoded[name].attrs["grid_mapping"] == "spatial_ref"
        with rasterio.open(files[name]) as file:
            np.testing.assert_array_equal(np.asarray(encoded[name]), file.read(1))
    maps[["height"]].to_netcdf(tmp_path / "h.nc", engine="scipy")
    with xarray.open_dataset(tmp_path / "h.nc", engine="scipy") as again:
        np.testing.assert_array_equal(again["height"], maps["height"])
        assert again["height"].attrs["units"] == "m"
        assert again.attrs == maps.attrs
        assert map_files(again) == {"height": files["height"]}


def test_a_map_that_was_made_again_is_read_again(files: dict[str, Path], tmp_path: Path) -> None:
    before = float(open_maps(files)["height"].max())
    new = write(tmp_path / "new.tif", HEIGHTS + 1, nodata=-9999)
    new.replace(files["height"])
    assert float(open_maps(files)["height"].max()) == before + 1


def test_faults_are_named(files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.tif: cannot be read as a map"):
        open_maps({"height": tmp_path / "none.tif"})
    shifted = write(tmp_path / "s.tif", HEIGHTS, nodata=-9999, at=(1, 0))
    with pytest.raises(InputError, match="lie on different grids"):
        open_maps(files | {"height": shifted})
    both = write(tmp_path / "b.tif", np.ones((3, 4, 4), np.float32))
    with pytest.raises(InputError, match="has several bands"):
        open_maps({"height": both})
