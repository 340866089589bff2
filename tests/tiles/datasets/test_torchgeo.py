"""Scenes in torchgeo's form and torchgeo's data sets in ours, against pixels read by rasterio."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from rasterio.windows import Window, from_bounds
from torch.utils.data import DataLoader
from torchgeo.datasets import GeoDataset, RasterDataset, VectorDataset, stack_samples
from torchgeo.samplers import GridGeoSampler, RandomGeoSampler

from tests.rasters import GSD, NORTH, WEST, noise, write
from tiles.datasets import GridChips, RandomChips, from_torchgeo, scene_dataset, to_torchgeo
from tiles.errors import InputError, InvalidValueError

SIZE = 40
LABELS: dict[str, Any] = {"landcover": "classes", "height": "values"}


class LandCover(RasterDataset):
    is_image = False


class Heights(RasterDataset):
    """As torchgeo's documentation recommends for regression, with a key of its own."""

    is_image = False

    @property
    def dtype(self) -> torch.dtype:
        return torch.float32

    def __getitem__(self, query: Any) -> dict[str, Any]:
        sample = super().__getitem__(query)
        return {"dem": sample.pop("mask"), **sample}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """One scene; each raster has an unknown pixel of its own, declared as nodata."""
    rng = np.random.default_rng(0)
    image = noise(3, SIZE, SIZE) | 1
    image[:, 3, 4] = 0
    image[1, 7, 7] = 0  # one dark band is a colour
    classes = rng.integers(0, 6, (SIZE, SIZE), dtype=np.uint8)
    classes[5, 6] = 99
    heights = rng.gamma(2, 3, (SIZE, SIZE)).astype(np.float32)
    heights[8, 9] = -9999
    write(tmp_path / "image/a.tif", image, nodata=0)
    write(tmp_path / "landcover/a.tif", classes, nodata=99)
    write(tmp_path / "height/a.tif", heights, nodata=-9999)
    return tmp_path


def their_dataset(root: Path) -> GeoDataset:
    return RasterDataset(root / "image") & LandCover(root / "landcover") & Heights(root / "height")


def window(path: Path, query: Any) -> np.ndarray:
    """The file's pixels at a query; beyond the file, its nodata value."""
    x, y = query[:2]
    with rasterio.open(path) as file:
        exact = from_bounds(x.start, y.start, x.stop, y.stop, file.transform)
        whole = Window(
            *(round(n) for n in (exact.col_off, exact.row_off, exact.width, exact.height))
        )
        data: np.ndarray = file.read(window=whole, boundless=True)
    return data


def expected(root: Path, query: Any) -> dict[str, np.ndarray]:
    """Our sample, made by numpy from what rasterio reads."""
    image = window(root / "image/a.tif", query)
    unknown = (image == 0).all(axis=0)
    classes = window(root / "landcover/a.tif", query)[0].astype(np.int64)
    heights = window(root / "height/a.tif", query)[0]
    return {
        "image": np.where(unknown, np.nan, image.astype(np.float32) / 255),
        "landcover": np.where(unknown | (classes == 99), 255, classes),
        "height": np.where(unknown | (heights == -9999), np.nan, heights),
    }


def test_a_scene_has_the_keys_of_a_raster_dataset(root: Path) -> None:
    dataset = to_torchgeo(scene_dataset(root, LABELS, (1, 2, 3)))
    query = next(iter(RandomGeoSampler(dataset, 16, 1)))
    theirs = LandCover(root / "landcover"), RasterDataset(root / "image")
    sample, reference = dataset[query], theirs[0][query] | theirs[1][query]
    assert set(sample) == {*reference, "height"}
    for key, value in reference.items():
        assert type(sample[key]) is type(value)
    for key in reference.keys() - {"image", "mask"}:  # torchgeo 0.8 and 0.10 say it differently
        same = sample[key] == reference[key]
        assert same.all() if isinstance(same, torch.Tensor) else same
    for key in ("image", "mask"):
        assert sample[key].dtype == reference[key].dtype
        assert sample[key].shape == reference[key].shape
    truth = expected(root, query)
    np.testing.assert_allclose(sample["image"], truth["image"], atol=1e-7)
    np.testing.assert_array_equal(sample["mask"], truth["landcover"])
    np.testing.assert_array_equal(sample["height"], truth["height"])


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("fill", [None, 0.5, (0.1, 0.2, 0.3)])
def test_torchgeo_samples_all_of_a_scene(root: Path, fill: Any, workers: int) -> None:
    """Its grid overshoots the scene by up to a stride; what it reads there is unknown."""
    dataset = to_torchgeo(scene_dataset(root, LABELS, (1, 2, 3)), fill=fill)
    sampler = GridGeoSampler(dataset, 16, 16)
    loader = DataLoader(dataset, 3, sampler=sampler, collate_fn=stack_samples, num_workers=workers)
    queries = iter(sampler)
    for batch in loader:
        assert batch["image"].shape[1:] == (3, 16, 16)
        assert batch["mask"].shape == batch["height"].shape == (len(batch["image"]), 16, 16)
        for image, mask, height in zip(batch["image"], batch["mask"], batch["height"], strict=True):
            truth = expected(root, next(queries))
            if fill is not None:
                assert not image.isnan().any()
                color = np.reshape(fill, (-1, 1, 1))
                truth["image"] = np.where(np.isnan(truth["image"]), color, truth["image"])
            np.testing.assert_allclose(image, truth["image"], atol=1e-7)
            np.testing.assert_array_equal(mask, truth["landcover"])
            np.testing.assert_array_equal(height, truth["height"])
    assert next(queries, None) is None
    assert len(sampler) >= 9


def test_a_chip_that_only_touches_a_scene_is_unknown(root: Path) -> None:
    """torchgeo's grid has such chips where the rounding of coordinates says so."""
    dataset = to_torchgeo(scene_dataset(root, LABELS, (1, 2, 3)), fill=0.25)
    x, y, time = dataset.bounds
    east = slice(x.stop, x.stop + 8 * GSD)
    sample = dataset[east, slice(y.start, y.start + 8 * GSD), time]
    assert torch.equal(sample["image"], torch.full((3, 8, 8), 0.25))
    assert torch.equal(sample["mask"], torch.full((8, 8), 255))
    assert sample["height"].isnan().all()
    assert sample["height"].shape == (8, 8)
    with pytest.raises(IndexError):
        dataset[slice(x.stop + 1, x.stop + 2), y, time]


def test_parts_of_a_query_may_be_left_out(root: Path) -> None:
    dataset = to_torchgeo(scene_dataset(root, {}, (1,)))
    x = dataset.bounds[0]
    half = slice(x.start, x.start + SIZE // 2 * GSD)
    assert dataset[half]["image"].shape == (1, SIZE, SIZE // 2)
    with pytest.raises(InvalidValueError, match="its step must be the resolution"):
        dataset[slice(x.start, x.stop, 2 * GSD)]


def test_heights_may_be_the_mask_and_transforms_apply(root: Path) -> None:
    def brighter(sample: dict[str, Any]) -> dict[str, Any]:
        return {**sample, "image": sample["image"] + 1}

    scenes = scene_dataset(root, LABELS, (1, 2, 3))
    sample = to_torchgeo(scenes, {"height": "mask"}, 0, brighter)[scenes.bounds]
    assert sample["mask"].dtype == torch.float32
    assert "landcover" in sample
    assert sample["image"].min() >= 1


def test_scenes_join_with_a_data_set_of_torchgeo(root: Path) -> None:
    """Also the other way round, where torchgeo changes our resolution."""
    ours = to_torchgeo(scene_dataset(root, {"landcover": "classes"}, (1, 2, 3)))
    joined = ours & Heights(root / "height")
    query = next(iter(RandomGeoSampler(joined, 16, 1)))
    sample = joined[query]
    # torchgeo resamples by the rounding error of the query's coordinates.
    np.testing.assert_allclose(sample["dem"], window(root / "height/a.tif", query)[0], rtol=1e-6)
    np.testing.assert_array_equal(sample["mask"], expected(root, query)["landcover"])
    coarse = Heights(root / "height", res=2 * GSD) & ours
    assert ours.res == (2 * GSD, 2 * GSD)
    for query in GridGeoSampler(coarse, SIZE // 2):
        image = coarse[query]["image"]
        assert image.shape == (3, SIZE // 2, SIZE // 2)
        truth = window(root / "image/a.tif", query)[:, 10:14, 10:14].astype(float)
        averages = truth.reshape(3, 2, 2, 2, 2).mean((2, 4)) / 255
        np.testing.assert_allclose(image[:, 5:7, 5:7], averages, atol=1 / 255)


def adapted(root: Path, **settings: Any) -> GeoDataset:
    keys = {"mask": "landcover", "dem": "height"}
    return from_torchgeo(their_dataset(root), keys, LABELS, **settings)


@pytest.mark.parametrize("workers", [0, 2])
def test_our_samplers_read_a_data_set_of_torchgeo(root: Path, workers: int) -> None:
    dataset = adapted(root)
    for sampler in (RandomChips(dataset, 16, 12, seed=0), GridChips(dataset, 16, 4)):
        queries = list(GridChips(dataset, 16, 4)) if isinstance(sampler, GridChips) else None
        queries = queries or list(RandomChips(dataset, 16, 12, seed=0))
        loader: DataLoader[Any] = DataLoader(dataset, 1, sampler=sampler, num_workers=workers)
        for query, batch in zip(queries, loader, strict=True):
            truth = expected(root, query)
            # Where coordinates are rounded, torchgeo interpolates single pixels of nodata.
            declared = np.isnan(truth["height"]) | (truth["landcover"] == 255)
            known = ~declared & (truth["image"] != 0).all(axis=0)
            assert known.mean() > 0.9
            for key, values in truth.items():
                read = batch[key][0].numpy()[..., known]
                np.testing.assert_allclose(read, values[..., known], 1e-6, 1e-7, err_msg=key)
        assert batch["image"].dtype == batch["height"].dtype == torch.float32
        assert batch["landcover"].dtype == torch.int64


def test_it_has_the_samples_of_scenes(root: Path) -> None:
    scenes, dataset = scene_dataset(root, LABELS, (3, 1)), adapted(root, bands=(3, 1))
    assert list(GridChips(scenes, 16)) == list(GridChips(dataset, 16))
    assert list(RandomChips(scenes, 16, 9, 1)) == list(RandomChips(dataset, 16, 9, 1))
    for query in GridChips(scenes, 64):  # overhangs, where torchgeo fills in zeros
        ours, theirs = scenes[query], dataset[query]
        assert set(ours) == set(theirs)
        for key in ours:
            torch.testing.assert_close(theirs[key], ours[key], equal_nan=True, atol=1e-6, rtol=1e-6)


def test_beyond_the_extent_all_is_unknown(tmp_path: Path) -> None:
    """Without a declared nodata value, torchgeo's fill is 0: a class, and a height."""
    write(tmp_path / "image/a.tif", np.full((1, 8, 8), 9, np.uint8))
    write(tmp_path / "height/a.tif", np.full((8, 8), 7, np.float32))
    both = RasterDataset(tmp_path / "image") & Heights(tmp_path / "height")
    dataset = from_torchgeo(both, {"dem": "height"}, LABELS)
    (query,) = GridChips(dataset, 12)
    sample = dataset[query]
    known = np.zeros((12, 12), bool)
    known[:8, :8] = True
    np.testing.assert_array_equal(~sample["image"][0].isnan(), known)
    np.testing.assert_array_equal(~sample["height"].isnan(), known)


def test_nodata_that_no_file_declares_is_an_argument(root: Path) -> None:
    classes = window(root / "landcover/a.tif", their_dataset(root).bounds)[0]
    dataset = adapted(root, nodata={"mask": 3})
    landcover = dataset[dataset.bounds]["landcover"].numpy()
    assert (landcover[classes == 3] == 255).all()
    assert landcover[5, 6] == 99  # which is no longer nodata


@pytest.mark.parametrize(
    ("dtype", "scale", "one"),
    [("uint16", None, 65535), ("uint16", 10_000, 10_000), ("float32", None, 1)],
)
def test_the_image_is_scaled(tmp_path: Path, dtype: str, scale: float | None, one: float) -> None:
    image = np.random.default_rng(0).integers(0, one + 1, (2, 8, 8)).astype(dtype)
    write(tmp_path / "a.tif", image)
    dataset = from_torchgeo(RasterDataset(tmp_path), {}, {}, scale=scale)
    np.testing.assert_allclose(dataset[dataset.bounds]["image"], image / one, rtol=1e-6)


def test_scenes_of_several_dates_are_scenes_of_their_own(tmp_path: Path) -> None:
    """Not a merge of all dates."""

    class Dated(RasterDataset):
        filename_regex = r"(?P<date>\d{8})"

    for number, date in enumerate(("20240101", "20240601")):
        write(tmp_path / f"{date}.tif", np.full((1, 16, 16), 100 + number, np.uint8))
    dataset = from_torchgeo(Dated(tmp_path), {}, {})
    values = [dataset[query]["image"].unique() * 255 for query in GridChips(dataset, 16)]
    assert [value.round().tolist() for value in values] == [[100], [101]]
    drawn = torch.stack([dataset[q]["image"] for q in RandomChips(dataset, 16, 20, seed=0)]) * 255
    assert drawn.round().unique().tolist() == [100, 101]


def test_polygons_may_be_labels(root: Path) -> None:
    """A VectorDataset declares no nodata: 0 is where no polygon is."""
    import geopandas
    import shapely

    west = shapely.box(WEST, NORTH - SIZE * GSD, WEST + SIZE * GSD / 2, NORTH)
    everywhere = shapely.box(WEST, NORTH - SIZE * GSD, WEST + SIZE * GSD, NORTH)
    frame = geopandas.GeoDataFrame({"class": [2, 1]}, geometry=[west, everywhere], crs="EPSG:32633")
    (root / "polygons").mkdir()
    frame.iloc[:1].to_file(root / "polygons/a.gpkg")
    both = RasterDataset(root / "image") & VectorDataset(root / "polygons", label_name="class")
    dataset = from_torchgeo(both, {"mask": "landcover"}, LABELS)
    assert dataset[dataset.bounds]["landcover"].unique().tolist() == [2, 255]


def test_it_goes_to_another_process_and_holds_no_file_open(root: Path) -> None:
    """Forked processes that share an open file would read at each other's position."""
    before_it = RasterDataset._cached_load_warp_file.cache_info().misses
    dataset = adapted(root)
    assert RasterDataset._cached_load_warp_file.cache_info().misses == before_it
    before = dataset[dataset.bounds]
    after = pickle.loads(pickle.dumps(dataset))[dataset.bounds]  # noqa: S301 - made here
    for key in before:
        torch.testing.assert_close(before[key], after[key], equal_nan=True)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"keys": {"landcover": "landcover"}}, "has no 'landcover', but .*'mask'"),
        ({"kinds": {}}, "no kind is given for"),
        ({"bands": [4]}, "bands: must be 1 to 3, got"),
        ({"bands": []}, "bands: must be 1 to 3, got"),
        ({"scale": 0}, "scale: must be > 0, got 0"),
        ({"gsd": 0.3}, r"dataset: has pixels of .*gsd is 0.3; make it with res=0.3"),
    ],
)
def test_arguments_that_do_not_fit(root: Path, settings: Any, words: str) -> None:
    arguments = {"keys": {"mask": "landcover"}, "kinds": LABELS} | settings
    with pytest.raises(InvalidValueError, match=words):
        from_torchgeo(their_dataset(root), **arguments)


def test_degrees_are_no_metres(tmp_path: Path) -> None:
    place = rasterio.transform.from_origin(13.0, 52.4, 2e-6, 2e-6)
    write(tmp_path / "a.tif", noise(1, 8, 8), crs="EPSG:4326", transform=place)
    with pytest.raises(InputError, match="lies in degrees"):
        from_torchgeo(RasterDataset(tmp_path), {}, {}, gsd=0.3)


def test_two_masks_of_one_key_are_refused(root: Path) -> None:
    """torchgeo concatenates them to one of twice the height."""
    twice = RasterDataset(root / "image") & (
        LandCover(root / "landcover") & LandCover(root / "height")
    )
    dataset = from_torchgeo(twice, {"mask": "landcover"}, LABELS)
    with pytest.raises(InputError, match="give each label a key of its own"):
        dataset[dataset.bounds]
