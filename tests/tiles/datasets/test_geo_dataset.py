"""Our scenes are data sets of torchgeo: its own checks of a ``GeoDataset`` hold for them.

They are those of TestGeoDataset in torchgeo's tests/datasets/test_geo.py. And the other way round:
the mosaicker maps data sets of torchgeo by networks of torchgeo.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from pyproj import CRS
from torchgeo.datasets import (
    GeoDataset,
    IntersectionDataset,
    NonGeoDataset,
    RasterDataset,
    Sentinel2,
    UnionDataset,
)
from torchgeo.models import Unet_Weights, unet

from tests.rasters import GSD, noise, write
from tiles.datasets import dataset_rasters, scene_dataset, to_torchgeo
from tiles.errors import InputError
from tiles.maps.layers import ClassMap
from tiles.mosaic.mosaicker import mosaic

SIZE = 24


@pytest.fixture(params=["scenes", "to_torchgeo"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], GeoDataset]:
    write(tmp_path / "image/a.tif", noise(3, SIZE, SIZE))
    write(tmp_path / "landcover/a.tif", noise(1, SIZE, SIZE) % 5)

    def make() -> GeoDataset:
        scenes = scene_dataset(tmp_path, {"landcover": "classes"}, (1, 2, 3))
        return scenes if request.param == "scenes" else to_torchgeo(scenes, fill=0.0)

    return make


class Table(NonGeoDataset):
    def __getitem__(self, index: int) -> dict[str, int]:
        return {"index": index}

    def __len__(self) -> int:
        return 2


def test_torchgeo_s_checks_of_a_geo_dataset(make: Callable[[], GeoDataset]) -> None:
    dataset = make()
    assert len(dataset) == 1
    assert dataset[dataset.bounds]["image"].shape == (3, SIZE, SIZE)
    text = str(dataset)
    assert "Dataset\n    type: " in text
    assert "bbox: (slice" in text
    assert "size: 1" in text
    copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301 - our own
    assert (copy.crs, copy.res, len(copy)) == (dataset.crs, dataset.res, len(dataset))
    assert copy.bounds == dataset.bounds
    with pytest.raises(ValueError, match="IntersectionDataset only supports GeoDatasets"):
        dataset & Table()  # type: ignore[operator]
    for crs in (CRS.from_epsg(4087), CRS.from_epsg(32631)):
        dataset.crs = crs
        assert dataset.crs == crs


def test_torchgeo_joins_scenes(make: Callable[[], GeoDataset]) -> None:
    one, two, three, four = (make() for _ in range(4))
    pairs = one & two, three & four
    for joined, parts in ((pairs[0], 2), (one & two & three, 3), (pairs[0] & pairs[1], 4)):
        assert isinstance(joined, IntersectionDataset)
        assert len(joined) == 1
        assert joined[joined.bounds]["image"].shape == (3 * parts, SIZE, SIZE)
    either = one | two, three | four
    for joined, parts in ((either[0], 2), (one | two | three, 3), (either[0] | either[1], 4)):
        assert isinstance(joined, UnionDataset)
        assert len(joined) == parts
        assert joined[joined.bounds]["image"].shape == (3, SIZE, SIZE)


def test_parts_of_a_query_are_filled_in(make: Callable[[], GeoDataset]) -> None:
    dataset = make()
    x, y, time = dataset.bounds
    # The open ends are those of the data set, as in torchgeo's table.
    for query, expected in (
        (slice(None), (x, y, time)),
        ((slice(None), slice(y.start, None)), (x, y, time)),
        (slice(x.start + 1, None), (slice(x.start + 1, x.stop, x.step), y, time)),
        ((slice(None), slice(None, y.stop - 1)), (x, slice(y.start, y.stop - 1, y.step), time)),
    ):
        assert dataset._disambiguate_slice(query) == expected


class Bands(RasterDataset):
    """Scenes with a file per band, as those of satellites."""

    filename_glob = "*_B04.tif"
    filename_regex = r"^(?P<tile>\w+?)_\d{8}_(?P<band>B\d\d)\.tif"
    separate_files = True
    all_bands = ("B02", "B03", "B04", "B08")


def write_bands(folder: Path, date: str, seed: int, size: int = 64) -> np.ndarray:
    values = (noise(4, size, size, seed=seed).astype(np.uint16) + 1) * 12
    for band, image in zip(Bands.all_bands, values, strict=True):
        write(folder / f"T_{date}_{band}.tif", image[None], gsd=10.0)
    return values


def test_a_model_of_torchgeo_maps_a_data_set_with_a_file_per_band(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fields of the World: two dates of Sentinel-2 in, fields out.

    The weights are random, in the file that torchgeo would have fetched.
    """
    first = write_bands(tmp_path / "spring", "20260401", seed=1)
    second = write_bands(tmp_path / "summer", "20260701", seed=2)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    weights = Unet_Weights.SENTINEL2_2CLASS_FTW
    torch.manual_seed(0)
    made = unet(encoder_name="efficientnet-b3", encoder_weights=None, in_channels=8, classes=2)
    file = tmp_path / "hub/checkpoints" / weights.url.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    torch.save(made.state_dict(), file)
    model = unet(weights).eval()

    order = ["B04", "B03", "B02", "B08"]
    both = IntersectionDataset(
        Bands(tmp_path / "spring", bands=order),
        Bands(tmp_path / "summer", bands=order),
    )
    sample = both[both.bounds]["image"]
    rows = [2, 1, 0, 3]
    np.testing.assert_array_equal(sample, np.concatenate([first[rows], second[rows]]))
    with torch.no_grad():
        expected = model(weights.transforms(sample[None].clone())).argmax(dim=1)[0].numpy()

    @torch.no_grad()
    def network(batch: torch.Tensor) -> Any:
        return model(weights.transforms(batch))

    layer = ClassMap("fields", ("background", "field"), ((0, 0, 0), (255, 255, 0)))
    mosaic(dataset_rasters(both), network, layer, tmp_path / "fields.tif", tile=64)
    with rasterio.open(tmp_path / "fields.tif") as made_map:
        assert made_map.crs == both.crs
        assert (made_map.read(1) == expected).mean() > 0.999
    assert 0 < expected.mean() < 1


def test_scenes_of_a_data_set_become_one_map(tmp_path: Path) -> None:
    values = noise(2, 40, 60)
    for number, columns in enumerate((slice(0, 30), slice(30, 60))):
        write(tmp_path / f"{number}.tif", values[:, :, columns], at=(30 * number, 0), gsd=GSD)

    class Photos(RasterDataset):
        filename_glob = "*.tif"
        all_bands = ("red", "nir")

    layer = ClassMap("bright", ("no", "yes"), ((0, 0, 0), (9, 9, 9)))
    dataset = Photos(tmp_path, bands=["nir"])
    out = tmp_path / "out.tif"

    def network(batch: torch.Tensor) -> torch.Tensor:
        return torch.cat([128 - batch, batch - 127], dim=1)

    mosaic(dataset_rasters(dataset), network, layer, out, tile=16)
    with rasterio.open(out) as made:
        assert np.array_equal(made.read(1), values[1] > 127)
    # Without names of bands, files are mapped as they are; unions are both.
    plain = RasterDataset([tmp_path / "0.tif"])
    assert dataset_rasters(plain | plain) == [str(tmp_path / "0.tif")] * 2


class Masks(RasterDataset):
    filename_glob = "*.tif"
    is_image = False


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: Masks(path / "a"), "Masks has masks"),
        (
            lambda path: Bands(path / "lost", bands=["B04", "B08"]),
            r"B08.tif: is missing",
        ),
        (lambda path: Bands(path / "mixed", bands=["B04", "B08"]), "another grid or type"),
        (
            lambda path: RasterDataset(path / "a") & RasterDataset(path / "a"),
            "parts without names of bands",
        ),
        (
            lambda path: RasterDataset(path / "a") & (Masks(path / "a") & Masks(path / "a")),
            "more than two data sets",
        ),
    ],
)
def test_data_sets_that_cannot_be_mapped(
    tmp_path: Path, make: Callable[[Path], GeoDataset], says: str
) -> None:
    write(tmp_path / "a/a.tif", noise(1, 8, 8))
    write_bands(tmp_path / "lost", "20260401", seed=1, size=8)
    (tmp_path / "lost/T_20260401_B08.tif").unlink()
    write_bands(tmp_path / "mixed", "20260401", seed=1, size=8)
    write(tmp_path / "mixed/T_20260401_B08.tif", noise(1, 4, 4), gsd=20.0)
    with pytest.raises(InputError, match=says):
        dataset_rasters(make(tmp_path))


def test_the_files_of_sentinel_2_are_found(tmp_path: Path) -> None:
    for number, band in enumerate(("B02", "B03", "B04", "B08")):
        path = tmp_path / f"R10m/T26EMU_20220414T110751_{band}_10m.tif"
        write(path, noise(1, 8, 8, seed=number), gsd=10.0)
    dataset = Sentinel2(tmp_path, bands=["B08", "B04"])
    (raster,) = dataset_rasters(dataset)
    with rasterio.open(raster) as stack:
        assert stack.descriptions == ("B08", "B04")
        assert np.array_equal(stack.read(), dataset[dataset.bounds]["image"].numpy())
