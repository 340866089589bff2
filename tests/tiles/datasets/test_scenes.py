from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.warp
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Resampling
from rasterio.transform import from_origin
from rasterio.windows import Window

import tiles.datasets.rasters
from tests.rasters import GSD, NORTH, WEST, noise, write
from tiles.datasets.rasters import ClassRasters, ValueRasters
from tiles.datasets.scenes import scene_dataset
from tiles.errors import InputError

ALWAYS = slice(None)
BOTH: dict[str, Any] = {"landcover": "classes", "height": "values"}


def chip(column: float, row: float, size: int, gsd: float = GSD, origin: float = GSD) -> Any:
    """The query for `size` pixels of `gsd` whose corner is at (column, row) of `origin`."""
    x, y = WEST + column * origin, NORTH - row * origin
    return slice(x, x + size * gsd), slice(y - size * gsd, y), ALWAYS


def make(root: Path, size: int = 40, seed: int = 0, name: str = "a", **where: Any) -> None:
    rng = np.random.default_rng(seed)
    write(root / "image" / f"{name}.tif", noise(3, size, size, seed=seed), **where)
    classes = rng.integers(0, 6, (size, size), dtype=np.uint8)
    write(root / "landcover" / f"{name}.tif", classes, **where)
    heights = rng.gamma(2, 3, (size, size)).astype(np.float32)
    write(root / "height" / f"{name}.tif", heights, **where)


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        data: np.ndarray = file.read()
    return data


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(column=st.integers(0, 24), row=st.integers(0, 24))
def test_a_chip_is_the_slice_of_the_arrays(
    tmp_path_factory: pytest.TempPathFactory, column: int, row: int
) -> None:
    root = tmp_path_factory.getbasetemp() / "slices"
    if not root.exists():
        make(root)
    sample = scene_dataset(root, BOTH, (3, 1))[chip(column, row, 16)]
    where = (..., slice(row, row + 16), slice(column, column + 16))
    image = read(root / "image/a.tif")[[2, 0]][where] / 255
    assert sample["image"].dtype == torch.float32
    np.testing.assert_allclose(sample["image"].numpy(), image, rtol=0, atol=1e-7)
    assert sample["landcover"].dtype == torch.int64
    np.testing.assert_array_equal(
        sample["landcover"].numpy(), read(root / "landcover/a.tif")[0][where]
    )
    assert sample["height"].dtype == torch.float32
    np.testing.assert_array_equal(sample["height"].numpy(), read(root / "height/a.tif")[0][where])
    assert set(sample) == {"image", *BOTH}


def test_nodata_is_unknown_and_zero_is_not(tmp_path: Path) -> None:
    image = noise(3, 8, 8) | 1
    image[:, 0, 0] = 0
    classes = np.zeros((8, 8), np.uint8)
    classes[1, 1], classes[2, 2] = 99, 255
    heights = np.zeros((8, 8), np.float32)
    heights[3, 3], heights[4, 4], heights[5, 5] = -9999, np.nan, 0.0625
    write(tmp_path / "image/a.tif", image, nodata=0)
    write(tmp_path / "landcover/a.tif", classes, nodata=99)
    write(tmp_path / "height/a.tif", heights, nodata=-9999)
    sample = scene_dataset(tmp_path, BOTH, (1, 2, 3))[chip(0, 0, 8)]

    # (0, 0) is unknown in the orthophoto, and so in every label.
    expected = np.zeros((8, 8), np.int64)
    expected[0, 0] = expected[1, 1] = expected[2, 2] = 255
    np.testing.assert_array_equal(sample["landcover"].numpy(), expected)
    expected_heights = np.zeros((8, 8), np.float32)
    expected_heights[0, 0] = expected_heights[3, 3] = expected_heights[4, 4] = np.nan
    expected_heights[5, 5] = 0.0625
    np.testing.assert_array_equal(sample["height"].numpy(), expected_heights)
    unknown = np.zeros((8, 8), bool)
    unknown[0, 0] = True
    np.testing.assert_array_equal(sample["image"].isnan().numpy(), np.stack([unknown] * 3))


@pytest.mark.parametrize("kind", ["mask", "rgba", "five bands"])
def test_masks_and_alpha_are_nodata_too(tmp_path: Path, kind: str) -> None:
    known = np.full((8, 8), 255, np.uint8)
    known[2:4, 5] = 0
    image = noise(4 if kind == "five bands" else 3, 8, 8)
    if kind == "mask":
        write(tmp_path / "image/a.tif", image, mask=known)
    else:
        path = write(tmp_path / "image/a.tif", np.concatenate([image, known[None]]))
        with rasterio.open(path, "r+") as file:
            file.colorinterp = (*file.colorinterp[:-1], ColorInterp.alpha)
    sample = scene_dataset(tmp_path, {}, (1, 2, 3))[chip(0, 0, 8)]
    np.testing.assert_array_equal(sample["image"][1].isnan().numpy(), known == 0)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_the_largest_value_of_a_type_is_one(tmp_path: Path, dtype: str) -> None:
    top = 1.0 if dtype == "float32" else np.iinfo(dtype).max
    image = np.full((1, 4, 4), top, dtype)
    image[0, 0, 0] = 0
    write(tmp_path / "image/a.tif", image)
    sample = scene_dataset(tmp_path, {}, [1])[chip(0, 0, 4)]["image"]
    assert sample[0, 0, 0] == 0
    assert sample[0, 1, 1] == 1


def test_five_to_nine_averages_by_area(tmp_path: Path) -> None:
    """9 pixels of 0.15 m become 5 of 0.27 m, each 1.8 of the small ones wide and high."""
    heights = np.random.default_rng(1).random((9, 9)).astype(np.float32) * 30
    write(tmp_path / "image/a.tif", np.zeros((1, 9, 9), np.uint8))
    write(tmp_path / "height/a.tif", heights)
    sample = scene_dataset(tmp_path, {"height": "values"}, [1], gsd=0.27)[chip(0, 0, 5, 0.27)]
    # Row i of the weights: how much of each small pixel lies in the large one, of 1.8.
    shares = np.array(
        [
            [5, 4, 0, 0, 0, 0, 0, 0, 0],
            [0, 1, 5, 3, 0, 0, 0, 0, 0],
            [0, 0, 0, 2, 5, 2, 0, 0, 0],
            [0, 0, 0, 0, 0, 3, 5, 1, 0],
            [0, 0, 0, 0, 0, 0, 0, 4, 5],
        ]
    )
    np.testing.assert_allclose(
        sample["height"].numpy(), shares @ heights @ shares.T / 81, rtol=1e-5
    )


def test_averages_are_those_of_gdal_warp(tmp_path: Path) -> None:
    heights = np.random.default_rng(2).random((45, 45)).astype(np.float32) * 30
    heights[10:13, 20:26] = -9999
    write(tmp_path / "image/a.tif", np.zeros((1, 45, 45), np.uint8))
    path = write(tmp_path / "height/a.tif", heights, nodata=-9999)
    dataset = scene_dataset(tmp_path, {"height": "values"}, [1], gsd=0.45)
    sample = dataset[chip(3, 6, 10, 0.45)]["height"].numpy()
    expected = np.full((10, 10), -1, np.float32)
    with rasterio.open(path) as file:
        rasterio.warp.reproject(
            rasterio.band(file, 1),
            expected,
            dst_transform=from_origin(WEST + 0.45, NORTH - 0.90, 0.45, 0.45),
            dst_crs=file.crs,
            dst_nodata=np.nan,
            resampling=Resampling.average,
        )
    known = ~np.isnan(sample) & ~np.isnan(expected)
    assert known.mean() > 0.9
    np.testing.assert_allclose(sample[known], expected[known], rtol=1e-5)
    # Cells of which GDAL knows nothing are unknown here as well; -9999 has not leaked anywhere.
    assert np.isnan(sample[np.isnan(expected)]).all()
    assert np.nanmin(sample) >= 0


def test_classes_are_decided_by_majority(tmp_path: Path) -> None:
    """3 x 3 pixels become one; an average of 1 and 5 would be a class that is not there."""
    blocks = np.array([[5, 1, 5, 1, 5, 1, 5, 1, 5], [1, 1, 5, 1, 5, 1, 5, 1, 1]], np.uint8)
    classes = np.concatenate([block.reshape(3, 3) for block in blocks], axis=1)
    write(tmp_path / "image/a.tif", np.zeros((1, 3, 6), np.uint8))
    write(tmp_path / "landcover/a.tif", classes)
    dataset = scene_dataset(tmp_path, {"landcover": "classes"}, [1], gsd=0.45)
    sample = dataset[slice(WEST, WEST + 0.9), slice(NORTH - 0.45, NORTH), ALWAYS]
    assert sample["landcover"].tolist() == [[5, 1]]


@pytest.mark.parametrize("gsd", [0.05, 0.1, 0.27, 0.6])
@pytest.mark.parametrize(("column", "row"), [(0, 0), (17, 31)])
def test_a_ramp_is_not_shifted(tmp_path: Path, gsd: float, column: int, row: int) -> None:
    rows, columns = np.mgrid[:90, :90]
    ramp = (rows * 2 + columns).astype(np.float32)
    write(tmp_path / "image/a.tif", np.zeros((1, 90, 90), np.uint8))
    write(tmp_path / "height/a.tif", ramp)
    dataset = scene_dataset(tmp_path, {"height": "values"}, [1], gsd=gsd)
    got = dataset[chip(column, row, 12, gsd)]["height"].numpy()
    centres = (np.arange(12) + 0.5) * gsd / GSD - 0.5
    expected = (row + centres)[:, None] * 2 + (column + centres)
    # Where they are constant, bilinear weights leave the outermost half pixel level.
    inner = slice(3, None) if (column, row) == (0, 0) and gsd < GSD else slice(None)
    error = (got - expected)[inner, inner]
    assert np.abs(error).max() < 0.2  # of 3 per pixel: averages of steps are not quite a ramp's
    assert abs(error.mean()) < 0.02


def test_scenes_that_touch_are_read_together(tmp_path: Path) -> None:
    image = noise(1, 20, 60)
    for number, left in enumerate((0, 20, 40)):
        write(tmp_path / f"image/{number}.tif", image[:, :, left : left + 20], at=(left, 0))
    sample = scene_dataset(tmp_path, {}, [1])[chip(10, 2, 40)]["image"].numpy()
    expected = np.full((1, 40, 40), np.nan, np.float32)
    expected[:, :18] = image[:, 2:, 10:50] / np.float32(255)
    np.testing.assert_allclose(sample, expected, atol=1e-7)


def test_where_files_overlap_the_first_that_knows_a_pixel_counts(tmp_path: Path) -> None:
    first = np.full((1, 10, 10), 10, np.uint8)
    first[:, 4:6, 8] = 0
    write(tmp_path / "image/1.tif", first, nodata=0)
    write(tmp_path / "image/2.tif", np.full((1, 10, 10), 20, np.uint8), at=(5, 0), nodata=0)
    sample = scene_dataset(tmp_path, {}, [1])[chip(0, 0, 15)]["image"][0].numpy() * 255
    expected = np.full((15, 15), np.nan)
    expected[:10, :10], expected[:10, 10:], expected[4:6, 8] = 10, 20, 20
    np.testing.assert_allclose(sample, expected, rtol=1e-6)


def test_more_files_than_are_held_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles.datasets.chip_reader, "OPEN_FILES", 2)
    image = noise(1, 8, 40)
    for number in range(5):
        part = image[:, :, 8 * number : 8 * number + 8]
        write(tmp_path / f"image/{number}.tif", part, at=(8 * number, 0))
    dataset = scene_dataset(tmp_path, {}, [1])
    for _ in range(2):
        got = dataset[chip(0, 0, 40)]["image"][:, :8].numpy() * 255
        np.testing.assert_allclose(got, image, rtol=1e-6)
        assert isinstance(dataset, tiles.datasets.rasters.Orthophotos)
        assert len(dataset._reader._open_files) == 2


@pytest.mark.parametrize(
    ("dtype", "value", "kind"),
    [
        ("float32", 7.5, "height"),
        ("int16", 7, "height"),
        ("uint8", 3, "landcover"),
        ("uint8", 200, "image"),
    ],
)
def test_another_crs_is_unknown_beyond_its_edge(
    tmp_path: Path, dtype: str, value: float, kind: str
) -> None:
    """A square of the neighbouring zone stands askew: its corners are unknown, not zero."""
    count = 3 if kind == "image" else 1
    write(tmp_path / kind / "b.tif", np.full((count, 64, 64), value, dtype), gsd=1.0)
    there = CRS.from_epsg(32634)
    dataset: Any
    if kind == "image":
        # The first file says in which CRS they are read.
        x, y = rasterio.warp.transform("EPSG:32633", there, [WEST], [NORTH])
        path = write(
            tmp_path / "image/a.tif",
            np.full((3, 8, 8), 9, np.uint8),
            crs="EPSG:32634",
            transform=from_origin(x[0] - 500, y[0], 1.0, 1.0),
        )
        dataset = scene_dataset(tmp_path, {}, (1, 2, 3), 1.0)
        assert path.is_file()
    else:
        rasters = ValueRasters if kind == "height" else ClassRasters
        dataset = rasters(tmp_path / kind, kind, gsd=1.0, crs=there)
    corners = [(WEST, NORTH), (WEST + 64, NORTH), (WEST, NORTH - 64), (WEST + 64, NORTH - 64)]
    xs, ys = rasterio.warp.transform(
        "EPSG:32633", there, [x for x, _ in corners], [y for _, y in corners]
    )
    left, top = round(min(xs)) - 2, round(max(ys)) + 2
    data = dataset[slice(left, left + 76), slice(top - 76, top), ALWAYS][kind]
    if kind == "image":
        data = (data[0] * 255).round()
    known = data != 255 if kind == "landcover" else ~data.isnan()
    np.testing.assert_allclose(data[known], value, rtol=1e-6)

    # Pixel centres taken back to the file's own zone tell which ones lie in the file.
    grid_x, grid_y = np.meshgrid(left + 0.5 + np.arange(76), top - 0.5 - np.arange(76))
    back = rasterio.warp.transform(there, "EPSG:32633", grid_x.ravel(), grid_y.ravel())
    x, y = (np.reshape(axis, (76, 76)) for axis in back)
    depth = np.minimum.reduce([x - WEST, WEST + 64 - x, NORTH - y, y - NORTH + 64])
    assert known.numpy()[depth > 1.5].all()
    assert not known.numpy()[depth < -1.5].any()


def test_labels_of_another_crs_lie_where_they_belong(tmp_path: Path) -> None:
    """GDAL's own warp of the labels to the image's zone is the truth."""
    rows, columns = np.mgrid[:80, :80]
    ramp = (rows * 0.5 + columns).astype(np.float32)
    x, y = rasterio.warp.transform("EPSG:32633", "EPSG:32634", [WEST], [NORTH])
    label = write(
        tmp_path / "height/a.tif",
        ramp,
        crs="EPSG:32634",
        transform=from_origin(x[0] - 10, y[0] + 10, 1.0, 1.0),
    )
    write(tmp_path / "image/a.tif", np.zeros((1, 50, 50), np.uint8), gsd=1.0)
    sample = scene_dataset(tmp_path, {"height": "values"}, [1])[chip(0, 0, 50, 1.0)]
    expected = np.full((50, 50), np.nan, np.float32)
    with rasterio.open(label) as file:
        rasterio.warp.reproject(
            rasterio.band(file, 1),
            expected,
            dst_transform=from_origin(WEST, NORTH, 1.0, 1.0),
            dst_crs="EPSG:32633",
            dst_nodata=np.nan,
            resampling=Resampling.bilinear,
        )
    got = sample["height"].numpy()
    assert np.isnan(got).sum() < 100
    both = ~np.isnan(got) & ~np.isnan(expected)
    assert both.mean() > 0.9
    # GDAL may be off by an eighth of a pixel; a pixel is 1.5 at most here.
    np.testing.assert_allclose(got[both], expected[both], atol=0.2)
    assert abs((got - expected)[both].mean()) < 0.05


def test_labels_that_are_not_named_are_never_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path)
    (tmp_path / "height/a.tif").write_bytes(b"garbage")
    opened: list[str] = []
    original = rasterio.open

    def spy(path: Any, *args: Any, **kwargs: Any) -> Any:
        opened.append(Path(path).parent.name)
        return original(path, *args, **kwargs)

    monkeypatch.setattr(rasterio, "open", spy)
    sample = scene_dataset(tmp_path, {"landcover": "classes"}, [1])[chip(0, 0, 8)]
    assert set(sample) == {"image", "landcover"}
    assert set(opened) == {"image", "landcover"}


def no_folder(root: Path) -> None:
    (root / "height/a.tif").unlink()
    (root / "height").rmdir()


def no_files(root: Path) -> None:
    (root / "height/a.tif").rename(root / "height/a.txt")


def garbage(root: Path) -> None:
    (root / "height/b.tif").write_bytes(b"not a TIFF")


def no_crs(root: Path) -> None:
    write(root / "height/b.tif", np.zeros((4, 4), np.float32), crs=None)


def rotated(root: Path) -> None:
    turned = from_origin(WEST, NORTH, GSD, GSD) @ rasterio.Affine.rotation(10)
    write(root / "height/b.tif", np.zeros((4, 4), np.float32), transform=turned)


def two_bands(root: Path) -> None:
    write(root / "image/b.tif", noise(2, 8, 8), at=(40, 0))


def elsewhere(root: Path) -> None:
    make(root / "other", at=(1000, 0))
    (root / "other/height/a.tif").replace(root / "height/a.tif")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (no_folder, "height: no such folder"),
        (no_files, "height: holds no .tif"),
        (garbage, "b.tif: cannot be read"),
        (no_crs, "b.tif: has no CRS"),
        (rotated, "b.tif: is rotated"),
        (two_bands, "b.tif: has 2 bands, band 3"),
        (elsewhere, "do not overlap"),
    ],
)
def test_faults_are_named(tmp_path: Path, harm: Any, words: str) -> None:
    make(tmp_path)
    scene_dataset(tmp_path, BOTH, (1, 2, 3))
    harm(tmp_path)
    with pytest.raises(InputError, match=words):
        scene_dataset(tmp_path, BOTH, (1, 2, 3))


@pytest.mark.parametrize("bands", [[], [0], [1, -1]])
def test_bands_are_counted_from_one(tmp_path: Path, bands: list[int]) -> None:
    make(tmp_path)
    with pytest.raises(InputError, match="from 1"):
        scene_dataset(tmp_path, {}, bands)


@pytest.mark.parametrize(
    ("crs", "west", "north", "unit"),
    [
        ("EPSG:2225", 6_000_000, 2_000_000, 0.305),  # California, in US survey feet
        ("EPSG:3857", 1_447_000, 6_870_000, 0.61),  # Web Mercator in Berlin: cos 52.4 degrees
    ],
)
def test_units_that_are_no_metres(
    tmp_path: Path, crs: str, west: float, north: float, unit: float
) -> None:
    make(tmp_path, crs=crs, transform=from_origin(west, north, 0.5, 0.5))
    with pytest.raises(InputError, match=rf"a\.tif: has .* units of {unit} m on the ground"):
        scene_dataset(tmp_path, BOTH, (1, 2, 3), gsd=0.5)


def test_degrees_are_no_metres(tmp_path: Path) -> None:
    place = {"crs": "EPSG:4326", "transform": from_origin(13.0, 52.4, 2e-6, 2e-6)}
    make(tmp_path, **place)
    with pytest.raises(InputError, match=r"a\.tif: lies in degrees"):
        scene_dataset(tmp_path, BOTH, (1,), 0.27)


def test_a_file_cut_short_is_named_when_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "image/a.tif", noise(1, 300, 300), compress="deflate")
    dataset = scene_dataset(tmp_path, {}, [1])
    path.write_bytes(path.read_bytes()[:40_000])
    with pytest.raises(InputError, match=r"a.tif: cannot be read"):
        dataset[chip(200, 200, 50)]


def test_a_file_that_went_away_is_named(tmp_path: Path) -> None:
    make(tmp_path)
    dataset = scene_dataset(tmp_path, {}, [1])
    (tmp_path / "image/a.tif").unlink()
    with pytest.raises(InputError, match=r"a.tif: does not exist"):
        dataset[chip(0, 0, 8)]


def test_outside_of_all_files_is_an_index_error(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(IndexError):
        scene_dataset(tmp_path, {}, [1])[chip(40, 0, 8)]  # they only touch


def test_a_data_set_goes_to_another_process_without_open_files(tmp_path: Path) -> None:
    make(tmp_path)
    dataset = scene_dataset(tmp_path, BOTH, (1, 2, 3))
    before = dataset[chip(3, 4, 8)]
    after = pickle.loads(pickle.dumps(dataset))[chip(3, 4, 8)]  # noqa: S301 - made here
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_a_window_read_by_rasterio_is_the_same(tmp_path: Path) -> None:
    """An internal tile layout, another byte order of bands, and compression change nothing."""
    image = noise(3, 70, 70)
    path = write(
        tmp_path / "image/a.tif",
        image,
        tiled=True,
        blockxsize=16,
        blockysize=16,
        compress="lzw",
        interleave="band",
    )
    with rasterio.open(path) as file:
        expected = file.read(2, window=Window(31, 9, 20, 20)) / 255
    got = scene_dataset(tmp_path, {}, [2])[chip(31, 9, 20)]["image"][0]
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-7)


@pytest.mark.parametrize(("dtype", "unknown"), [("float32", True), ("uint8", False)])
def test_one_band_of_nodata(tmp_path: Path, dtype: str, unknown: bool) -> None:
    """Of floats it makes the pixel unknown; of bytes it may be a dark colour."""
    image = np.full((3, 8, 8), 1, dtype)
    nodata = -9999.0 if unknown else 0
    image[1, 2, 3] = nodata
    write(tmp_path / "image" / "a.tif", image, nodata=nodata)
    pixel = scene_dataset(tmp_path, {}, [1, 2, 3])[chip(0, 0, 8)]["image"][:, 2, 3]
    assert bool(pixel.isnan().all()) == unknown
    assert bool(pixel.isnan().any()) == unknown


def test_other_spellings_of_tif(tmp_path: Path) -> None:
    for name in ("a.TIF", "b.tiff"):
        write(tmp_path / "image" / name, noise(3, 8, 8), at=(0 if name[0] == "a" else 8, 0))
    (tmp_path / "image" / "a.TIF.aux.xml").write_text("<PAMDataset/>", encoding="utf-8")
    (tmp_path / "image" / ".b.tif").write_text("half", encoding="utf-8")
    assert len(scene_dataset(tmp_path, {}, [1, 2, 3])) == 2


def test_infrared_that_gdal_takes_for_alpha(tmp_path: Path) -> None:
    image = noise(4, 8, 8) | 1
    image[3, 2, 3] = 0
    write(tmp_path / "image" / "a.tif", image, photometric="RGB", alpha="YES")
    read_as = scene_dataset(tmp_path, {}, [4, 1, 2])[chip(0, 0, 8)]["image"]
    assert torch.equal((read_as * 255).round().to(torch.uint8), torch.from_numpy(image[[3, 0, 1]]))
    masked = scene_dataset(tmp_path, {}, [1, 2, 3])[chip(0, 0, 8)]["image"]
    assert bool(masked[:, 2, 3].isnan().all())
