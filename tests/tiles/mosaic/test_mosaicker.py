from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import torch
from distributed import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.vrt import WarpedVRT
from rio_cogeo.cogeo import cog_validate

import tiles.mosaic.blending
from tiles.errors import InputError, InvalidValueError
from tiles.grid import tile_starts
from tiles.maps.layers import ClassMap, PercentMap, ProbabilityMap, ValueMap
from tiles.mosaic.blend_weights import cosine_weights
from tiles.mosaic.mosaicker import mosaic
from tiles.reading.virtual_raster import stack_bands

WHERE = Affine(0.05, 0, 389_999.95, 0, -0.05, 5_800_000.05)
VALUE = ValueMap("value", unit="m", high=255)
CLASSES = ClassMap("class", ("a", "b", "c"), ((0, 0, 0), (9, 9, 9), (200, 0, 0)))


def save(path: Path, values: np.ndarray, **profile: Any) -> Path:
    mask, alpha = profile.pop("mask", None), profile.pop("alpha", False)
    keys = {"crs": CRS.from_epsg(32633), "transform": WHERE, **profile}
    count, height, width = values.shape
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            path, "w", driver="GTiff", width=width, height=height, count=count,
            dtype=values.dtype, **keys,
        ) as file,
    ):  # fmt: skip
        if alpha:
            file.colorinterp = [*file.colorinterp[:-1], ColorInterp.alpha]
        file.write(values)
        if mask is not None:
            file.write_mask(mask)
    return path


def load(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        values: np.ndarray = file.read(1)
    return values


def echo(images: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"value": images[:, :1]}


@contextmanager
def scene(values: np.ndarray, **profile: Any) -> Iterator[tuple[Path, Path]]:
    """A raster, and the file for its map, for tests that hypothesis repeats."""
    with tempfile.TemporaryDirectory() as folder, mock.patch("tiles.mosaic.mosaicker.BLOCK", 16):
        yield save(Path(folder) / "image.tif", values, **profile), Path(folder) / "map.tif"


@dataclass(frozen=True)
class Cut:
    """One way to cut a raster of some size into work."""

    height: int
    width: int
    options: dict[str, int]


@st.composite
def cuts(draw: st.DrawFn) -> Cut:
    tile = draw(st.integers(8, 48))
    return Cut(
        draw(st.integers(1, 80)),
        draw(st.integers(1, 80)),
        {
            "tile": tile,
            # At most 3/4, for the sake of time.
            "overlap": draw(st.integers(0, tile * 3 // 4)),
            "panel": draw(st.sampled_from([1, 16, 32, 48, 8192])),
            "batch_size": draw(st.integers(1, 5)),
        },
    )


def noise(cut: Cut, kind: str = "uint8", low: int = 1) -> np.ndarray:
    generator = np.random.default_rng([cut.height, cut.width])
    return generator.integers(low, 255, (1, cut.height, cut.width)).astype(kind)


few = settings(max_examples=12, deadline=None)


@few
@given(cuts(), st.sampled_from([None, 0.09, 0.0278]))
def test_constant_in_constant_out(cut: Cut, gsd: float | None) -> None:
    def constant(images: torch.Tensor) -> dict[str, torch.Tensor]:
        assert images.shape[2:] == (cut.options["tile"],) * 2
        return {"value": torch.full_like(images[:, :1], 123.456)}

    with scene(noise(cut)) as (image, out):
        mosaic(image, constant, [VALUE], {"value": out}, gsd=gsd, **cut.options)
        assert load(out) == pytest.approx(np.full((cut.height, cut.width), 123.456), rel=1e-6)


@few
@given(cuts(), st.sampled_from(["uint8", "uint16", "float32", "int16"]))
def test_identity_in_identity_out(cut: Cut, kind: str) -> None:
    values = noise(cut, kind, low=0) * (1 if kind in ("uint8", "float32") else 100)
    with scene(values) as (image, out):
        mosaic(image, echo, [VALUE], {"value": out}, **cut.options)
        assert load(out) == pytest.approx(values[0].astype(float), rel=1e-6, abs=1e-6)
        with rasterio.open(image) as a, rasterio.open(out) as b:
            assert (a.crs, a.transform, a.shape) == (b.crs, b.transform, b.shape)


@few
@given(cuts(), st.data())
def test_nodata_in_nodata_out_and_nowhere_else(cut: Cut, data: st.DataObject) -> None:
    how = data.draw(st.sampled_from(["nodata", "nan", "mask", "alpha"]))
    gsd = data.draw(st.sampled_from([None, 0.09, 0.0278]))
    values = np.full((2, cut.height, cut.width), 77.0, np.float32)
    values[0, ::3] = 0  # a true 0 in one band, or in both, is a value
    values[:, ::5] = 0
    unknown = np.zeros((cut.height, cut.width), bool)
    for _ in range(data.draw(st.integers(1, 3))):
        y, x = data.draw(st.integers(0, cut.height - 1)), data.draw(st.integers(0, cut.width - 1))
        size = data.draw(st.integers(1, 60))
        unknown[y : y + size, x : x + size] = True
    unknown[-1, -1] = False
    profile: dict[str, Any] = {}
    if how == "nodata":
        values[:, unknown], profile = 9, {"nodata": 9}
    elif how == "nan":
        values[1, unknown] = np.nan
    elif how == "mask":
        profile = {"mask": ~unknown}
    values = values if how == "nan" else values.astype(np.uint8)
    if how == "alpha":
        values = np.concatenate([values, np.where(unknown, 0, 255)[None].astype(np.uint8)])
        profile = {"photometric": "minisblack", "alpha": True}

    def both(images: torch.Tensor) -> dict[str, torch.Tensor]:
        assert images.shape[1] == 2
        assert not images.isnan().any()
        scores = torch.zeros(len(images), 3, *images.shape[2:])
        scores[:, 1] = 5.5
        return {"value": scores[:, 1:2], "class": scores}

    with scene(values, **profile) as (image, out):
        files = {"value": out, "class": out.with_name("class.tif")}
        mosaic(image, both, [VALUE, CLASSES], files, gsd=gsd, fill=(1, 2), **cut.options)
        assert np.array_equal(load(files["class"]), np.where(unknown, 255, 1))
        expected = np.where(unknown, -9999, 5.5)
        assert load(out) == pytest.approx(expected, rel=1e-6)


def test_true_zero_stays_zero(tmp_path: Path) -> None:
    values = np.zeros((1, 40, 70), np.uint8)
    image = save(tmp_path / "image.tif", values, nodata=7)
    mosaic(image, echo, [VALUE], {"value": tmp_path / "map.tif"}, tile=16)
    assert not load(tmp_path / "map.tif").any()
    with rasterio.open(tmp_path / "map.tif") as file:
        assert file.read_masks(1).all()


def peculiar(images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Answers that depend on the whole tile and on the place inside it, not linearly."""
    size = images.shape[-1]
    ramp = torch.linspace(0, 1, size)
    mean = images.mean(dim=(1, 2, 3), keepdim=True) / 255
    place = torch.sin(9 * ramp)[:, None] * torch.cos(7 * ramp)
    one = images[:, :1] / 255
    scores = torch.cat([one * place, torch.sin(9 * mean) * one, mean - place / 2], dim=1)
    return {"class": scores, "value": scores[:, 1:2] + place}


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A cluster of two workers, in threads of this process, so that hypothesis can repeat."""
    with Client(
        processes=False, n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as client:
        yield client


@few
@given(cuts(), st.sampled_from(["source", "network"]), st.sampled_from([None, 0.083, 0.031]))
def test_any_panels_batches_and_workers_give_the_same_bytes(
    client: Any, cut: Cut, grid: Literal["source", "network"], gsd: float | None
) -> None:
    values = noise(cut)
    values[0, : cut.height // 2, : cut.width // 3] = 0
    ways: list[dict[str, Any]] = [
        {"panel": 8192, "batch_size": 3}, {}, {"client": client, "panel": 16},
    ]  # fmt: skip
    with scene(values, nodata=0) as (image, out):
        made = []
        for way in ways:
            files = {"value": out, "class": out.with_name("class.tif")}
            mosaic(
                image, peculiar, [VALUE, CLASSES], files, gsd=gsd, grid=grid, **cut.options | way
            )
            made.append([file.read_bytes() for file in files.values()])
        assert made[0] == made[1] == made[2]


def test_real_panels_and_blocks_give_the_same_bytes(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 255, (3, 600, 1700)).astype(np.uint8)
    image = save(tmp_path / "image.tif", values)
    for name, panel in (("one", 8192), ("three", 512)):
        files = {"value": tmp_path / f"{name}.tif", "class": tmp_path / f"{name}_c.tif"}
        mosaic(image, peculiar, [VALUE, CLASSES], files, tile=200, overlap=70, panel=panel)
        assert cog_validate(files["value"], strict=True, quiet=True)[0]
    assert (tmp_path / "one.tif").read_bytes() == (tmp_path / "three.tif").read_bytes()
    assert (tmp_path / "one_c.tif").read_bytes() == (tmp_path / "three_c.tif").read_bytes()


def naive(values: np.ndarray, tile: int, overlap: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of `peculiar` blended in full-size float64 accumulators."""
    _, height, width = values.shape
    pad = ((0, 0), (0, max(tile - height, 0)), (0, max(tile - width, 0)))
    image = np.pad(values.astype(np.float32), pad, mode="reflect")
    total = np.zeros((4, *image.shape[1:]))
    weights = np.zeros(image.shape[1:])
    weight = cosine_weights(tile)[:, None] * cosine_weights(tile)
    for y in tile_starts(height, tile, overlap):
        for x in tile_starts(width, tile, overlap):
            window = (slice(y, y + tile), slice(x, x + tile))
            answer = peculiar(torch.from_numpy(image[(slice(None), *window)][None].copy()))
            both = torch.cat([answer["class"], answer["value"]], dim=1)[0]
            total[(slice(None), *window)] += both.double().numpy() * weight
            weights[window] += weight
    blended = (total / weights)[:, :height, :width]
    return blended[:3], blended[3]


@few
@given(cuts())
def test_blending_agrees_with_a_naive_accumulator(cut: Cut) -> None:
    values = noise(cut)
    with scene(values) as (image, out):
        files = {"value": out, "class": out.with_name("class.tif")}
        mosaic(image, peculiar, [VALUE, CLASSES], files, **cut.options)
        scores, value = naive(values, cut.options["tile"], cut.options["overlap"])
        assert load(out) == pytest.approx(value, abs=1e-5)
        ranked = np.sort(scores, axis=0)
        clear = ranked[2] - ranked[1] > 1e-5
        assert np.array_equal(load(files["class"])[clear], scores.argmax(axis=0)[clear])


@pytest.mark.parametrize("gsd", [0.09, 0.05 * 5 / 9])
@pytest.mark.parametrize("panel", [32, 8192])
def test_a_ramp_is_not_shifted_by_resampling(tmp_path: Path, gsd: float, panel: int) -> None:
    y, x = np.mgrid[:90, :135].astype(np.float32)
    ramp = (2 * x + 3 * y)[None]
    image = save(tmp_path / "image.tif", ramp)
    seen = []

    def watch(images: torch.Tensor) -> dict[str, torch.Tensor]:
        seen.append(images.shape)
        return echo(images)

    with mock.patch("tiles.mosaic.mosaicker.BLOCK", 16):
        out = {"value": tmp_path / "map.tif"}
        mosaic(image, watch, [VALUE], out, tile=32, gsd=gsd, panel=panel)
    with rasterio.open(out["value"]) as file:
        assert (file.transform, file.shape) == (WHERE, (90, 135))
    error = (load(out["value"]) - ramp[0])[9:-9, 9:-9]  # whole periods of both grids
    assert np.abs(error).max() < 0.05 * (2 + 3)  # pixels are squares: 5 % of a step
    assert abs(error.mean()) < 1e-3


@pytest.mark.parametrize(("gsd", "shape"), [(0.1, (10, 15)), (0.025, (40, 60)), (None, (20, 30))])
def test_the_network_sees_its_ground_sampling_distance(
    tmp_path: Path, gsd: float | None, shape: tuple[int, int]
) -> None:
    values = np.random.default_rng(0).integers(0, 255, (3, 20, 30)).astype(np.uint8)
    image = save(tmp_path / "image.tif", values)
    seen: list[np.ndarray] = []

    def watch(images: torch.Tensor) -> dict[str, torch.Tensor]:
        seen.append(images[0, :, : shape[0], : shape[1]].numpy())
        return echo(images)

    mosaic(image, watch, [VALUE], {"value": tmp_path / "map.tif"}, tile=64, gsd=gsd)
    if gsd == 0.1:
        assert seen[0] == pytest.approx(values.reshape(3, 10, 2, 15, 2).mean(axis=(2, 4)))
    elif gsd is None:
        assert np.array_equal(seen[0], values)
    else:
        expected = torch.nn.functional.interpolate(
            torch.from_numpy(values.astype(np.float32))[None], scale_factor=2, mode="bilinear"
        )
        assert seen[0] == pytest.approx(expected[0].numpy(), abs=1e-3)


def test_nearly_the_same_sampling_distance_is_not_resampled(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, (1, 200, 300)).astype(np.uint8)
    image = save(tmp_path / "image.tif", values)
    mosaic(image, echo, [VALUE], {"value": tmp_path / "map.tif"}, tile=64, overlap=0, gsd=0.0504)
    assert load(tmp_path / "map.tif") == pytest.approx(values[0].astype(float), rel=1e-6)


def test_bands_are_chosen_by_number_and_values_unchanged(tmp_path: Path) -> None:
    values = np.arange(4, dtype=np.uint16)[:, None, None] * 10_000 + np.zeros(
        (4, 20, 20), np.uint16
    )
    image = save(tmp_path / "image.tif", values)
    seen: list[torch.Tensor] = []

    def watch(images: torch.Tensor) -> dict[str, torch.Tensor]:
        seen.append(images)
        return echo(images)

    out = {"value": tmp_path / "map.tif"}
    mosaic(image, watch, [VALUE], out, tile=16, bands=(4, 1, 2))
    assert seen[-1].dtype == torch.float32
    assert seen[-1][0, :, 0, 0].tolist() == [30_000, 0, 10_000]
    assert load(out["value"]) == pytest.approx(np.full((20, 20), 30_000.0), rel=1e-6)
    mosaic(image, watch, [VALUE], out, tile=16)
    assert seen[-1][0, :, 0, 0].tolist() == [0, 10_000, 20_000, 30_000]
    with rasterio.open(image, "r+") as file:
        file.colorinterp = [*file.colorinterp[:3], ColorInterp.alpha]
    mosaic(image, watch, [VALUE], out, tile=16)
    assert seen[-1].shape[1] == 3


def test_batches_are_full_and_unknown_tiles_are_not_predicted(tmp_path: Path) -> None:
    values = np.ones((1, 200, 96), np.uint8)
    values[:, 30:150] = 0
    image = save(tmp_path / "image.tif", values, nodata=0)
    sizes: list[int] = []
    reports: list[tuple[int, int]] = []

    def watch(images: torch.Tensor) -> dict[str, torch.Tensor]:
        sizes.append(len(images))
        assert images.flatten(1).any(dim=1).all()
        return echo(images)

    mosaic(
        image, watch, [VALUE], {"value": tmp_path / "map.tif"},
        tile=16, overlap=8, batch_size=4, progress=lambda *state: reports.append(state),
    )  # fmt: skip
    known = values[0] != 0
    starts = [(y, x) for y in tile_starts(200, 16, 8) for x in tile_starts(96, 16, 8)]
    expected = sum(known[y : y + 16, x : x + 16].any() for y, x in starts)
    # The last batch is filled up, so that the network sees one shape.
    assert sizes == [4] * -(-expected // 4)
    assert reports == sorted(reports)
    assert reports[-1] == (200 * 96, 200 * 96)


def test_answers_may_be_arrays_of_lower_precision(tmp_path: Path) -> None:
    image = save(tmp_path / "image.tif", np.full((1, 30, 30), 3, np.uint8))
    out = {"value": tmp_path / "map.tif"}
    mosaic(image, lambda x: {"value": x.numpy().astype(np.float16)}, [VALUE], out, tile=16)
    assert load(out["value"]) == pytest.approx(np.full((30, 30), 3.0), rel=1e-6)


def test_tags_say_where_a_map_comes_from(tmp_path: Path) -> None:
    image = save(tmp_path / "image.tif", np.full((1, 30, 30), 3, np.uint8))
    tags = {"model": "city A", "tile": "16"}
    files = mosaic(image, echo, [VALUE], {"value": tmp_path / "map.tif"}, tile=16, tags=tags)
    with rasterio.open(files["value"]) as file:
        assert tags.items() <= file.tags().items()
        assert float(file.tags(1)["STATISTICS_MEAN"]) == pytest.approx(3)


def test_a_south_up_raster_keeps_its_georeference(tmp_path: Path) -> None:
    where = Affine(0.05, 0, 389_999.95, 0, 0.05, 5_800_000.05)
    values = np.random.default_rng(0).integers(0, 255, (1, 40, 30)).astype(np.uint8)
    image = save(tmp_path / "image.tif", values, transform=where)
    mosaic(image, echo, [VALUE], {"value": tmp_path / "map.tif"}, tile=64, gsd=0.05)
    with rasterio.open(tmp_path / "map.tif") as file:
        assert file.transform == where
        assert np.array_equal(file.read(1), values[0])


def test_chunks_do_not_show(tmp_path: Path) -> None:
    image = save(tmp_path / "image.tif", noise(Cut(150, 70, {})))
    for name, rows in (("a", 64), ("b", 7)):
        with mock.patch.object(tiles.mosaic.blending, "CHUNK", rows):
            out = {"value": tmp_path / f"{name}.tif"}
            mosaic(image, lambda x: {"value": x[:, :1] / 3}, [VALUE], out, tile=32, gsd=0.07)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_percentages(tmp_path: Path) -> None:
    """The highest blended probability of a class map, and an answer of the network's own."""
    values = np.random.default_rng(0).integers(1, 255, (3, 40, 50), dtype=np.uint8)
    values[:, 5, 6] = 0
    raster = save(tmp_path / "raster.tif", values, nodata=0)

    def predict(images: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"class": images / images.sum(1, keepdim=True), "true": images[:, 1:2] / 255}

    odds = ProbabilityMap("odds", "class", CLASSES.classes)
    layers = [CLASSES, PercentMap("sure", of="class"), PercentMap("true"), odds]
    out = {layer.name: tmp_path / f"{layer.name}.tif" for layer in layers}
    mosaic(raster, predict, layers, out, tile=16)
    known = values.any(axis=0)
    shares = values.astype(np.float64) / np.maximum(values.sum(axis=0, dtype=np.float64), 1)
    for name, exact in (("sure", 100 * shares.max(axis=0)), ("true", values[1] / 2.55)):
        made = load(out[name])
        assert (made[~known] == 255).all()
        assert np.abs(made[known] - exact[known]).max() <= 0.5 + 1e-3
        assert cog_validate(out[name], strict=True)[0]
        with rasterio.open(out[name]) as file:
            assert (file.units, file.nodata) == (("%",), 255)
    assert cog_validate(out["odds"], strict=True)[0]
    with rasterio.open(out["odds"]) as file:
        assert (file.units, file.descriptions) == (("%",) * 3, tuple(CLASSES.classes))
        percent = file.read()
    assert (percent[:, ~known] == 255).all()
    assert np.abs(percent - 100 * shares)[:, known].max() <= 0.5 + 1e-3


def test_percentages_of_nothing(tmp_path: Path) -> None:
    raster = save(tmp_path / "raster.tif", np.ones((1, 4, 4), np.uint8))
    layer = PercentMap("sure", of="class")
    with pytest.raises(ValueError, match="refers to 'class', which is no class map"):
        mosaic(raster, echo, [layer], {"sure": tmp_path / "sure.tif"})


def test_probabilities_have_the_classes_of_their_map(tmp_path: Path) -> None:
    raster = save(tmp_path / "raster.tif", np.ones((1, 4, 4), np.uint8))
    layers = [CLASSES, ProbabilityMap("shares", CLASSES.name, ("a", "b"))]
    out = {layer.name: tmp_path / f"{layer.name}.tif" for layer in layers}
    with pytest.raises(ValueError, match="layer shares: has other classes than 'class'"):
        mosaic(raster, echo, layers, out)


def test_an_empty_range_of_tiles(tmp_path: Path) -> None:
    raster = save(tmp_path / "raster.tif", np.ones((1, 4, 4), np.uint8))
    with pytest.raises(InvalidValueError, match="tile: must hold an edge"):
        mosaic(raster, echo, VALUE, tmp_path / "value.tif", tile=range(0))


def test_a_part_of_a_virtual_raster_is_not_overwritten(tmp_path: Path) -> None:
    part = save(tmp_path / "part.tif", np.ones((1, 20, 20), np.uint8))
    before = part.read_bytes()
    stack = stack_bands("stack", [("value", part, 1)])
    with rasterio.open(part) as source, WarpedVRT(source) as warped:
        rasterio.shutil.copy(warped, tmp_path / "warped.vrt", driver="VRT")
    for raster in (stack, tmp_path / "warped.vrt"):
        with pytest.raises(InputError, match=r"part\.tif: is an input of the map"):
            mosaic(raster, echo, VALUE, part, tile=16)
    assert part.read_bytes() == before


def test_a_band_that_is_asked_for_is_no_mask(tmp_path: Path) -> None:
    """GDAL takes the fourth band of bytes for alpha; where it is infrared, 0 is a dark colour."""
    values = np.random.default_rng(0).integers(1, 255, (4, 20, 30), dtype=np.uint8)
    values[3, 5:9, 5:9] = 0
    raster = save(tmp_path / "raster.tif", values, alpha=True)
    out = {"value": tmp_path / "value.tif"}
    mosaic(raster, echo, [VALUE], out, tile=16, bands=[4, 1, 2])
    assert np.allclose(load(out["value"]), values[3], atol=1e-3)
    mosaic(raster, echo, [VALUE], out, tile=16)
    assert (load(out["value"])[5:9, 5:9] == -9999).all()


def test_web_mercator_is_not_taken_at_its_word(tmp_path: Path) -> None:
    """At 60 degrees north its metre is half a metre on the ground."""
    where = Affine(1, 0, 1e6, 0, -1, 8_399_737.9)
    values = np.full((1, 40, 40), 7, np.uint8)
    raster = save(tmp_path / "raster.tif", values, crs=CRS.from_epsg(3857), transform=where)
    seen = []

    def predict(images: torch.Tensor) -> dict[str, torch.Tensor]:
        seen.append(images)
        return {"value": images}

    mosaic(raster, predict, [VALUE], {"value": tmp_path / "value.tif"}, tile=20, gsd=1.0)
    assert sum(len(images) for images in seen) == 1
    assert load(tmp_path / "value.tif").shape == (40, 40)


@pytest.mark.parametrize("gsd", [0.02, 0.05, 0.11])
def test_maps_on_the_grid_that_the_network_sees(tmp_path: Path, gsd: float) -> None:
    values = np.random.default_rng(1).integers(1, 255, (2, 90, 130), dtype=np.uint8)
    values[:, 30:50, 60:99] = 0
    image = save(tmp_path / "image.tif", values, nodata=0)
    seen: list[torch.Tensor] = []

    def watch(images: torch.Tensor) -> dict[str, torch.Tensor]:
        seen.append(images)
        return echo(images)

    made = []
    for panel, batch_size in ((8192, 1000), (1, 1)):
        out = tmp_path / f"{panel}.tif"
        with mock.patch("tiles.mosaic.mosaicker.BLOCK", 16):
            mosaic(
                image, watch, [VALUE], {"value": out}, tile=40, overlap=10, panel=panel,
                batch_size=batch_size, gsd=gsd, grid="network",
            )  # fmt: skip
        made.append(out)
    assert made[0].read_bytes() == made[1].read_bytes()
    with rasterio.open(image) as source, rasterio.open(made[0]) as file:
        assert file.bounds == pytest.approx(source.bounds, abs=1e-6)
        assert (file.width, file.height) == (round(130 * 0.05 / gsd), round(90 * 0.05 / gsd))
        result, known = file.read(1), file.dataset_mask() > 0
    # The network's answer is its input, so the map shows what the network saw.
    plan = tile_starts(len(result), 40, 10), tile_starts(result.shape[1], 40, 10)
    first = seen[0]
    for number, (y, x) in enumerate((y, x) for y in plan[0] for x in plan[1]):
        tile = first[number, 0, : len(result) - y, : result.shape[1] - x].numpy()
        there = known[y : y + 40, x : x + 40]
        assert result[y : y + 40, x : x + 40][there] == pytest.approx(tile[there], rel=1e-5)
    hole = ~known
    assert hole.any()
    assert result[hole] == pytest.approx(VALUE.nodata)
