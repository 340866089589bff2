"""Images that xarray holds: the maps are those of a raster, however image and maps are cut."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import dask.array
import geopandas
import numpy as np
import pytest
import rasterio
import rioxarray
import shapely
import xarray
from rasterio.transform import from_origin

from semimtl_geo.mapping import CoarseRasterWarning, Mapper, map_files
from semimtl_geo.mapping.input_bands import choose_bands
from semimtl_geo.mapping.predictor import Predictor
from tests.rasters import write
from tests.semimtl_geo.conftest import Run
from tiles.errors import InputError, InvalidValueError
from tiles.mosaic import processes
from tiles.reading.array_raster import ArrayRaster

SIZES = {0.15: (151, 203), 0.27: (151, 203), 0.5: (90, 120)}
"""Rows and columns of the raster by its ground sampling distance in metres."""


@pytest.fixture(scope="module")
def mapper(run: Run) -> Mapper:
    """Raise its heights by 10 m: after two iterations they might all be cut off at the ground."""
    loaded = Mapper.load(run.checkpoint, "cpu", "float32")
    loaded.generator.state_dict()["decoders.height.regression.bias"] += 0.5
    return loaded


@pytest.fixture(scope="module", params=[0.27, 0.15, 0.5])
def raster(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A raster at the network's ground sampling distance, a finer and a coarser one."""
    rng = np.random.default_rng(0)
    height, width = SIZES[request.param]
    coarse = rng.integers(1, 255, (3, height // 8 + 1, width // 8 + 1), dtype=np.uint8)
    image = coarse.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width]
    image[:, 40:70, 30:90] = 0
    image[:, :30, : width * 3 // 5] = 0
    folder = tmp_path_factory.mktemp("raster")
    return write(folder / "ortho.tif", image, gsd=request.param, nodata=0)


def load(raster: Path, **options: Any) -> xarray.DataArray:
    loaded = rioxarray.open_rasterio(raster, **options)
    assert isinstance(loaded, xarray.DataArray)
    return loaded


def test_maps_are_those_of_the_raster(mapper: Mapper, raster: Path, tmp_path: Path) -> None:
    """No bit differs with images of numpy or dask, masked images, small chunks or statistics."""
    options: dict[str, Any] = {"tile": 32, "confidence": True, "plausibility": True}
    want = mapper.map(raster, tmp_path, **options)
    for image, chunk in (
        (load(raster), 90),
        (load(raster, chunks={"x": 50, "y": 64}), 2048),
        (load(raster, chunks={"x": 77, "y": 33}, masked=True), 90),
        (xarray.open_dataarray(raster, engine="rasterio"), 2048),
    ):
        made = mapper.predict(image, chunk=chunk, **options)
        assert list(made) == list(want)
        assert all(isinstance(made[name].data, dask.array.Array) for name in made)
        computed = made.compute()
        for name in want:
            np.testing.assert_array_equal(computed[name], want[name])
            assert computed[name].dtype == want[name].dtype
    assert np.isnan(computed["height"].values[50, 40])
    assert computed["landcover"].values[50, 40] == 255


@pytest.mark.parametrize(
    ("raster", "options"),
    [(0.15, {}), (0.5, {"area": True}), (0.27, {"devices": ["cpu", "cpu"]})],
    indirect=["raster"],
)
def test_map_of_an_image_makes_the_bytes_of_the_file(
    mapper: Mapper, raster: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    """The image is in chunks of dask or masked, and statistics are its own, in any process."""
    if "area" in options:
        with rasterio.open(raster) as file:
            left, bottom, right, top = file.bounds
            part = shapely.box(left, (bottom + top) / 2, (left + right) / 2, top)
        options = {"area": tmp_path / "area.gpkg"}
        geopandas.GeoDataFrame(geometry=[part], crs=file.crs).to_file(options["area"])
    want = map_files(mapper.map(raster, tmp_path / "file", tile=32, **options))
    for number, image in enumerate(
        (load(raster, chunks={"x": 77, "y": 33}), load(raster, masked=True))
    ):
        out = tmp_path / f"array{number}"
        for name, made in map_files(mapper.map(image, out, tile=32, **options)).items():
            assert made.name == want[name].name
            assert made.read_bytes() == want[name].read_bytes()


def test_what_no_image_can_hold_is_unknown(mapper: Mapper, tmp_path: Path) -> None:
    """Values are infinite, or the lowest of float32 without a nodata value that says so."""
    image = np.random.default_rng(0).random((3, 60, 70), np.float32)
    image[1, 10:20, 10:20] = np.inf
    image[:, 30:40, 50:60] = np.finfo(np.float32).min
    raster = write(tmp_path / "ortho.tif", image, gsd=0.27)
    want = mapper.map(raster, tmp_path / "maps", domain="city_a")
    made = mapper.predict(load(raster), domain="city_a").compute()
    assert np.isnan(made.height.values[[15, 35], [15, 55]]).all()
    for name in want:
        np.testing.assert_array_equal(made[name], want[name])


def test_variables_describe_themselves_as_opened_maps_do(
    mapper: Mapper, raster: Path, tmp_path: Path
) -> None:
    want = mapper.map(raster, tmp_path, domain="city_a", confidence=True)
    made = mapper.predict(load(raster), domain="city_a", confidence=True)
    for name in want:
        opened = {key: value for key, value in want[name].attrs.items() if key != "file"}
        assert made[name].attrs.keys() == opened.keys()
        for key, value in opened.items():
            np.testing.assert_array_equal(made[name].attrs[key], value)
        assert made[name].rio.crs == want[name].rio.crs
        assert made[name].rio.transform() == want[name].rio.transform()
        assert made[name].encoding["grid_mapping"] == "spatial_ref"
    for axis in ("x", "y"):
        np.testing.assert_array_equal(made[axis], want[axis])
    attrs = {key: value for key, value in want.attrs.items() if key != "files"}
    assert made.attrs == attrs | {"title": "Maps of image"}
    made["height"].rio.to_raster(tmp_path / "written.tif")
    with rasterio.open(tmp_path / "written.tif") as file, rasterio.open(raster) as source:
        assert (file.crs, file.shape) == (source.crs, source.shape)
        np.testing.assert_allclose(file.transform, source.transform, rtol=1e-9)


def test_nothing_is_computed_before_it_is_asked_for(
    mapper: Mapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the image, no more is computed than what a chunk of the maps needs."""
    read: list[tuple[Any, ...]] = []
    batches: list[int] = []
    predict = Predictor.__call__

    def block(info: Any) -> np.ndarray:
        read.append(info[None]["chunk-location"][1:])
        return np.full((3, 64, 64), 100, np.uint8)

    def count(self: Predictor, images: Any) -> Any:
        batches.append(len(images))
        return predict(self, images)

    monkeypatch.setattr(Predictor, "__call__", count)
    pixels = dask.array.map_blocks(
        lambda block_info=None: block(block_info), chunks=((3,), (64,) * 8, (64,) * 8), dtype="u1"
    )
    made = mapper.predict(georeferenced(pixels), domain="city_a", tile=32, chunk=128)
    assert not read
    assert not batches
    corner = made["height"].isel(x=slice(0, 100), y=slice(384, 512)).compute()
    assert not np.isnan(corner).any()
    # Its chunk is two blocks wide, and its tiles touch the next ones.
    assert set(read) == {(row, column) for row in (5, 6, 7) for column in (0, 1, 2)}
    assert batches


def georeferenced(pixels: Any, **coords: Any) -> xarray.DataArray:
    _, height, width = pixels.shape
    axes = {"x": 4e5 + 0.27 * np.arange(width), "y": 5.5e6 - 0.27 * np.arange(height)}
    image = xarray.DataArray(pixels, axes | coords, ("band", "y", "x"))
    placed: xarray.DataArray = image.rio.write_crs("EPSG:32633")
    return placed


def test_a_slice_lies_where_its_pixels_lie(mapper: Mapper, tmp_path: Path) -> None:
    """A part has the attributes of the whole; dimensions may come in any order."""
    rng = np.random.default_rng(1)
    whole = georeferenced(rng.integers(1, 255, (3, 90, 100), dtype=np.uint8))
    whole = whole.rio.write_transform()
    part = whole.isel(x=slice(40, None), y=slice(20, None)).transpose("y", "x", "band")
    made = mapper.predict(part, domain="city_a")
    assert made["height"].rio.transform().c == pytest.approx(4e5 + 0.27 * 39.5)
    raster = tmp_path / "part.tif"
    part.transpose("band", "y", "x").rio.to_raster(raster)
    want = mapper.map(raster, tmp_path, domain="city_a")
    np.testing.assert_array_equal(made["height"], want["height"])


def test_bands_by_name(mapper: Mapper) -> None:
    """odc-stac names them by the coordinate, rioxarray by an attribute."""
    pixels = np.random.default_rng(1).integers(1, 255, (4, 40, 40), dtype=np.uint8)
    want = mapper.predict(georeferenced(pixels[[3, 0, 1]]), domain="city_a").compute()
    named = georeferenced(pixels, band=["red", "green", "blue", "nir"])
    described = georeferenced(pixels).assign_attrs(long_name=("Red", "Green", "Blue", "NIR"))
    for image in (named, described):
        assert choose_bands(ArrayRaster(image), "image", mapper.card) == [4, 1, 2]
        made = mapper.predict(image, domain="city_a")
        assert made.attrs["bands"] == "4 as NIR, 1 as red, 2 as green"
        assert "band" not in made.coords
        np.testing.assert_array_equal(made["height"], want["height"])
    unnamed = georeferenced(pixels)
    for bands in ([4, 1, 2], ["nir", "red", "green"]):
        image = unnamed if bands[0] == 4 else named
        made = mapper.predict(image, domain="city_a", bands=bands)
        np.testing.assert_array_equal(made["height"], want["height"])
    with pytest.raises(InputError, match=r"4 bands, the network wants 3 \(NIR, red, green\)"):
        mapper.predict(unnamed, domain="city_a")
    with pytest.raises(InputError, match="swir"):
        mapper.predict(named, bands=["swir", "red", "green"])


def test_the_value_that_stands_for_one(mapper: Mapper) -> None:
    pixels = np.random.default_rng(1).integers(1, 255, (3, 40, 40), dtype=np.uint8)
    want = mapper.predict(georeferenced(pixels), domain="city_a")["height"].compute()
    for same, scale in (
        (pixels.astype(np.uint16) * 257, None),
        ((pixels / 255).astype(np.float32), None),
        (pixels.astype(np.float32), 255.0),
    ):
        made = mapper.predict(georeferenced(same), domain="city_a", white=scale)
        np.testing.assert_allclose(made["height"], want, rtol=1e-3, atol=1e-3)


def spoiled(change: Callable[[xarray.DataArray], Any]) -> Any:
    return change(georeferenced(np.full((3, 40, 40), 9, np.uint8)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda image: image.drop_vars("spatial_ref"), "no coordinate reference system"),
        (lambda image: image.isel(band=0, drop=True), "image: has dimensions y, x"),
        (lambda image: image.expand_dims("time"), "image: has dimensions time, band, y, x"),
        (lambda image: image.rename(x="width", y="height"), "has no rows and columns"),
        (lambda image: image.drop_vars(["x", "y"]), "has no coordinates"),
        (lambda image: image[:2], "2 bands, the network wants 3"),
        (lambda image: image.astype(complex), "has values of complex128"),
        (lambda image: (image * np.nan).rename("blank"), "blank: has no known pixel"),
        (lambda image: image.rio.write_nodata(9), "image: has no known pixel"),
    ],
)
def test_faults_are_named(mapper: Mapper, change: Callable[..., Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        mapper.predict(spoiled(change))


def test_a_coarse_image_is_warned_of(mapper: Mapper) -> None:
    image = georeferenced(np.full((3, 40, 40), 9, np.uint8))
    coarse = image.assign_coords(x=image.x * 3, y=image.y * 3)
    with pytest.warns(CoarseRasterWarning, match="image: pixels of 0.81 m") as caught:
        mapper.predict(coarse, domain="city_a")
    assert __file__ in [warning.filename for warning in caught]


def test_on_processes(mapper: Mapper) -> None:
    """The network crosses to other processes, as on a cluster."""
    pixels = np.random.default_rng(1).integers(1, 255, (3, 90, 70), dtype=np.uint8)
    made = mapper.predict(georeferenced(pixels), domain="city_a", chunk=48)
    want = made.compute(scheduler="threads")
    with dask.config.set({"multiprocessing.context": processes.START_METHOD}):
        got = made.compute(scheduler="processes", num_workers=2)
    xarray.testing.assert_identical(got, want)


@pytest.mark.parametrize("setting", ["chunk", "batch_size"])
def test_sizes_of_nothing_are_refused(mapper: Mapper, setting: str) -> None:
    image = xarray.DataArray(np.zeros((3, 40, 40), np.uint8), dims=("band", "y", "x"))
    image = image.rio.write_crs(32633).rio.write_transform(from_origin(4e5, 5.5e6, 0.27, 0.27))
    with pytest.raises(InvalidValueError, match=f"{setting}: must be >= 1"):
        mapper.predict(image, **{setting: 0})


def test_big_endian_numbers_are_read(mapper: Mapper) -> None:
    """NetCDF and FITS store them; PyTorch refuses them."""
    values = np.random.default_rng(0).random((3, 40, 40), np.float32)
    made = []
    for kind in ("<f4", ">f4"):
        image = xarray.DataArray(values.astype(kind), dims=("band", "y", "x"))
        image = image.rio.write_crs(32633).rio.write_transform(from_origin(4e5, 5.5e6, 0.27, 0.27))
        made.append(mapper.for_domain("city_a").predict(image, white=1.0).compute())
    assert made[0].equals(made[1])
