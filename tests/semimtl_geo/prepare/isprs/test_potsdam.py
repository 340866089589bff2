"""On the official layout, written small: 36 px of 5 cm, which are 20 px of 9 cm."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from rasterio.transform import Affine

from semimtl_geo.class_schemes import ISPRS
from semimtl_geo.prepare.isprs import potsdam
from semimtl_geo.prepare.isprs.potsdam import TEST, TRAIN, Potsdam
from semimtl_geo.prepare.pipeline import prepare
from semimtl_geo.prepare.rasters.raw_raster import read_world_file
from tests.rasters import noise, write
from tests.semimtl_geo.prepare.isprs.archives import (
    SIZE,
    blocks,
    colour,
    contents,
    corner,
    jpeg,
    load,
    plain,
    potsdam_scene,
    world_file,
    zipped,
)
from tiles.errors import InputError

NEW = 20


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A benchmark of two scenes."""
    monkeypatch.setattr(potsdam, "TRAIN", ("2_10",))
    monkeypatch.setattr(potsdam, "TEST", ("2_13",))


@pytest.fixture
def raw(tmp_path: Path, few: None) -> Path:
    folder = tmp_path / "raw"
    for seed, scene in enumerate(("2_10", "2_13")):
        potsdam_scene(folder, scene, seed)
    return folder


def made(raw: Path, **options: object) -> Path:
    settings: dict[str, object] = {"val": ("none",)}
    adapter = Potsdam(**(settings | options))  # type: ignore[arg-type]
    prepare("potsdam", adapter, raw, raw.parent / "out")
    return raw.parent / "out" / "potsdam"


def scene(folder: Path, layer: str, name: str = "2_10", split: str = "train") -> np.ndarray:
    return load(folder / split / layer / f"potsdam_{name}.tif")


def weights(old: int = SIZE, new: int = NEW) -> np.ndarray:
    """[new, old]: the part of each new pixel that an old one covers."""
    edges_new, edges_old = np.arange(new + 1) * old / new, np.arange(old + 1)
    low = np.maximum(edges_new[:-1, None], edges_old[None, :-1])
    high = np.minimum(edges_new[1:, None], edges_old[None, 1:])
    return np.clip(high - low, 0, None) * new / old


def area_average(values: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
    known = np.ones(values.shape[-2:]) if known is None else known
    rows, columns = (weights(size) for size in values.shape[-2:])
    with np.errstate(invalid="ignore"):
        return (rows @ (values * known) @ columns.T) / (rows @ known @ columns.T)


def test_official_split(tmp_path: Path) -> None:
    for name in [*TRAIN, *TEST]:
        potsdam_scene(tmp_path / "raw", name)
    assert (len(TRAIN), len(TEST)) == (24, 14)
    prepare("potsdam", Potsdam(), tmp_path / "raw", tmp_path / "out")
    names = {
        split: {file.stem.removeprefix("potsdam_") for file in folder.glob("image/*.tif")}
        for split in ("train", "val", "test")
        for folder in [tmp_path / "out" / "potsdam" / split]
    }
    assert names["val"] == {"2_11", "4_10", "5_11", "7_8"}
    assert names["train"] == set(TRAIN) - names["val"]
    assert names["test"] == set(TEST)
    for split, found in names.items():
        for layer in ("landcover", "height"):
            folder = tmp_path / "out" / "potsdam" / split / layer
            assert {file.stem.removeprefix("potsdam_") for file in folder.iterdir()} == found


def test_image_and_heights_are_averaged_by_area(raw: Path) -> None:
    folder = made(raw)
    image = noise(3, SIZE, SIZE, seed=0)
    assert np.abs(scene(folder, "image") - area_average(image)).max() <= 0.5 + 1e-4
    assert scene(folder, "image").shape == (3, NEW, NEW)
    stored = load(raw / "1_DSM_normalisation/1_DSM_normalisation/"
                  "dsm_potsdam_02_10_normalized_lastools.jpg")[0]  # fmt: skip
    assert np.abs(stored.astype(int) - blocks(seed=2)).max() <= 1
    np.testing.assert_allclose(
        scene(folder, "height")[0], area_average(stored * 0.1), rtol=1e-5, atol=1e-5
    )


def test_labels_by_majority(raw: Path) -> None:
    cover = scene(made(raw), "landcover")[0]
    classes = noise(SIZE, SIZE, seed=1) % 6
    shares = np.stack([weights() @ (classes == k) @ weights().T for k in range(6)])
    best = np.sort(shares, axis=0)
    clear = best[-1] - best[-2] > 1e-4
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(cover[clear], shares.argmax(axis=0)[clear])


def test_georeference_and_what_files_say(raw: Path) -> None:
    folder = made(raw) / "train"
    for layer in ("image", "landcover", "height"):
        with rasterio.open(folder / layer / "potsdam_2_10.tif") as file:
            assert file.crs.to_epsg() == 32633
            t = corner("2_10")
            np.testing.assert_allclose(file.transform, Affine(0.09, 0, t.c, 0, -0.09, t.f))
            assert file.profile["tiled"]
            assert file.compression.name == "deflate"
            if layer == "image":
                assert file.descriptions == ("NIR", "red", "green")
                assert ColorInterp.alpha not in file.colorinterp
            elif layer == "landcover":
                assert file.nodata == 255
                table = file.colormap(1)
                assert [table[i][:3] for i in range(6)] == list(ISPRS.colors)
                assert tuple(json.loads(file.tags()["CLASSES"])) == ISPRS.names
            else:
                assert (file.nodata, file.units) == (-9999, ("m",))


def test_tag_and_world_file_are_one_place(raw: Path) -> None:
    """The tag has the corner of the top left pixel, the world file its centre."""
    with rasterio.open(made(raw) / "train" / "image" / "potsdam_2_10.tif") as file:
        tagged = file.transform
    image = next(raw.rglob("top_potsdam_2_10_IRRG.tif"))
    plain(image, load(image))
    world_file(raw / "world" / "top_potsdam_2_10_IRRG.tfw", corner("2_10"))
    lines = (raw / "world" / "top_potsdam_2_10_IRRG.tfw").read_text().split()
    assert float(lines[4]) - corner("2_10").c == pytest.approx(0.025)
    again = raw.parent / "again"
    prepare("potsdam", Potsdam(val=("none",)), raw, again)
    with rasterio.open(again / "potsdam/train/image/potsdam_2_10.tif") as file:
        np.testing.assert_allclose(file.transform, tagged, rtol=0, atol=1e-6)


def test_a_world_file_is_read_as_gdal_reads_it(tmp_path: Path) -> None:
    """The half pixel between a centre and a corner, by another program's word."""
    image = plain(tmp_path / "x.tif", noise(3, SIZE, SIZE))
    lines = "0.05\n0.001\n-0.002\n-0.05\n366000.025\n5808000.05\n"
    (tmp_path / "x.tfw").write_text(lines, encoding="ascii")
    with rasterio.open(image, GEOREF_SOURCES="WORLDFILE") as file:
        expected = file.transform
    assert expected.c == pytest.approx(366_000.025 - 0.024, abs=1e-9)
    np.testing.assert_allclose(
        read_world_file(tmp_path / "x.tfw", "x.tfw"), expected, rtol=0, atol=1e-9
    )
    with pytest.raises(InputError, match="must hold six numbers"):
        read_world_file(tmp_path, "x.tfw")


def test_the_tag_goes_before_a_world_file_beside_it(raw: Path) -> None:
    image = next(raw.rglob("top_potsdam_2_10_IRRG.tif"))
    world_file(image.with_suffix(".tfw"), corner("7_7"))
    with rasterio.open(made(raw) / "train" / "image" / "potsdam_2_10.tif") as file:
        assert file.transform.c == corner("2_10").c


def test_no_place_at_all(raw: Path) -> None:
    image = next(raw.rglob("top_potsdam_2_10_IRRG.tif"))
    plain(image, load(image))
    with pytest.raises(InputError, match=r"2_10_IRRG\.tif: has no georeference"):
        made(raw)


def test_infrared_from_rgbir_whose_fourth_band_is_alpha(raw: Path) -> None:
    """NIR, red and green are bands 4, 1 and 2, and NIR 0 is dark, not transparent."""
    irrg = next(raw.rglob("top_potsdam_2_10_IRRG.tif"))
    expected = load(irrg)
    expected[0, :18] = 0
    irrg.unlink()
    nir, red, green = expected
    rgbir = raw / "4_Ortho_RGBIR" / "top_potsdam_2_10_RGBIR.tif"
    write(
        rgbir,
        np.stack([red, green, noise(SIZE, SIZE), nir]),
        crs="EPSG:32633",
        transform=corner("2_10"),
        photometric="RGB",
        alpha="YES",
    )
    with rasterio.open(rgbir) as file:
        assert file.colorinterp[3] == ColorInterp.alpha
    folder = made(raw)
    image = scene(folder, "image")
    assert np.abs(image - area_average(expected)).max() <= 0.5 + 1e-4
    with rasterio.open(folder / "train" / "image" / "potsdam_2_10.tif") as file:
        assert (file.dataset_mask() == 255).all()


def test_5999_columns(raw: Path) -> None:
    """The last column is missing; what is made of it for the most part is unknown."""
    file = next(raw.rglob("*02_10_normalized_lastools.jpg"))
    whole = scene(made(raw), "height")
    jpeg(file, blocks(seed=2)[:, :-1])
    out = raw.parent / "again"
    prepare("potsdam", Potsdam(val=("none",)), raw, out)
    narrow = scene(out / "potsdam", "height")
    # It covers 1 of the 1.8 px of the last new one.
    assert (narrow[..., -1] == -9999).all()
    np.testing.assert_allclose(narrow[..., :-1], whole[..., :-1], atol=0.1001)
    jpeg(file, blocks(seed=2)[:, :-2])
    with pytest.raises(InputError, match=r"has 34 x 36 px, but .* has 36 x 36 px"):
        prepare("potsdam", Potsdam(val=("none",)), raw, raw.parent / "third")


def test_255_is_25_5_m_or_more_and_so_unknown(raw: Path) -> None:
    values = np.full((SIZE, SIZE), 100, np.uint8)
    values[:, :16] = 255
    jpeg(next(raw.rglob("*02_10_normalized_lastools.jpg")), values)
    height = scene(made(raw), "height")[0]
    stored = load(next(raw.rglob("*02_10_normalized_lastools.jpg")))[0]
    assert set(np.unique(stored)) == {100, 255}
    # Pixels 0 to 7 are 255 alone; of pixel 8 (14.4 to 16.2) 1.6 of 1.8.
    assert (height[:, :9] == -9999).all()
    np.testing.assert_allclose(height[:, 9:], 10.0, rtol=1e-6)


def test_height_names_without_zeros(raw: Path) -> None:
    whole = contents(made(raw))
    file = next(raw.rglob("*02_10_normalized_lastools.jpg"))
    file.rename(file.with_name("dsm_potsdam_2_10_normalized_lastools.jpg"))
    prepare("potsdam", Potsdam(val=("none",)), raw, raw.parent / "again")
    assert contents(raw.parent / "again" / "potsdam") == whole


@pytest.mark.parametrize("empty", ["no bytes", "black"])
def test_empty_ownapproach_file(raw: Path, empty: str) -> None:
    lastools = next(raw.rglob("*02_10_normalized_lastools.jpg"))
    folder = lastools.parent
    jpeg(folder / "dsm_potsdam_02_13_normalized_ownapproach.jpg", blocks(seed=7))
    own = folder / "dsm_potsdam_02_10_normalized_ownapproach.jpg"
    if empty == "black":
        jpeg(own, np.zeros((SIZE, SIZE), np.uint8))
    else:
        own.touch()
    out = made(raw, heights="ownapproach")
    expected = area_average(load(lastools)[0] * 0.1)
    np.testing.assert_allclose(scene(out, "height")[0], expected, rtol=1e-5, atol=1e-5)
    summary = (out / "summary.md").read_text()
    assert "train/height/potsdam_2_10.tif: heights by lastools, because the own" in summary
    assert "potsdam_2_13" not in summary
    lastools.unlink()
    with pytest.raises(InputError, match=r"02_10_normalized_ownapproach\.jpg: is empty"):
        prepare(
            "potsdam",
            Potsdam(heights="ownapproach", val=("none",)),
            raw,
            raw.parent / "again",
        )


def test_black_is_unknown_where_labels_are_eroded(raw: Path) -> None:
    folder = raw / "5_Labels_all_noBoundary"
    classes = np.full((SIZE, SIZE), 3)
    classes[:, :16] = 6
    for name in ("2_10", "2_13"):
        write(folder / f"top_potsdam_{name}_label_noBoundary.tif", colour(classes))
    cover = scene(made(raw, labels="eroded"), "landcover")[0]
    assert (cover[:, :9] == 255).all()
    assert (cover[:, 9:] == 3).all()


def test_black_is_no_class_in_full_labels(raw: Path) -> None:
    classes = np.full((SIZE, SIZE), 3)
    classes[:, :16] = 6
    write(next(raw.rglob("top_potsdam_2_10_label.tif")), colour(classes))
    with pytest.raises(InputError) as error:
        made(raw)
    text = str(error.value)
    assert "top_potsdam_2_10_label.tif: 576 of 1296 px have the colour of no class" in text
    assert "such as 0, 0, 0" in text
    assert "--labels eroded" in text
    assert not list((raw.parent / "out").rglob("*.tif"))


def test_colours_near_a_class_are_its_and_few_strange_ones_unknown(raw: Path) -> None:
    image = colour(np.full((SIZE, SIZE), 3))  # green
    image[:, :, ::2] = np.array([[30], [230], [0]])[:, None]
    image[:, 5, 5] = 128  # 1 of 1296
    write(next(raw.rglob("top_potsdam_2_10_label.tif")), image)
    folder = made(raw)
    cover = scene(folder, "landcover")
    assert (cover == 3).all()  # half a pixel of 9 cm is known well enough
    summary = (folder / "summary.md").read_text()
    assert "train/landcover/potsdam_2_10.tif: 1 px had the colour of no class" in summary


def test_labels_that_are_no_colours(raw: Path) -> None:
    write(next(raw.rglob("top_potsdam_2_10_label.tif")), noise(1, SIZE, SIZE) % 6)
    with pytest.raises(InputError, match=r"label\.tif: must have 3 bands of uint8, has 1"):
        made(raw)


def test_labels_of_another_size(raw: Path) -> None:
    write(next(raw.rglob("top_potsdam_2_10_label.tif")), colour(np.zeros((30, 30), int)))
    with pytest.raises(InputError, match=r"label\.tif: has 30 x 30 px, but .*IRRG\.tif has 36"):
        made(raw)


def test_participants_labels_alone(raw: Path) -> None:
    (raw / "5_Labels_all").rename(raw / "5_Labels_for_participants")
    next(raw.rglob("top_potsdam_2_13_label.tif")).unlink()
    folder = made(raw)
    assert (folder / "train" / "landcover" / "potsdam_2_10.tif").exists()
    assert not (folder / "test" / "landcover").exists()
    assert (folder / "test" / "height" / "potsdam_2_13.tif").exists()
    assert "| test | 1 | 0 | 1 |" in (folder / "summary.md").read_text()


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("top_potsdam_2_13_IRRG.tif", r"top_potsdam_2_13_IRRG\.tif: is missing; put 3_Ortho_IRRG"),
        ("top_potsdam_2_10_label.tif", r"2_10_label\.tif: is missing; put 5_Labels_all\.zip"),
        (
            "*02_13_normalized_lastools.jpg",
            r"02_13_normalized_lastools\.jpg: is missing; put 1_DSM",
        ),
    ],
)
def test_missing_file(raw: Path, pattern: str, said: str) -> None:
    next(raw.rglob(pattern)).unlink()
    with pytest.raises(InputError, match=said) as error:
        made(raw)
    assert "\n" not in str(error.value)
    assert not list((raw.parent / "out").rglob("*.tif"))


def test_damaged_file(raw: Path) -> None:
    label = next(raw.rglob("top_potsdam_2_10_label.tif"))
    label.write_bytes(label.read_bytes()[:60])
    with pytest.raises(InputError, match=r"2_10_label\.tif: cannot be read") as error:
        made(raw)
    assert "\n" not in str(error.value)


def test_zipped_archives_give_the_same(raw: Path) -> None:
    """One archive of archives, as it is downloaded."""
    whole = contents(made(raw))
    box = raw.parent / "Potsdam"
    box.mkdir()
    for folder in raw.iterdir():
        zipped(folder, box / f"{folder.name}.zip")
    packed = raw.parent / "packed"
    packed.mkdir()
    zipped(box, packed / "Potsdam.zip")
    out = raw.parent / "again"
    prepare("potsdam", Potsdam(val=("none",)), packed, out)
    assert contents(out / "potsdam") == whole
    assert not (out / ".potsdam.unzipped").exists()


def test_without_heights(raw: Path) -> None:
    for file in raw.rglob("*.jpg"):
        file.unlink()
    folder = made(raw, heights="none")
    assert not (folder / "train" / "height").exists()
    assert "heights above ground (m)" not in (folder / "summary.md").read_text()


def test_5_cm_stay_as_they_are(raw: Path) -> None:
    np.testing.assert_array_equal(scene(made(raw, gsd=0.05), "image"), noise(3, SIZE, SIZE, seed=0))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"val": ("2_13",)}, "--val: must name training scenes, got 2_13"),
        ({"val": ("2_10",)}, "--val: must leave a scene to train on"),
        ({"gsd": 0.0, "val": ("none",)}, "--gsd"),
    ],
)
def test_options(few: None, options: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Potsdam(**options)  # type: ignore[arg-type]
