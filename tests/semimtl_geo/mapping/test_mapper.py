from __future__ import annotations

import copy
import hashlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import rioxarray
import shapely
import torch
import torch.nn.functional as F
import xarray
from rasterio.enums import ColorInterp

from semimtl_geo.mapping import DarkRasterWarning
from semimtl_geo.mapping.mapper import Mapper
from semimtl_geo.mapping.predictor import Predictor
from semimtl_geo.networks.checkpoint import KEY
from semimtl_geo.networks.model_card import ModelCard
from semimtl_geo.tasks import Segmentation
from semimtl_geo.training.module import SemiMTL
from tests.rasters import NORTH, WEST, noise, write
from tests.semimtl_geo.conftest import CROP, Run
from tiles.errors import InputError, InvalidValueError
from tiles.mosaic.mosaicker import mosaic


@pytest.fixture
def mapper(run: Run) -> Mapper:
    """Its heights raised by 10 m: after two iterations they might all be cut off at the ground."""
    loaded = Mapper.load(run.checkpoint, "cpu", "float32")
    state = loaded.generator.state_dict()
    state["decoders.height.regression.bias"] += 0.5
    return loaded


def smooth(height: int, width: int, bands: int = 3) -> np.ndarray:
    """Patches of colour, so that maps have structure."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(1, 255, (bands, -(-height // 8), -(-width // 8)), dtype=np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width]


def files(maps: xarray.Dataset) -> dict[str, Path]:
    return {str(name): Path(maps[name].encoding["source"]) for name in maps.data_vars}


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
    assert files(made) == {
        name: tmp_path / f"maps/my.photo_{name}.tif" for name in ("landcover", "height")
    }
    with rasterio.open(raster) as source:
        grid = (source.crs, source.transform, source.width, source.height)
        known = source.dataset_mask() > 0
    for file in files(made).values():
        with rasterio.open(file) as target:
            assert (target.crs, target.transform, target.width, target.height) == grid
            np.testing.assert_array_equal(target.dataset_mask() > 0, known)
    classes, heights = read(files(made)["landcover"]), read(files(made)["height"])
    assert set(np.unique(classes[known])) <= set(range(6))
    assert heights[known].min() >= 0
    assert heights[known].std() > 0
    assert (heights[~known] == -9999).all()


def test_a_map_is_what_the_network_says(run: Run, tmp_path: Path) -> None:
    """One tile, forwarded here by hand from the file's weights with city B's statistics."""
    size = 2 * CROP
    image = smooth(size, size)
    mapper = Mapper.load(run.checkpoint, "cpu", "float32")
    raster = write(tmp_path / "a.tif", image, gsd=0.27)
    made = mapper.map(raster, tmp_path, domain="city_b", tile=size)
    assert made.attrs["comment"] == "BatchNorm statistics: of the training domain city_b"

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
    np.testing.assert_allclose(read(files(made)["height"]), heights, rtol=1e-4, atol=1e-4)
    first, second = np.sort(probabilities, axis=0)[-1:-3:-1]
    sure = first - second > 1e-5
    assert sure.mean() > 0.9
    np.testing.assert_array_equal(
        read(files(made)["landcover"])[sure], probabilities.argmax(axis=0)[sure]
    )


def test_one_set_of_statistics_is_of_no_domain(run: Run, tmp_path: Path) -> None:
    network = Mapper.load(run.checkpoint, "cpu", "float32")
    network.card = replace(network.card, batchnorm="alternating")
    assert not network.needs_statistics
    with pytest.raises(InvalidValueError, match=r"domain city_a: .* one set of BatchNorm"):
        network.for_domain("city_a")


def test_where_the_statistics_come_from_is_said(run: Run, mapper: Mapper, tmp_path: Path) -> None:
    raster = write(tmp_path / "a.tif", smooth(100, 100), gsd=0.27)
    maps: dict[str, np.ndarray] = {}
    for domain, words in (
        (None, "re-estimated on"),
        ("city_a", "of the training domain city_a"),
        ("city_b", "of the training domain city_b"),
    ):
        made = mapper.map(raster, tmp_path / str(domain), domain=domain)
        assert words in made.attrs["comment"]
        for name, file in files(made).items():
            with rasterio.open(file) as target:
                tags = target.tags()
            assert tags["SEMIMTL_STATISTICS"] in made.attrs["comment"]
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
    assert adapted.statistics is not None
    assert adapted.statistics in adapted.map(other, tmp_path).attrs["comment"]


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


def maps_of(mapper: Mapper, raster: Path, bands: Sequence[int | str] | None = None) -> np.ndarray:
    return read(files(mapper.map(raster, raster.parent, bands=bands))["height"])


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


def test_progress_counts_pixels(mapper: Mapper, tmp_path: Path) -> None:
    raster = write(tmp_path / "a.tif", smooth(80, 90), gsd=0.27)
    seen: list[tuple[int, int]] = []
    mapper.map(
        raster, tmp_path, domain="city_a", tile=32, progress=lambda *counts: seen.append(counts)
    )
    assert seen[-1] == (7200, 7200)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_bands_are_found_by_name(mapper: Mapper, tmp_path: Path) -> None:
    """A file of red, green, blue, infrared that says so, against one in the network's order."""
    image = smooth(70, 90)
    want = maps_of(mapper, write(tmp_path / "a.tif", image, gsd=0.27))
    mixed = np.stack([image[1], image[2], noise(70, 90), image[0]])
    path = write(tmp_path / "b.tif", mixed, gsd=0.27, photometric="MINISBLACK")
    with pytest.raises(InputError, match=r"4 bands, the network wants 3 \(NIR, red, green\)"):
        maps_of(mapper, path)
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("Red", "Green", "Blue", "NIR")
    np.testing.assert_array_equal(maps_of(mapper, path), want)
    np.testing.assert_array_equal(maps_of(mapper, path, ["nir", "red", 2]), want)
    with rasterio.open(tmp_path / "b_height.tif") as made:
        assert made.tags()["SEMIMTL_BANDS"] == "4 as NIR, 1 as red, 2 as green"
    with pytest.raises(InputError, match="swir"):
        maps_of(mapper, path, ["swir", "red", "green"])


def test_tags_say_what_decided_over_the_pixels(mapper: Mapper, tmp_path: Path) -> None:
    raster = write(tmp_path / "a.tif", smooth(80, 90), gsd=0.15)
    area = write_area(tmp_path / "fields.geojson", 0.15, 10, 20, 50, 70)
    settings: dict[str, Any] = {"grid": "network", "crs": "EPSG:25833", "area": area}
    settings |= {"tile": 48, "overlap": 20, "batch_size": 2}
    made = mapper.map(raster, tmp_path / "m", domain="city_a", **settings)
    assert made.attrs["prediction"] == "tiles of up to 48 px that overlap by 20 px, float32"
    with rasterio.open(files(made)["landcover"]) as file:
        tags = {key: value for key, value in file.tags().items() if key.startswith("SEMIMTL")}
    assert {key.removeprefix("SEMIMTL_"): value for key, value in tags.items()} == {
        "VERSION": version("semimtl-geo"),
        "MODEL": "semimtl.ckpt",
        "MODEL_SHA256": mapper.source["MODEL_SHA256"],
        "SYSTEM": "semimtl",
        "RASTER": "a.tif",
        "BANDS": "1 as NIR, 2 as red, 3 as green",
        "STATISTICS": "of the training domain city_a",
        "GSD": "0.27",
        "TILE": "48",
        "OVERLAP": "20",
        "BATCH_SIZE": "2",
        "PRECISION": "float32",
        "WHITE": "255",
        "GRID": "network",
        "CRS": "EPSG:25833",
        "AREA": "fields.geojson",
    }


def write_area(path: Path, gsd: float, *box: int, crs: str = "EPSG:32633") -> Path:
    """A rectangle: left, top, right, bottom in pixels of a raster of the tests."""
    left, top, right, bottom = (gsd * side for side in box)
    shape = shapely.box(WEST + left, NORTH - bottom, WEST + right, NORTH - top)
    geopandas.GeoSeries([shape], crs=crs).to_file(path)
    return path


def test_an_area_and_the_networks_grid(mapper: Mapper, tmp_path: Path) -> None:
    """Inside an area the map is that of the whole; on the network's grid its pixels are 0.27 m."""
    raster = write(tmp_path / "a.tif", smooth(80, 90), gsd=0.27)
    mapper = mapper.for_domain("city_a")
    whole = mapper.map(raster, tmp_path / "whole")
    area = write_area(tmp_path / "area.geojson", 0.27, 10, 20, 50, 70)
    part = mapper.map(raster, tmp_path / "part", area=area)
    want = whole["height"].isel(y=slice(20, 70), x=slice(10, 50))
    got = part["height"].sel(x=want.x, y=want.y, method="nearest", tolerance=0.01)
    np.testing.assert_array_equal(got, want)
    assert int(part["height"].notnull().sum()) == 50 * 40
    fine = write(tmp_path / "fine.tif", smooth(80, 90), gsd=0.135)
    made = mapper.map(fine, tmp_path, grid="network")
    assert made["height"].shape == (40, 45)
    assert made.rio.resolution() == pytest.approx((0.27, -0.27))


def test_files_of_one_place_give_one_map(mapper: Mapper, tmp_path: Path) -> None:
    """Cut in two, the maps are those of the whole."""
    image = smooth(80, 90)
    mapper = mapper.for_domain("city_a")
    whole = mapper.map(write(tmp_path / "whole.tif", image, gsd=0.27), tmp_path)
    halves = [
        write(tmp_path / "left.tif", image[:, :, :40], gsd=0.27),
        write(tmp_path / "right.tif", image[:, :, 40:], gsd=0.27, at=(40, 0)),
    ]
    made = mapper.map(halves, tmp_path, name="both")
    assert files(made)["height"] == tmp_path / "both_height.tif"
    assert made.attrs["title"] == "Maps of left.tif and 1 more"
    for name in ("landcover", "height"):
        np.testing.assert_array_equal(made[name], whole[name])
    for name, words in ((None, "need a name"), ("a/b", "must be a part of a file name")):
        with pytest.raises(InputError, match=words):
            mapper.map(halves, tmp_path, name=name)
    other = write(tmp_path / "words.tif", image.astype(np.uint16), gsd=0.27, at=(90, 0))
    with pytest.raises(InputError, match="or of another type, than"):
        mapper.map([halves[0], other], tmp_path, name="x")


def test_statistics_of_files_of_one_place_are_of_all_of_them(
    mapper: Mapper, tmp_path: Path
) -> None:
    image = smooth(64, 64)
    paths = [
        write(tmp_path / f"{i}.tif", image // (1 + 3 * i), gsd=0.27, at=(64 * i, 0))
        for i in range(2)
    ]
    made = mapper.map(paths, tmp_path, name="both")
    assert "crops of 2 rasters, without labels" in made.attrs["comment"]
    by_hand = mapper.adapt(paths).map(paths, tmp_path / "by_hand", name="both")
    np.testing.assert_array_equal(made["height"], by_hand["height"])
    assert not np.allclose(
        made["height"], mapper.adapt(paths[0]).map(paths, tmp_path, name="x")["height"]
    )


def judge_by_hand(content: Any, task: str, shown: torch.Tensor) -> np.ndarray:
    """The probability of ground truth, by convolutions with weights over their spectral norm.

    The norm is that of the file's singular vectors, u^T W v (Miyato et al. 2018), and no power
    iteration is made.
    """
    state = {
        key.removeprefix(f"discriminators.{task}.layers."): value
        for key, value in content["state_dict"].items()
        if key.startswith(f"discriminators.{task}.")
    }
    for layer in (0, 2, 4, 6):
        kernel = state[f"{layer}.parametrizations.weight.original"]
        u, v = (state[f"{layer}.parametrizations.weight.0._{n}"] for n in "uv")
        kernel = kernel / (u @ kernel.flatten(1) @ v)
        shown = F.conv2d(shown, kernel, state[f"{layer}.bias"], stride=2, padding=1)
        shown = torch.where(shown > 0, shown, 0.2 * shown)
    logits = F.conv2d(shown, state["8.weight"], state["8.bias"], stride=2, padding=1)
    size = (2 * CROP, 2 * CROP)
    logits = F.interpolate(logits, size, mode="bilinear", align_corners=False)
    odds = logits[0].exp()
    return (odds[0] / odds.sum(0)).numpy()


def test_plausibility_is_what_the_discriminators_say(run: Run, tmp_path: Path) -> None:
    size = 2 * CROP
    image = smooth(size, size)
    content = torch.load(run.checkpoint, weights_only=True)
    assert (content[KEY]["discriminator_width"], content[KEY]["sources"]) == (4, 3)
    # Early in training it is a third everywhere: sharpen it.
    for name in ("landcover", "height"):
        content["state_dict"][f"discriminators.{name}.layers.8.weight"] *= 100
    torch.save(content, tmp_path / "sharp.ckpt")
    mapper = Mapper.load(tmp_path / "sharp.ckpt", "cpu", "float32").for_domain("city_a")
    raster = write(tmp_path / "a.tif", image, gsd=0.27)
    made = mapper.map(raster, tmp_path, plausibility=True, tile=size)
    again = mapper.map(raster, tmp_path / "again", plausibility=True, tile=size)
    with torch.no_grad():
        outputs = mapper.generator(torch.from_numpy(image)[None].float() / 255)
    shown = {"landcover": outputs["landcover"].softmax(dim=1), "height": 4 * outputs["height"]}
    for name, prediction in shown.items():
        file = tmp_path / f"a_{name}_plausibility.tif"
        want = 100 * judge_by_hand(content, name, prediction)
        assert want.std() > 1
        assert np.abs(read(file) - want).max() <= 0.51
        with rasterio.open(file) as opened:
            assert (opened.dtypes, opened.nodata, opened.units) == (("uint8",), 255, ("%",))
        layer = f"{name}_plausibility"
        # No power iteration between two runs.
        np.testing.assert_array_equal(made[layer], again[layer])


def test_a_network_without_discriminators_cannot_judge(
    make_model: Callable[..., SemiMTL], run: Run, tmp_path: Path
) -> None:
    raster = write(tmp_path / "a.tif", smooth(40, 40), gsd=0.27)
    model = make_model(system="jtl")
    mapper = Mapper(model.card, model.generator, device="cpu", precision="float32")
    with pytest.raises(InputError, match=r"has no discriminators .*\(jtl\)"):
        mapper.map(raster, tmp_path / "maps", plausibility=True)
    # AdaptSegNet's discriminators tell domains apart.
    model = make_model(system="da_seg")
    networks = model.generator, model.discriminators
    mapper = Mapper(model.card, *networks, device="cpu", precision="float32")
    with pytest.raises(InputError, match=r"never saw ground truth \(da_seg\)"):
        mapper.map(raster, tmp_path / "maps", plausibility=True)
    mapper = Mapper.load(run.checkpoint, "cpu", "float32")
    with pytest.raises(InputError, match="must be larger for a discriminator, got 31 px"):
        mapper.map(raster, tmp_path / "maps", plausibility=True, tile=31)
    assert not (tmp_path / "maps").exists()


def test_devices_and_clusters(
    mapper: Mapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the mosaicker is given to spread; it is tested for itself, as is crossing over."""
    raster = write(tmp_path / "a.tif", smooth(40, 60), gsd=0.27)
    mapper = mapper.for_domain("city_b")
    given: list[tuple[Any, Any]] = []

    def watch(raster: Any, predict: Any, *args: Any, client: Any, **settings: Any) -> Any:
        given.append((predict, client))
        return mosaic(raster, mapper_predict, *args, client=None, **settings)

    def mapper_predict(images: torch.Tensor) -> dict[str, torch.Tensor]:
        return Predictor(mapper.card, mapper.generator, scale=255)(images)

    monkeypatch.setattr("semimtl_geo.mapping.requests.mosaic", watch)
    mapper.map(raster, tmp_path / "one")
    mapper.map(raster, tmp_path / "two", devices=["cpu", "cpu"])
    mapper.map(raster, tmp_path / "cluster", client="client")
    (one, nobody), (two, _), (spread, client) = given
    assert (one.device, nobody) == (torch.device("cpu"), None)
    assert [predictor.device for predictor in two] == [torch.device("cpu")] * 2
    # Each worker decides on its own device.
    assert (spread.device, client) == (None, "client")
    for device in ("cuda:77", "gpu"):
        with pytest.raises(InputError, match=f"device {device}: is not a device of this machine"):
            mapper.map(raster, tmp_path / "x", devices=[device])
    assert not (tmp_path / "x").exists()


def test_real_numbers_are_colours_of_0_to_1(mapper: Mapper, tmp_path: Path) -> None:
    """Bytes that were converted to floats are white at 255; -9999 is no colour."""
    image = smooth(80, 80)
    mapper = mapper.for_domain("city_a")
    want = mapper.map(write(tmp_path / "a.tif", image, gsd=0.27), tmp_path / "bytes").height
    raster = write(tmp_path / "b.tif", image.astype(np.float32), gsd=0.27)
    with pytest.raises(InputError, match=r"b\.tif: has real numbers up to \d+, .* --white 255"):
        mapper.map(raster, tmp_path / "none")
    made = mapper.map(raster, tmp_path / "white", white=255).height
    np.testing.assert_allclose(made, want, atol=1e-4)
    unmarked = image / np.float32(255)
    unmarked[:, :9] = -9999
    raster = write(tmp_path / "c.tif", unmarked.astype(np.float32), gsd=0.27)
    with pytest.raises(InputError, match=r"c\.tif: has values of -9999, .* -a_nodata -9999"):
        mapper.map(raster, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_twelve_bits_in_sixteen(mapper: Mapper, tmp_path: Path) -> None:
    """The same picture in bytes, and in integers of which 4080 is white."""
    image = smooth(80, 80)
    mapper = mapper.for_domain("city_a")
    want = mapper.map(write(tmp_path / "a.tif", image, gsd=0.27), tmp_path / "bytes").height
    raster = write(tmp_path / "b.tif", image.astype(np.uint16) * 16, gsd=0.27)
    with pytest.warns(DarkRasterWarning, match="seem to have 12 bits: .* --white 4095"):
        dark = mapper.map(raster, tmp_path / "dark").height
    assert not np.allclose(dark, want, atol=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DarkRasterWarning)
        made = mapper.map(raster, tmp_path / "white", white=4080).height
        np.testing.assert_allclose(made, want, atol=1e-4)
        # As of a network whose training scenes were prepared so.
        mapper.card = replace(mapper.card, white=4080.0)
        np.testing.assert_array_equal(mapper.map(raster, tmp_path / "card").height, made)
    with pytest.raises(InputError, match="white: must be a positive number, got 0"):
        mapper.map(raster, tmp_path / "none", white=0)


def test_probabilities_of_classes(mapper: Mapper, tmp_path: Path) -> None:
    """A band per class, in two panels and in memory, against softmax by hand."""
    size = 2 * CROP
    image = smooth(size, size)
    image[:, :9] = 0
    raster = write(tmp_path / "a.tif", image, gsd=0.27, nodata=0)
    mapper = mapper.for_domain("city_b")
    maps = mapper.map(raster, tmp_path, tile=size, probabilities=True, confidence=True)
    task = mapper.card.tasks[0]
    assert isinstance(task, Segmentation)
    made = maps.landcover_probabilities
    assert list(made["class"].values) == list(task.classes)
    with rasterio.open(files(maps)["landcover_probabilities"]) as file:
        assert file.descriptions == tuple(task.classes)
        assert (set(file.dtypes), set(file.units), file.nodata) == ({"uint8"}, {"%"}, 255)
        assert file.tags(3)["STATISTICS_MAXIMUM"] == f"{float(made[2].max()):g}"
        percent = file.read()
    known = maps.height.notnull().to_numpy()
    assert (percent[:, ~known] == 255).all()
    filled = np.where(image.any(axis=0), image, 255 * np.array(mapper.card.mean)[:, None, None])
    with torch.no_grad():
        scores = mapper.generator(torch.from_numpy(filled)[None].float() / 255)["landcover"]
    want = 100 * scores[0].softmax(dim=0).numpy()
    assert np.abs(percent - want)[:, known].max() <= 0.501
    # The same as the other maps of the same place say.
    certain = maps.landcover_confidence.to_numpy()[known]
    np.testing.assert_array_equal(percent.max(axis=0)[known], certain)
    lazy = mapper.predict(
        rioxarray.open_rasterio(raster, masked=True), tile=size, probabilities=True, chunk=50
    )
    xarray.testing.assert_equal(
        lazy.landcover_probabilities.drop_attrs(), made.drop_attrs().compute()
    )


def test_a_tile_larger_than_the_raster_is_cut_to_its_size(
    mapper: Mapper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[tuple[int, ...]] = set()
    predict = Predictor.__call__

    def watch(self: Predictor, images: torch.Tensor) -> Any:
        seen.add(tuple(images.shape[-2:]))
        return predict(self, images)

    monkeypatch.setattr(Predictor, "__call__", watch)
    raster = write(tmp_path / "a.tif", smooth(70, 40), gsd=0.27)
    huge = mapper.for_domain("city_a").map(raster, tmp_path / "huge", tile=9000, overlap=4000)
    assert seen == {(96, 96)}  # the next multiple of 32
    same = mapper.for_domain("city_a").map(raster, tmp_path / "same", tile=96, overlap=48)
    assert huge.height.equals(same.height)
