"""A user's own scenes, written small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import yaml
from rasterio.transform import Affine
from rasterio.warp import transform

from semimtl_geo.prepare.own.folder import Folder
from semimtl_geo.prepare.pipeline import prepare
from tests.rasters import GSD, NORTH, WEST, noise, write
from tests.semimtl_geo.prepare.isprs.archives import contents, load
from tiles.datasets.scenes import scene_dataset
from tiles.errors import InputError

SIZE = 24
CLASSES = [
    {"name": "ground", "color": [255, 255, 255], "values": [1, 2]},
    {"name": "building", "color": [0, 0, 255], "values": [7]},
]
CONFIG: dict[str, Any] = {
    "name": "town",
    "classes": CLASSES,
    "unknown": [0],
    "split": {"train": ["a"], "test": ["b"]},
}


def cover(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).choice(np.array([0, 1, 2, 7], np.uint8), (SIZE, SIZE))


def heights(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 20, (SIZE, SIZE)).astype(np.float32)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    for seed, name in enumerate("ab"):
        at = (seed * SIZE, 0)
        image = noise(4, SIZE, SIZE, seed=seed)
        write(folder / "image" / f"{name}.tif", image, at=at, photometric="MINISBLACK")
        write(folder / "landcover" / f"{name}.tif", cover(seed), at=at)
        write(folder / "height" / f"{name}.tif", heights(seed), at=at)
    return folder


def made(raw: Path, to: str = "out", **config: object) -> Path:
    (raw / "scenes.yaml").write_text(yaml.safe_dump(CONFIG | config))
    return prepare("folder", Folder(), raw, raw.parent / to)[0].parent


def scene(folder: Path, layer: str, name: str = "a", split: str = "train") -> np.ndarray:
    return load(folder / split / layer / f"{name}.tif")


def test_as_they_are(raw: Path) -> None:
    folder = made(raw)
    assert folder.name == "town"
    np.testing.assert_array_equal(scene(folder, "image"), noise(4, SIZE, SIZE)[:3])
    expected = np.array([255, 0, 0, 9, 9, 9, 9, 1], np.uint8)[cover()]
    np.testing.assert_array_equal(scene(folder, "landcover")[0], expected)
    np.testing.assert_array_equal(scene(folder, "height")[0], heights())
    assert scene(folder, "image", "b", "test").shape == (3, SIZE, SIZE)
    text = (folder / "summary.md").read_text()
    assert "| train | 1 | 1 | 1 | 24 x 24 | 0.15 | EPSG:32633 |" in text
    share = 100 * np.isin(cover(), (1, 2)).sum() / (cover() != 0).sum()
    assert f"| 0 ground | {share:.2f} % |" in text
    assert f"| land cover | {100 * (cover() != 0).mean():.2f} % |" in text
    assert f"| 50% | {np.quantile(heights(), 0.5, method='inverted_cdf'):.2f} |" in text


def test_the_network_reads_it(raw: Path) -> None:
    folder = made(raw)
    labels = {"landcover": "classes", "height": "values"}
    dataset = scene_dataset(folder / "train", labels, [1, 2, 3])  # type: ignore[arg-type]
    sample = dataset[dataset.bounds]
    assert sample["image"].shape == (3, SIZE, SIZE)
    np.testing.assert_array_equal(sample["height"].numpy(), heights())


def test_bands_in_any_order(raw: Path) -> None:
    folder = made(raw, image={"bands": [4, 1, 2], "names": ["NIR", "red", "green"]})
    np.testing.assert_array_equal(scene(folder, "image"), noise(4, SIZE, SIZE)[[3, 0, 1]])
    with rasterio.open(folder / "train" / "image" / "a.tif") as file:
        assert file.descriptions == ("NIR", "red", "green")


def test_unknown_pixels_of_an_image_are_masked_and_black_ones_not(raw: Path) -> None:
    image, mask = noise(3, SIZE, SIZE), np.ones((SIZE, SIZE), bool)
    image[:, :5] = 0
    mask[10:12] = False
    write(raw / "image" / "a.tif", image, mask=mask)
    with rasterio.open(made(raw) / "train" / "image" / "a.tif") as file:
        np.testing.assert_array_equal(file.dataset_mask() > 0, mask)
        np.testing.assert_array_equal(file.read()[:, :10], image[:, :10])


def test_labels_on_their_own_grids(raw: Path) -> None:
    """Classes of 0.3 m over a wider place, heights of 0.05 m, the image of 0.15 m."""
    coarse = np.random.default_rng(3).choice(np.array([1, 7], np.uint8), (SIZE, SIZE))
    write(raw / "landcover" / "a.tif", coarse, gsd=2 * GSD)
    fine = np.repeat(np.repeat(heights(), 3, axis=0), 3, axis=1)
    write(raw / "height" / "a.tif", fine, gsd=GSD / 3)
    folder = made(raw)
    half = SIZE // 2
    expected = np.repeat(np.repeat(coarse[:half, :half] == 7, 2, axis=0), 2, axis=1)
    got = scene(folder, "landcover")[0]
    # Each old pixel is four new ones; interpolated shares keep its class.
    assert (got == expected).mean() > 0.85
    np.testing.assert_allclose(scene(folder, "height")[0], heights(), rtol=1e-4)


def test_pixel_size(raw: Path) -> None:
    folder = made(raw, gsd=0.3)
    image = noise(4, SIZE, SIZE)[:3].astype(float)
    average = image.reshape(3, SIZE // 2, 2, SIZE // 2, 2).mean(axis=(2, 4))
    assert np.abs(scene(folder, "image") - average).max() <= 0.5
    blocks = cover().reshape(SIZE // 2, 2, SIZE // 2, 2).swapaxes(1, 2).reshape(-1, 4)
    expected = []
    for block in blocks:
        ground, building = np.isin(block, (1, 2)).sum(), (block == 7).sum()
        expected.append(255 if ground + building < 2 else int(building > ground))
    np.testing.assert_array_equal(scene(folder, "landcover")[0].ravel(), expected)


def test_alpha_is_no_band_but_a_mask(raw: Path) -> None:
    image = noise(4, SIZE, SIZE)
    image[3] = np.where(np.arange(SIZE) < 5, 0, 255)
    write(raw / "image" / "a.tif", image, photometric="RGB", alpha="YES")
    with rasterio.open(made(raw) / "train" / "image" / "a.tif") as file:
        np.testing.assert_array_equal(file.dataset_mask() > 0, image[3] > 0)


def test_12_bits_in_16(raw: Path) -> None:
    image = np.random.default_rng(0).integers(0, 4000, (3, SIZE, SIZE)).astype(np.uint16)
    for at, name in enumerate("ab"):
        write(raw / "image" / f"{name}.tif", image, at=(at * SIZE, 0))
    folder = made(raw)
    np.testing.assert_array_equal(scene(folder, "image"), image)
    assert "0.061 times white" in (folder / "summary.md").read_text()
    folder = made(raw, "again", image={"white": 3000})
    expected = np.minimum(np.rint(image * 255.0 / 3000), 255)
    assert scene(folder, "image").dtype == np.uint8
    assert np.abs(scene(folder, "image") - expected).max() <= 1
    with rasterio.open(folder / "train" / "image" / "a.tif") as file:
        assert file.tags()["SEMIMTL_WHITE"] == "3000"
    assert "times white" not in (folder / "summary.md").read_text()


def test_south_up(raw: Path) -> None:
    image = noise(3, SIZE, SIZE)
    place = Affine(GSD, 0, WEST, 0, GSD, NORTH - SIZE * GSD)
    write(raw / "image" / "a.tif", image[:, ::-1], transform=place)
    folder = made(raw)
    np.testing.assert_array_equal(scene(folder, "image"), image)
    np.testing.assert_allclose(scene(folder, "height")[0], heights(), rtol=1e-6)
    with rasterio.open(folder / "train" / "image" / "a.tif") as file:
        np.testing.assert_allclose(file.transform, Affine(GSD, 0, WEST, 0, -GSD, NORTH))


def test_another_crs(raw: Path) -> None:
    folder = made(raw, crs="EPSG:25832")
    with rasterio.open(folder / "train" / "image" / "a.tif") as file:
        assert file.crs.to_epsg() == 25832
        grids = {(file.transform, file.shape)}
        x, y = WEST + SIZE * GSD / 2, NORTH - SIZE * GSD / 2
        there = transform("EPSG:32633", "EPSG:25832", [x], [y])
        row, column = file.index(there[0][0], there[1][0])
        assert file.dataset_mask()[row, column] == 255
        assert file.dataset_mask()[0, 0] == 0  # turned
    for layer in ("landcover", "height"):
        with rasterio.open(folder / "train" / layer / "a.tif") as file:
            grids.add((file.transform, file.shape))
            known = file.dataset_mask() > 0
            assert 0.3 < known.mean() < 0.99
    assert len(grids) == 1


@pytest.mark.parametrize(
    ("crs", "place"),
    [
        ("EPSG:4326", Affine(2e-6, 0, 4.8, 0, -2e-6, 45.7)),
        ("EPSG:3857", Affine(0.3, 0, 534_000, 0, -0.3, 5_736_000)),  # 0.21 m on the ground
        ("EPSG:2263", Affine(0.5, 0, 980_000, 0, -0.5, 190_000)),  # feet
    ],
)
def test_units_that_are_no_metres(raw: Path, crs: str, place: Affine) -> None:
    """Training takes the units of a scene for metres."""
    for layer in ("image", "landcover", "height"):
        values = {"image": noise(3, SIZE, SIZE), "landcover": cover(), "height": heights()}[layer]
        for name in "ab":
            write(raw / layer / f"{name}.tif", values, crs=crs, transform=place)
    with pytest.raises(InputError, match=rf"a\.tif: would be written in {crs}, whose unit is not"):
        made(raw, gsd=0.2)
    utm = {"EPSG:2263": "EPSG:32618"}.get(crs, "EPSG:32631")
    with rasterio.open(made(raw, crs=utm, gsd=0.2) / "train" / "image" / "a.tif") as file:
        assert file.crs.to_string() == utm
        np.testing.assert_allclose(file.res, 0.2, rtol=0.02)


def test_label_colours(raw: Path) -> None:
    colours = np.array([[255, 255, 255], [0, 0, 255], [0, 0, 0]], np.uint8)
    classes = np.random.default_rng(0).integers(0, 3, (SIZE, SIZE))
    for at, name in enumerate("ab"):
        image = np.moveaxis(colours[classes], -1, 0)
        write(raw / "landcover" / f"{name}.tif", image, at=(at * SIZE, 0))
    got = scene(made(raw, unknown=[[0, 0, 0]]), "landcover")[0]
    np.testing.assert_array_equal(got, np.where(classes == 2, 255, classes))
    with pytest.raises(InputError, match=r"landcover/a\.tif: \d+ of 576 px have the colour of no"):
        made(raw, "again", unknown=[])


def test_a_value_without_a_class(raw: Path) -> None:
    with pytest.raises(InputError, match=r"landcover/a\.tif: has the value 0, which scenes\.yaml"):
        made(raw, unknown=[])


def test_scale_offset_and_nodata_of_heights(raw: Path) -> None:
    stored = np.random.default_rng(0).integers(0, 2000, (SIZE, SIZE)).astype(np.uint16)
    stored[:4] = 65535
    for at, name in enumerate("ab"):
        write(raw / "height" / f"{name}.tif", stored, at=(at * SIZE, 0))
    height = scene(made(raw, height={"scale": 0.01, "offset": -1, "nodata": 65535}), "height")[0]
    assert (height[:4] == -9999).all()
    np.testing.assert_allclose(height[4:], stored[4:] * 0.01 - 1, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("value", [-9999, 65535])
def test_nodata_that_nobody_declared(raw: Path, value: float) -> None:
    made_of = heights()
    made_of[3, 3:5] = value
    write(raw / "height" / "a.tif", made_of)
    said = r"a\.tif: has 2 px of -?[\d.e+]+, which is an impossible height; if .* height: {nodata"
    with pytest.raises(InputError, match=said):
        made(raw)
    folder = made(raw, "again", height={"nodata": value})
    assert (scene(folder, "height")[0, 3, 3:5] == -9999).all()


@pytest.mark.parametrize("value", [-3.4e38, np.inf])
def test_infinite_heights_are_unknown(raw: Path, value: float) -> None:
    made_of = heights()
    made_of[3, 3:5] = value
    write(raw / "height" / "a.tif", made_of)
    assert (scene(made(raw), "height")[0, 3, 3:5] == -9999).all()


def test_declared_nodata(raw: Path) -> None:
    made_of = heights()
    made_of[3, 3:5] = 77
    write(raw / "height" / "a.tif", made_of, nodata=77)
    assert (scene(made(raw), "height")[0, 3, 3:5] == -9999).all()


@pytest.mark.parametrize("sea", [271.0, 40.0])
def test_a_surface_model_is_no_height(raw: Path, sea: float) -> None:
    write(raw / "height" / "a.tif", heights() + np.float32(sea))
    with pytest.raises(InputError, match=r"surface model, .* compute these with semimtl-geo ndsm"):
        made(raw)
    assert not (raw.parent / "out" / "town" / "train" / "height" / "a.tif").exists()


def test_labels_elsewhere(raw: Path) -> None:
    write(raw / "landcover" / "a.tif", cover(), at=(5000, 0))
    with pytest.raises(InputError, match=r"landcover/a\.tif: has no known pixel where"):
        made(raw)


def test_a_label_without_an_image(raw: Path) -> None:
    write(raw / "height" / "c.tif", heights())
    with pytest.raises(InputError, match=r"height/c\.tif: has no orthophoto of its name"):
        made(raw)


def test_two_images_of_one_name(raw: Path) -> None:
    write(raw / "image" / "a.tiff", noise(3, SIZE, SIZE))
    with pytest.raises(InputError, match=r"has the name of .*image/a\.tif"):
        made(raw)


def test_no_images(raw: Path) -> None:
    (raw / "image").rename(raw / "images")
    with pytest.raises(InputError, match="has no rasters in image/"):
        made(raw)


def test_an_image_without_crs(raw: Path) -> None:
    write(raw / "image" / "a.tif", noise(3, SIZE, SIZE), crs=None)
    with pytest.raises(InputError, match=r"image/a\.tif: has no coordinate reference system"):
        made(raw)


def test_scenes_without_labels(raw: Path) -> None:
    (raw / "landcover" / "b.tif").unlink()
    for file in (raw / "height").iterdir():
        file.unlink()
    folder = made(raw)
    assert "| train | 1 | 1 | 0 |" in (folder / "summary.md").read_text()
    assert "| test | 1 | 0 | 0 |" in (folder / "summary.md").read_text()


def test_split_by_shares_is_one_whatever_the_day(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    for number in range(10):
        write(raw / "image" / f"{number}.tif", noise(3, 4, 4), at=(number * 4, 0))

    def split(to: str, **shares: float) -> dict[str, str]:
        folder = made(raw, to, classes=[], unknown=[], split=shares)
        return {file.stem: file.parts[-3] for file in folder.glob("*/image/*.tif")}

    first = split("1", train=0.6, val=0.2, test=0.2, seed=1)
    assert sorted(first.values()) == ["test"] * 2 + ["train"] * 6 + ["val"] * 2
    assert split("2", train=0.6, val=0.2, test=0.2, seed=1) == first
    assert split("3", train=0.6, val=0.2, test=0.2, seed=2) != first
    assert set(split("4", train=1.0).values()) == {"train"}


@pytest.mark.parametrize(
    ("split", "said"),
    [
        ({"train": ["a"]}, "leaves out scene b"),
        ({"train": ["a", "b", "c"]}, "names c, but no scene has this name"),
        ({"train": ["a", "b"], "test": ["a"]}, "has a twice"),
        ({"train": ["a", "b"], "test": 0.5}, "must be lists or shares, not both"),
        ({"train": 0.5, "test": 0.6}, "must have shares that sum to 1"),
        (
            {"train": ["a", 1]},
            r"split\.train\[1\]: must be a valid string, got 1",
        ),
        ({"rest": ["a"]}, r"split\.rest: is not a setting"),
    ],
)
def test_bad_split(raw: Path, split: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        made(raw, split=split)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"image": {"bands": []}}, r"image\.bands: .*at least 1 item"),
        (
            {"image": {"bands": [1.5]}},
            r"image\.bands\[0\]: must be .* or .*, got 1.5",
        ),
        ({"image": {"white": 0}}, r"image\.white: must be greater than 0, got 0"),
        ({"image": {"names": ["x"]}}, "image names must be 3, one per band"),
        ({"image": 3}, "image: must be a dictionary .*, got 3"),
        ({"classes": [{"name": "x"}]}, r"classes\[0\]\.color: is missing"),
        (
            {"classes": [{"name": "x", "color": [1, 2]}]},
            r"classes\[0\]\.color\[2\]: is missing",
        ),
        ({"classes": [CLASSES[0], CLASSES[0]]}, "has the value 1 for two classes"),
        ({"classes": ["x"]}, r"classes\[0\]: must be a dictionary .*, got \'x\'"),
        (
            {"unknown": [1.5]},
            r"unknown\[0\]: must be .* or .*, got 1.5",
        ),
        ({"height": {"scale": 0}}, r"height\.scale: must be greater than 0, got 0"),
        ({"height": {"scale": "m"}}, r"height\.scale: must be a valid number, got 'm'"),
        ({"gsd": -1}, "gsd: must be greater than 0, got -1"),
        ({"gsd": float("nan")}, "gsd: must be a finite number, got nan"),
        ({"name": "../x"}, "must be the name of a folder, got"),
        ({"colours": 1}, "colours: is not a setting"),
        ({"crs": "EPSG:0"}, "is no.* coordinate reference system"),
        ({"classes": []}, "must list the classes"),
    ],
)
def test_bad_yaml(raw: Path, config: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        made(raw, **config)
    assert "\n" not in str(error.value)


def test_no_yaml(raw: Path) -> None:
    with pytest.raises(InputError, match=r"scenes\.yaml: does not exist"):
        prepare("folder", Folder(), raw, raw.parent / "out")
    (raw / "scenes.yaml").write_text("a: [")
    with pytest.raises(InputError, match=r"scenes\.yaml: cannot be read as YAML"):
        prepare("folder", Folder(), raw, raw.parent / "out")
    mine = raw.parent / "mine.yaml"
    mine.write_text("!!python/object/apply:os.system ['true']")
    with pytest.raises(InputError, match=r"mine\.yaml: cannot be read as YAML"):
        prepare("folder", Folder(mine), raw, raw.parent / "out")


def test_changed_settings_and_the_same_again(raw: Path) -> None:
    folder = made(raw)
    before = contents(folder)
    assert contents(made(raw)) == before
    with pytest.raises(InputError, match=r"begun with other settings \(gsd: None, now 0.3\)"):
        made(raw, gsd=0.3)


def test_a_mistake_in_the_yaml_can_be_corrected(raw: Path) -> None:
    with pytest.raises(InputError, match="has the value 0"):
        made(raw, unknown=[])
    folder = made(raw)
    assert contents(folder) == contents(made(raw, "again"))


def test_no_scene_is_trained_and_tested_on(tmp_path: Path) -> None:
    """Scenes that are added move others of a split by shares."""
    raw = tmp_path / "raw"

    def add(*names: str) -> None:
        for name in names:
            write(raw / "image" / f"{name}.tif", noise(3, 4, 4), at=(ord(name) * 4, 0))

    settings: dict[str, Any] = {"classes": [], "unknown": [], "split": {"train": 0.8, "test": 0.2}}
    add(*"abcde")
    folder = made(raw, **settings)
    add(*"fghij")
    before = contents(folder)
    moved = made(raw, "again", **settings)
    split = {file.name: file.parts[-3] for file in folder.glob("*/image/*.tif")}
    (name,) = (file.name for file in moved.glob("test/image/*.tif") if file.name in split
               and split[file.name] == "train")  # fmt: skip
    said = rf"train/image/{name}: was made by an earlier run, but {name[0]} is in test now"
    with pytest.raises(InputError, match=said):
        made(raw, **settings)
    assert contents(folder) == before


@pytest.mark.parametrize("nodata", [-9999, -9999.0, 65535])
def test_a_nodata_that_bytes_cannot_hold_masks_none(raw: Path, nodata: float) -> None:
    stored = np.arange(SIZE * SIZE, dtype=np.uint8).reshape(SIZE, SIZE)
    write(raw / "height" / "a.tif", stored)
    height = scene(made(raw, height={"scale": 0.1, "nodata": nodata}), "height")[0]
    np.testing.assert_allclose(height, stored * 0.1, rtol=1e-6)


def test_values_where_all_classes_are_colours(raw: Path) -> None:
    classes = [entry | {"values": []} for entry in CLASSES]
    with pytest.raises(InputError, match=r"a\.tif: has values, but no class has any"):
        made(raw, classes=classes, unknown=[])
