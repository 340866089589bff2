from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
import torch.nn.functional as F
import xarray
from rasterio.enums import ColorInterp

from semimtl_geo.checkpoint import KEY, ModelCard
from semimtl_geo.mapping import Mapper
from tests.rasters import noise, write
from tests.semimtl_geo.conftest import CROP, Run
from tiles.errors import InputError


@pytest.fixture
def mapper(run: Run) -> Mapper:
    """Its heights raised by 10 m: after two iterations they might all be cut off at the ground."""
    loaded = Mapper.load(run.checkpoint, device="cpu")
    state = loaded.generator.state_dict()
    state["decoders.height.regression.bias"] += 0.5
    return loaded


def smooth(height: int, width: int, bands: int = 3) -> np.ndarray:
    """Patches of colour, so that maps have structure."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(1, 255, (bands, -(-height // 8), -(-width // 8)), dtype=np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width]


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        data: np.ndarray = file.read(1)
    return data


@pytest.mark.parametrize(
    ("gsd", "crs"), [(0.27, "EPSG:32633"), (0.15, "EPSG:25832"), (0.5, "EPSG:2154")]
)
def test_maps_lie_on_the_grid_of_the_raster(
    mapper: Mapper, tmp_path: Path, gsd: float, crs: str
) -> None:
    image = smooth(83, 61)
    image[:, :9] = 0
    image[:, 40:50, 30:33] = 0
    raster = write(tmp_path / "my.photo.tif", image, gsd=gsd, crs=crs, nodata=0)
    made = mapper.map(raster, tmp_path / "maps")
    assert made.files == {
        name: tmp_path / f"maps/my.photo_{name}.tif" for name in ("landcover", "height")
    }
    with rasterio.open(raster) as source:
        grid = (source.crs, source.transform, source.width, source.height)
        known = source.dataset_mask() > 0
    for file in made.files.values():
        with rasterio.open(file) as target:
            assert (target.crs, target.transform, target.width, target.height) == grid
            np.testing.assert_array_equal(target.dataset_mask() > 0, known)
    classes, heights = read(made.files["landcover"]), read(made.files["height"])
    assert set(np.unique(classes[known])) <= set(range(6))
    assert heights[known].min() >= 0
    assert heights[known].std() > 0
    assert (heights[~known] == -9999).all()


def test_a_map_is_what_the_network_says(run: Run, tmp_path: Path) -> None:
    """One tile, forwarded here by hand from the file's weights with city B's statistics."""
    size = 2 * CROP
    image = smooth(size, size)
    mapper = Mapper.load(run.checkpoint, device="cpu")
    made = mapper.map(write(tmp_path / "a.tif", image, gsd=0.27), tmp_path, domain="city_b")
    assert made.statistics == "of the training domain city_b"

    content = torch.load(run.checkpoint, weights_only=True)
    generator = ModelCard.from_plain(content[KEY]).build_generator()
    generator.load_state_dict(
        {
            key.removeprefix("generator."): value
            for key, value in content["state_dict"].items()
            if key.startswith("generator.")
        }
    )
    generator.eval()
    generator.use_domain(1)
    with torch.no_grad():
        outputs = generator(torch.from_numpy(image)[None].float() / 255)
    probabilities = F.softmax(outputs["landcover"][0], dim=0).numpy()
    heights = 20.0 * outputs["height"][0, 0].clamp(min=0).numpy()
    np.testing.assert_allclose(read(made.files["height"]), heights, rtol=1e-4, atol=1e-4)
    first, second = np.sort(probabilities, axis=0)[-1:-3:-1]
    sure = first - second > 1e-5
    assert sure.mean() > 0.9
    np.testing.assert_array_equal(
        read(made.files["landcover"])[sure], probabilities.argmax(axis=0)[sure]
    )


def test_where_the_statistics_come_from_is_said(run: Run, mapper: Mapper, tmp_path: Path) -> None:
    raster = write(tmp_path / "a.tif", smooth(100, 100), gsd=0.27)
    maps: dict[str, np.ndarray] = {}
    for domain, words in (
        (None, "re-estimated on"),
        ("city_a", "of the training domain city_a"),
        ("city_b", "of the training domain city_b"),
    ):
        made = mapper.map(raster, tmp_path / str(domain), domain=domain)
        assert words in made.statistics
        for name, file in made.files.items():
            with rasterio.open(file) as target:
                tags = target.tags()
            assert tags["SEMIMTL_STATISTICS"] == made.statistics
            assert tags["SEMIMTL_MODEL"] == "semimtl.ckpt"
            assert tags["SEMIMTL_SYSTEM"] == "semimtl"
            digest = hashlib.sha256(run.checkpoint.read_bytes()).hexdigest()
            assert tags["SEMIMTL_MODEL_SHA256"] == digest
            if name == "height":
                maps[str(domain)] = read(file)
    assert not np.allclose(maps["None"], maps["city_a"])
    assert not np.allclose(maps["city_a"], maps["city_b"])


def test_adapting_changes_statistics_alone_and_leaves_the_mapper(
    mapper: Mapper, tmp_path: Path
) -> None:
    raster = write(tmp_path / "a.tif", smooth(100, 100), gsd=0.27)
    before = copy.deepcopy(mapper.generator.state_dict())
    adapted = mapper.adapt(raster)
    assert mapper.statistics is None
    for key, value in mapper.generator.state_dict().items():
        assert torch.equal(value, before[key])
    changed = {
        key.rsplit(".", 1)[1]
        for key, value in adapted.generator.state_dict().items()
        if not torch.equal(value, before[key])
    }
    assert changed - {"num_batches_tracked"} == {"running_mean", "running_var"}
    # And it is used, not made anew, for other rasters.
    other = write(tmp_path / "b.tif", 255 - smooth(80, 80), gsd=0.27)
    assert adapted.map(other, tmp_path).statistics == adapted.statistics


def test_adapting_to_one_colour(mapper: Mapper, tmp_path: Path) -> None:
    """The first layer's statistics, worked out: a constant image, away from the padded border."""
    raster = write(tmp_path / "a.tif", np.full((3, 64, 64), 102, np.uint8), gsd=0.27)
    adapted = mapper.adapt(raster)
    image = torch.full((1, 3, CROP, CROP), 102 / 255)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (mapper.card.mean, mapper.card.std))
    state = mapper.generator.state_dict()
    kernel = next(value for key, value in state.items() if key.endswith("conv1.0.weight"))
    features = F.conv2d((image - mean) / std, kernel, stride=2, padding=1)
    got = next(
        value
        for key, value in adapted.generator.state_dict().items()
        if key.endswith("norms.0.running_mean")
    )
    torch.testing.assert_close(got, features.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)


def maps_of(mapper: Mapper, raster: Path, bands: Sequence[int] | None = None) -> np.ndarray:
    return read(mapper.map(raster, raster.parent, bands=bands).files["height"])


def test_the_type_of_the_pixels_does_not_matter(mapper: Mapper, tmp_path: Path) -> None:
    image = smooth(70, 90)
    want = maps_of(mapper, write(tmp_path / "byte.tif", image, gsd=0.27))
    for name, same in (
        ("word", image.astype(np.uint16) * 257),
        ("float", (image / 255).astype(np.float32)),
    ):
        got = maps_of(mapper, write(tmp_path / f"{name}.tif", same, gsd=0.27))
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-3)


def test_bands_may_lie_in_another_order_and_alpha_is_none(mapper: Mapper, tmp_path: Path) -> None:
    image = smooth(70, 90)
    want = maps_of(mapper, write(tmp_path / "a.tif", image, gsd=0.27))
    mixed = np.stack([image[2], noise(70, 90), image[0], image[1]])
    got = maps_of(mapper, write(tmp_path / "b.tif", mixed, gsd=0.27), bands=[3, 4, 1])
    np.testing.assert_array_equal(got, want)
    alpha = np.concatenate([image, np.full((1, 70, 90), 255, np.uint8)])
    path = write(tmp_path / "c.tif", alpha, gsd=0.27)
    with rasterio.open(path, "r+") as file:
        file.colorinterp = (*file.colorinterp[:3], ColorInterp.alpha)
    np.testing.assert_array_equal(maps_of(mapper, path), want)


def test_maps_open_as_a_data_set_with_cf_attributes(mapper: Mapper, tmp_path: Path) -> None:
    image = smooth(40, 60)
    image[:, :5] = 0
    made = mapper.map(write(tmp_path / "a.tif", image, gsd=0.27, nodata=0), tmp_path)
    dataset = made.open()
    assert isinstance(dataset, xarray.Dataset)
    assert set(dataset.data_vars) == {"landcover", "height"}
    assert dataset.attrs["Conventions"].startswith("CF-")
    cover, height = dataset["landcover"], dataset["height"]
    assert (cover.dims, cover.shape) == (("y", "x"), (40, 60))
    assert cover.attrs["flag_values"].tolist() == [0, 1, 2, 3, 4, 5]
    assert cover.attrs["flag_values"].dtype == cover.dtype == np.uint8
    meanings = cover.attrs["flag_meanings"].split(" ")
    assert meanings[:2] == ["impervious_surfaces", "building"]
    assert len(meanings) == 6
    assert height.attrs["units"] == "m"
    assert height.attrs["long_name"] == "height above ground"
    assert (cover.attrs["_FillValue"], height.attrs["_FillValue"]) == (255, -9999)
    assert dataset.rio.crs.to_epsg() == 32633
    with rasterio.open(made.files["height"]) as file:
        assert dataset.rio.transform() == file.transform
        np.testing.assert_array_equal(height.to_numpy(), file.read(1))


def no_raster(folder: Path) -> Path:
    return folder / "none.tif"


def text(folder: Path) -> Path:
    (folder / "text.tif").write_text("hello")
    return folder / "text.tif"


def no_crs(folder: Path) -> Path:
    return write(folder / "bare.tif", smooth(40, 40), crs=None)


def one_band(folder: Path) -> Path:
    return write(folder / "grey.tif", smooth(40, 40, 1))


def all_unknown(folder: Path) -> Path:
    return write(folder / "void.tif", np.zeros((3, 40, 40), np.uint8), gsd=0.27, nodata=0)


@pytest.mark.parametrize(
    ("make", "settings", "words"),
    [
        (no_raster, {}, "does not exist"),
        (text, {}, "cannot be read"),
        (no_crs, {}, "no coordinate reference system"),
        (one_band, {}, "1 bands, the network wants 3 (NIR, red, green)"),
        (one_band, {"bands": [1, 2, 3]}, "has 1 bands"),
        (one_band, {"bands": [1, 1, 0]}, "has 1 bands"),
        (one_band, {"bands": [1]}, "1 bands, the network wants 3"),
        (one_band, {"bands": [1, 1, 1], "domain": "paris"}, "use one of city_a, city_b"),
        (all_unknown, {}, "has no known pixel"),
        (all_unknown, {"domain": "city_a"}, "has no known pixel"),
    ],
)
def test_faults_are_named_and_nothing_is_left(
    mapper: Mapper, tmp_path: Path, make: Any, settings: dict[str, Any], words: str
) -> None:
    raster = make(tmp_path)
    with pytest.raises(InputError) as caught:
        mapper.map(raster, tmp_path / "maps", **settings)
    assert words in str(caught.value)
    assert not list((tmp_path / "maps").glob("**/*"))


def test_a_folder_that_is_a_file(mapper: Mapper, tmp_path: Path) -> None:
    raster = write(tmp_path / "a.tif", smooth(40, 40), gsd=0.27)
    with pytest.raises(InputError, match=r"a\.tif: cannot be made"):
        mapper.map(raster, raster)


def test_progress_counts_tiles(mapper: Mapper, tmp_path: Path) -> None:
    """80 px in tiles of 32 that overlap by 16: 4 x 4."""
    raster = write(tmp_path / "a.tif", smooth(80, 80), gsd=0.27)
    seen: list[tuple[int, int]] = []
    mapper.map(
        raster, tmp_path, domain="city_a", tile=32, progress=lambda *counts: seen.append(counts)
    )
    assert seen[-1] == (16, 16)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
