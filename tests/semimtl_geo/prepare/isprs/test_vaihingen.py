"""Vaihingen is prepared from the official layout, written small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from semimtl_geo.prepare.isprs import vaihingen
from semimtl_geo.prepare.isprs.vaihingen import TEST, TRAIN, Vaihingen
from semimtl_geo.prepare.pipeline import prepare
from tests.rasters import noise
from tests.semimtl_geo.prepare.isprs.archives import (
    blocks,
    colour,
    contents,
    jpeg,
    load,
    plain,
    vaihingen_area,
)
from tiles.errors import InputError

SIZE = (40, 30)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vaihingen, "TRAIN", ("1",))
    monkeypatch.setattr(vaihingen, "TEST", ("2",))


@pytest.fixture
def raw(tmp_path: Path, few: None) -> Path:
    folder = tmp_path / "raw"
    for seed, area in enumerate(("1", "2")):
        vaihingen_area(folder, area, SIZE, seed)
    return folder


def made(raw: Path, to: str = "out", **options: object) -> Path:
    settings: dict[str, object] = {"val": ("none",), "heights": "none"}
    adapter = Vaihingen(**(settings | options))  # type: ignore[arg-type]
    prepare("vaihingen", adapter, raw, raw.parent / to)
    return raw.parent / to / "vaihingen"


def scene(folder: Path, layer: str, area: str = "1", split: str = "train") -> np.ndarray:
    return load(folder / split / layer / f"vaihingen_area{area}.tif")


def test_official_split_and_varying_sizes(tmp_path: Path) -> None:
    for number, area in enumerate([*TRAIN, *TEST]):
        vaihingen_area(tmp_path / "raw", area, (40 + number, 30))
    assert (len(TRAIN), len(TEST)) == (16, 17)
    prepare("vaihingen", Vaihingen(heights="none"), tmp_path / "raw", tmp_path / "out")
    out = tmp_path / "out" / "vaihingen"
    names = {
        split: {file.stem.removeprefix("vaihingen_area") for file in out.glob(f"{split}/image/*")}
        for split in ("train", "val", "test")
    }
    assert names["val"] == {"11", "28", "34"}
    assert names["train"] == set(TRAIN) - names["val"]
    assert names["test"] == set(TEST)
    assert load(out / "test/image/vaihingen_area38.tif").shape == (3, 72, 30)


def test_pixels_stay_and_the_place_is_in_the_world_file(raw: Path) -> None:
    """A world file under the surface model's name, from the centre of its first pixel."""
    folder = made(raw)
    np.testing.assert_array_equal(scene(folder, "image"), noise(3, *SIZE, seed=0))
    np.testing.assert_array_equal(scene(folder, "landcover")[0], noise(*SIZE, seed=1) % 6)
    with rasterio.open(folder / "train/landcover/vaihingen_area1.tif") as file:
        assert file.crs.to_epsg() == 32632
        np.testing.assert_allclose(
            file.transform, Affine(0.09, 0, 497_100, 0, -0.09, 5_420_000.03), atol=1e-6
        )


def test_crs(raw: Path) -> None:
    with rasterio.open(made(raw, crs="EPSG:25832") / "train/image/vaihingen_area1.tif") as file:
        assert file.crs.to_epsg() == 25832


def test_no_world_file(raw: Path) -> None:
    next(raw.rglob("*area2.tfw")).unlink()
    with pytest.raises(InputError, match=r"area2\.tfw: is missing, .* give --unplaced"):
        made(raw)
    assert not list((raw.parent / "out").rglob("*.tif"))  # nor of the first area
    folder = made(raw, "again", unplaced=True)
    bounds = []
    for split, area in (("train", "1"), ("test", "2")):
        with rasterio.open(folder / split / "image" / f"vaihingen_area{area}.tif") as file:
            bounds.append(file.bounds)
    assert bounds[0].right < bounds[1].left
    assert "at no place on earth" in (folder / "summary.md").read_text()


def test_world_file_of_another_size(raw: Path) -> None:
    file = next(raw.rglob("*area1.tfw"))
    file.write_text(file.read_text().replace("0.0900000000", "0.0500000000"))
    with pytest.raises(InputError, match=r"must have pixels of 0.09 m, has 0.05 m"):
        made(raw)


def test_a_world_file_of_three_numbers_is_refused(raw: Path) -> None:
    next(raw.rglob("*area1.tfw")).write_text("0.09 0 0\n")
    with pytest.raises(InputError, match=r"area1\.tfw: must hold six numbers"):
        made(raw)


def test_eroded_labels_and_the_area_too_many(raw: Path) -> None:
    folder = raw / "ISPRS_semantic_labeling_Vaihingen_ground_truth_eroded_COMPLETE"
    classes = noise(*SIZE, seed=5) % 7
    for area in ("1", "2", "9"):
        plain(folder / f"top_mosaic_09cm_area{area}_noBoundary.tif", colour(classes))
    out = made(raw, labels="eroded")
    np.testing.assert_array_equal(scene(out, "landcover")[0], np.where(classes == 6, 255, classes))
    assert not list(out.rglob("*area9*"))


def test_participants_labels_alone(raw: Path) -> None:
    full = raw / "ISPRS_semantic_labeling_Vaihingen_ground_truth_COMPLETE"
    full.rename(raw / "ISPRS_semantic_labeling_Vaihingen" / "gts_for_participants")
    next(raw.rglob("gts_for_participants/*area2.tif")).unlink()
    folder = made(raw)
    np.testing.assert_array_equal(scene(folder, "landcover")[0], noise(*SIZE, seed=1) % 6)
    assert not (folder / "test" / "landcover").exists()


def test_heights_made_of_the_surface_model(raw: Path) -> None:
    """270 m above the sea, a building of 9 m on it."""
    folder = made(raw, heights="dsm")
    height = scene(folder, "height")[0]
    expected = np.zeros(SIZE)
    expected[10:25, 5:20] = 9
    np.testing.assert_allclose(height, expected, atol=0.01)
    with rasterio.open(folder / "train/height/vaihingen_area1.tif") as file:
        assert (file.nodata, file.units, file.crs.to_epsg()) == (-9999, ("m",), 32632)
    assert not [file for file in folder.rglob(".*") if file.name != ".prepare.json"]


def test_normalised_models_of_integers_are_in_decimetres(raw: Path) -> None:
    name = "dsm_09cm_matching_area{}_normalized.jpg"
    values = {area: blocks(*SIZE, seed=int(area)) for area in ("1", "2")}
    values["1"][:8, :8] = 255
    for area, each in values.items():
        jpeg(raw / "ndsm" / name.format(area), each)
    stored = load(raw / "ndsm" / name.format("1"))[0]
    for out, scale, metres in (("made", None, 0.1), ("again", 0.2, 0.2)):
        height = scene(made(raw, out, heights="ndsm", ndsm_scale=scale), "height")[0]
        assert (height[:8, :8] == -9999).all()
        known = height != -9999
        assert known.sum() == 40 * 30 - 64
        np.testing.assert_allclose(height[known], stored[known] * metres, rtol=1e-6)


def test_normalised_models_in_metres_under_another_name(raw: Path) -> None:
    values = np.random.default_rng(0).normal(5, 1, SIZE).astype(np.float32)
    values[3, 4], values[5, 6] = np.nan, -1e38
    for area in ("1", "2"):
        plain(raw / "mine" / f"nDSM_{area}.tif", values, nodata=-1e38)
    height = scene(made(raw, heights="ndsm", ndsm_pattern="nDSM_{N}.tif"), "height")[0]
    assert height[3, 4] == height[5, 6] == -9999
    known = height != -9999
    np.testing.assert_array_equal(height[known], values[known])


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("top/top_mosaic_09cm_area2.tif", r"top/top_mosaic_09cm_area2\.tif: is missing; put ISPRS"),
        ("*COMPLETE/top_mosaic_09cm_area1.tif", r"area1\.tif \(label image\): is missing"),
        ("dsm/*area2.tif", r"dsm/dsm_09cm_matching_area2\.tif: is missing"),
    ],
)
def test_missing_file(raw: Path, pattern: str, said: str) -> None:
    next(raw.rglob(pattern)).unlink()
    with pytest.raises(InputError, match=said):
        made(raw, heights="dsm")
    assert not list((raw.parent / "out").rglob("*.tif"))


def test_the_same_again(raw: Path) -> None:
    folder = made(raw, heights="dsm")
    before = contents(folder)
    made(raw, heights="dsm")
    assert contents(folder) == before
    assert contents(made(raw, "again", heights="dsm")) == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"crs": "EPSG:0"}, "is not a coordinate reference system"),
        ({"crs": "EPSG:4326"}, "is not in metres"),
        ({"ndsm_pattern": "x.jpg"}, "--ndsm-pattern"),
        ({"ndsm_scale": -1.0}, "--ndsm-scale"),
        ({"val": ("2",)}, "--val"),
    ],
)
def test_options(options: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Vaihingen(**options)  # type: ignore[arg-type]
