"""Files that belong together by place: tiles of other sizes, stacks, and models of heights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from tests.rasters import GSD, noise, write
from tests.semimtl_geo.prepare.isprs.archives import contents
from tests.semimtl_geo.prepare.own.folders import load, make
from tiles.errors import InputError

SIZE = 24
SPLIT = {"train": ["a"], "test": ["b"]}
CLASSES = [
    {"name": "ground", "color": [255, 255, 255], "values": [1]},
    {"name": "building", "color": [0, 0, 255], "values": [7]},
]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Images a and b, side by side."""
    for number, name in enumerate("ab"):
        at = (number * SIZE, 0)
        write(tmp_path / "raw" / "image" / f"{name}.tif", noise(3, SIZE, SIZE, seed=number), at=at)
    return tmp_path / "raw"


def cover() -> np.ndarray:
    """Classes of both images and half an image around them."""
    rng = np.random.default_rng(0)
    return rng.choice(np.array([1, 7], np.uint8), (2 * SIZE, 3 * SIZE))


def around(layer: np.ndarray, name: str) -> np.ndarray:
    """The part of a layer of that extent that lies at an image."""
    half, left = SIZE // 2, SIZE // 2 + SIZE * "ab".index(name)
    return layer[half : half + SIZE, left : left + SIZE]


def write_quarters(folder: Path, layer: np.ndarray, **profile: Any) -> None:
    """Cut a layer of that extent into four tiles, whose borders cross the images."""
    rows, columns = (0, SIZE, 2 * SIZE), (0, SIZE + 5, 3 * SIZE)
    for i in range(2):
        for j in range(2):
            part = layer[rows[i] : rows[i + 1], columns[j] : columns[j + 1]]
            at = columns[j] - SIZE / 2, rows[i] - SIZE / 2
            write(folder / f"sheet_{i}{j}.tif", part, at=at, **profile)


def test_tiles_are_one_source(raw: Path) -> None:
    write_quarters(raw / "landcover", cover())
    heights = np.random.default_rng(1).uniform(0, 20, cover().shape).astype(np.float32)
    write_quarters(raw / "height", heights)
    folder = make(raw, match="place", classes=CLASSES, split=SPLIT)
    for name in "ab":
        expected = (around(cover(), name) == 7).astype(np.uint8)
        np.testing.assert_array_equal(load(folder, "landcover", name)[0], expected)
        got = load(folder, "height", name)[0]
        np.testing.assert_allclose(got, around(heights, name), rtol=1e-6)
    assert contents(make(raw, "again", match="place", classes=CLASSES, split=SPLIT)) == contents(
        folder
    )


def test_a_raster_of_colours_is_checked_once(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from semimtl_geo.prepare.rasters.colour_code import ColourCode

    checked = []
    check = ColourCode.check
    monkeypatch.setattr(ColourCode, "check", lambda *args: checked.append(1) or check(*args))
    colours = np.array([[255, 255, 255], [0, 0, 255]], np.uint8)
    image = np.moveaxis(colours[(cover() == 7).astype(int)], -1, 0)
    write(raw / "landcover" / "x.tif", image, at=(-SIZE / 2, -SIZE / 2))
    folder = make(raw, match="place", classes=CLASSES, split=SPLIT)
    for name in "ab":
        expected = (around(cover(), name) == 7).astype(np.uint8)
        np.testing.assert_array_equal(load(folder, "landcover", name)[0], expected)
    assert checked == [1]


def test_what_files_do_not_cover_is_unknown(raw: Path) -> None:
    """One tile covers the west of a; b has no labels."""
    write(raw / "landcover" / "x.tif", np.full((SIZE, 10), 7, np.uint8))
    write(raw / "height" / "x.tif", np.full((SIZE, 10), 3, np.float32))
    folder = make(raw, match="place", classes=CLASSES, split=SPLIT)
    known = np.broadcast_to(np.arange(SIZE) < 10, (SIZE, SIZE))
    np.testing.assert_array_equal(load(folder, "landcover", "a")[0], np.where(known, 1, 255))
    np.testing.assert_array_equal(load(folder, "height", "a")[0], np.where(known, 3, -9999))
    assert [file.name for file in folder.glob("test/*/*")] == ["b.tif"]  # the image alone


def test_neighbours_that_only_touch_do_not_count(raw: Path) -> None:
    write(raw / "height" / "x.tif", np.full((SIZE, SIZE), 3, np.float32), at=(SIZE, 0))
    folder = make(raw, match="place", split=SPLIT)
    assert not (folder / "train" / "height" / "a.tif").exists()
    assert (load(folder, "height", "b") == 3).all()


def test_labels_where_no_image_lies(raw: Path) -> None:
    write(raw / "height" / "x.tif", np.full((SIZE, SIZE), 3, np.float32), at=(999, 0))
    with pytest.raises(InputError, match=r"height/x\.tif: overlaps no orthophoto"):
        make(raw, match="place", split=SPLIT)


def test_another_crs(raw: Path) -> None:
    """Tiles in the neighbouring zone: heights of a plane are interpolated exactly."""
    from rasterio.warp import transform_bounds

    with rasterio.open(raw / "image" / "a.tif") as image:
        bounds = transform_bounds("EPSG:32633", "EPSG:32632", *image.bounds)
    step, size = 0.5, 40
    place = rasterio.Affine(step, 0, bounds[0] - 5, 0, -step, bounds[3] + 5)
    x = np.mgrid[:size, :size][1] * step
    write(raw / "height" / "x.tif", (5 + x / 10).astype(np.float32), crs="EPSG:32632",
          transform=place)  # fmt: skip
    folder = make(raw, match="place", split=SPLIT)
    got = load(folder, "height", "a")[0]
    with rasterio.open(raw / "image" / "a.tif") as image:
        rows, columns = np.mgrid[:SIZE, :SIZE]
        east, north = image.xy(rows.ravel(), columns.ravel())
    from rasterio.warp import transform

    there = np.array(transform("EPSG:32633", "EPSG:32632", east, north)[0]).reshape(SIZE, SIZE)
    np.testing.assert_allclose(got, 5 + (there - place.c - step / 2) / 10, atol=2e-3)


def stack(folder: Path, name: str, seed: int, **profile: Any) -> np.ndarray:
    values = noise(3, SIZE, SIZE, seed=seed)
    write(folder / name, values, at=("ab".index(name[0]) * SIZE, 0), **profile)
    return values


def test_bands_of_several_files(raw: Path) -> None:
    infrared = {name: stack(raw / "irc", f"{name}_IRC.tif", 9 + i) for i, name in enumerate("ab")}
    image = {
        "bands": [1, 2, 3],
        "stack": [{"files": "irc/*_IRC.tif", "bands": [1]}],
        "names": ["red", "green", "blue", "NIR"],
    }
    folder = make(raw, image=image, split=SPLIT)
    by_place = make(raw, "again", image=image, split=SPLIT, match="place")
    for number, name in enumerate("ab"):
        expected = np.concatenate([noise(3, SIZE, SIZE, seed=number), infrared[name][:1]])
        np.testing.assert_array_equal(load(folder, "image", name), expected)
        np.testing.assert_array_equal(load(by_place, "image", name), expected)
    with rasterio.open(folder / "train" / "image" / "a.tif") as file:
        assert file.descriptions == ("red", "green", "blue", "NIR")


def test_a_stack_is_known_where_all_files_are(raw: Path) -> None:
    for name in "ab":
        write(raw / "irc" / f"{name}.tif", noise(1, SIZE, 10), at=("ab".index(name) * SIZE, 0))
    folder = make(raw, image={"stack": [{"files": "irc/*"}]}, split=SPLIT, match="place")
    with rasterio.open(folder / "train" / "image" / "a.tif") as file:
        np.testing.assert_array_equal(
            file.dataset_mask() > 0, np.broadcast_to(np.arange(SIZE) < 10, (SIZE, SIZE))
        )


def test_a_stack_that_lacks_a_file_or_is_of_another_type(raw: Path) -> None:
    image = {"stack": [{"files": "irc/*"}]}
    stack(raw / "irc", "a.tif", 1)
    with pytest.raises(
        InputError, match=r"image/b\.tif: has no matching file \(by name\) in irc/\*"
    ):
        make(raw, image=image, split=SPLIT)
    write(raw / "irc" / "b.tif", noise(1, SIZE, SIZE).astype(np.uint16), at=(SIZE, 0))
    with pytest.raises(InputError, match=r"irc/b\.tif: has values of uint16, but .*b\.tif of uint"):
        make(raw, image=image, split=SPLIT)


def ground() -> np.ndarray:
    y, x = np.mgrid[: 2 * SIZE, : 3 * SIZE]
    return (100 + 0.02 * x + 0.01 * y).astype(np.float32)


def test_surface_minus_terrain_with_a_hole_under_a_building(raw: Path) -> None:
    """Under a house of 1.5 m the terrain is unknown, as it is under water, which is wider."""
    house, water = np.s_[20:30, 20:30], np.s_[12:36, 40:60]
    surface, terrain = ground(), ground()
    surface[house] += 6
    surface[:4] -= 1  # a pit
    for hole in (house, water):
        terrain[hole] = 3.4028235e38  # as in the Dutch models
    write_quarters(raw / "dsm", surface)
    write_quarters(raw / "dtm", terrain, gsd=GSD)
    models = {"surface": "dsm/*", "terrain": "dtm/*", "holes": 2}
    folder = make(raw, match="place", split=SPLIT, height=models)
    expected = np.zeros(ground().shape)
    expected[house], expected[water] = 6, -9999
    for name in "ab":
        got = load(folder, "height", name)[0]
        np.testing.assert_allclose(got, around(expected, name), atol=0.1)
    unfilled = make(raw, "again", match="place", split=SPLIT, height=models | {"holes": 0})
    assert (load(unfilled, "height", "a")[0] == -9999).sum() == 100


def test_heights_as_a_band(raw: Path) -> None:
    """The fifth band of an image of bytes is height in steps of 0.2 m."""
    for number, name in enumerate("ab"):
        values = noise(5, SIZE, SIZE, seed=number)
        write(raw / "image" / f"{name}.tif", values, at=(number * SIZE, 0))
    folder = make(raw, split=SPLIT, height={"files": "image/*", "band": 5, "scale": 0.2})
    expected = noise(5, SIZE, SIZE)[4] * 0.2
    np.testing.assert_allclose(load(folder, "height", "a")[0], expected, rtol=1e-6)


def test_a_model_without_the_other(raw: Path) -> None:
    """By name it is a mistake; by place, heights are unknown there."""
    for file in ("dsm/a.tif", "dsm/b.tif", "dtm/a.tif"):
        at = ("ab".index(file[4]) * SIZE, 0)
        write(raw / file, np.full((SIZE, SIZE), 9 if "dsm" in file else 2, np.float32), at=at)
    models = {"surface": "dsm/*", "terrain": "dtm/*"}
    with pytest.raises(InputError, match=r"dsm/b\.tif: has no file of its name in the terrain"):
        make(raw, split=SPLIT, height=models)
    folder = make(raw, split=SPLIT, height=models, match="place")
    assert (load(folder, "height", "a") == 7).all()
    assert not (folder / "test" / "height").exists()


@pytest.mark.parametrize(
    ("shift", "said"),
    [
        (-40, r"dtm/a\.tif: lies 2 m or more above .*dsm/a\.tif in 100% of its pixels"),
        (90, r"dsm/a\.tif: has a median height of 90 m"),
    ],
)
def test_models_of_other_references(raw: Path, shift: float, said: str) -> None:
    level = np.full((SIZE, SIZE), 100, np.float32)
    write(raw / "dsm" / "a.tif", level + shift)
    write(raw / "dtm" / "a.tif", level)
    with pytest.raises(InputError, match=said):
        make(raw, split=SPLIT, height={"surface": "dsm/*", "terrain": "dtm/*"})
    assert not list(raw.parent.glob("out/*/*/height/*"))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"match": "near"}, r"match: must be 'name' or 'place', got 'near'"),
        ({"height": {"surface": "dsm/*"}}, "height needs both surface and terrain, or neither"),
        ({"height": {"holes": -1}}, r"height\.holes: must be greater than or equal to 0, got -1"),
        ({"height": {"surface": "x/*", "terrain": "y/*"}}, r"has no files of the pattern x/\*"),
        ({"landcover": {"files": "label/*"}}, r"has no files of the pattern label/\*"),
        ({"image": {"files": "photo/*"}}, r"has no rasters of the pattern photo/\*"),
        ({"image": {"stack": [{"bands": [1]}]}}, r"image\.stack\[0\]\.files: is missing"),
        ({"match": "place", "image": {"gsd": 1}}, "match: place needs georeferences"),
        ({"landcover": {"fields": "x"}}, r"landcover\.fields: is not a setting"),
    ],
)
def test_bad_settings(raw: Path, config: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        make(raw, **({"split": SPLIT} | config))
    assert "\n" not in str(error.value)


def test_heights_of_two_kinds(raw: Path) -> None:
    for layer in ("height", "dsm", "dtm"):
        write(raw / layer / "a.tif", np.ones((SIZE, SIZE), np.float32))
    with pytest.raises(InputError, match=r"holds heights, but scenes\.yaml also gives a surface"):
        make(raw, split=SPLIT, height={"surface": "dsm/*", "terrain": "dtm/*"})


def test_names_by_patterns(tmp_path: Path) -> None:
    """What the stars of the last part stand for, in any case, in any folder."""
    raw = tmp_path / "raw"
    write(raw / "d4_RGB" / "x" / "d4_RGB_x_0.TIF", noise(3, SIZE, SIZE))
    write(raw / "d4_AGL" / "x" / "d4_agl_x_0.tif", np.full((SIZE, SIZE), 3, np.float32))
    write(raw / "d4_AGL" / "y" / "other.tif", np.full((SIZE, SIZE), 3, np.float32))
    folder = make(
        raw,
        image={"files": "*_RGB/*/*_RGB_*.tif"},
        height={"files": "*_AGL/x/*_AGL_*"},
        split={"train": ["d4_x_0"]},
    )
    assert (load(folder, "height", "d4_x_0") == 3).all()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_files_without_a_georeference(tmp_path: Path) -> None:
    """Scenes lie side by side; each label lies on its image."""
    raw = tmp_path / "raw"
    none = {"crs": None, "transform": None}
    for number, name in enumerate("ab"):
        write(raw / "image" / f"{name}.tif", noise(3, SIZE, SIZE, seed=number), **none)
        heights = np.full((SIZE, SIZE), 3 + number, np.float32)
        heights[0, 0] = np.nan
        write(raw / "height" / f"{name}.tif", heights, **none)
    folder = make(raw, image={"gsd": 0.35}, split=SPLIT)
    assert load(folder, "height", "b")[0, 0, 0] == -9999
    assert (load(folder, "height", "b")[0, 1:] == 4).all()
    np.testing.assert_array_equal(load(folder, "image", "b"), noise(3, SIZE, SIZE, seed=1))
    bounds = []
    for file in (folder / "train/image/a.tif", folder / "test/image/b.tif"):
        with rasterio.open(file) as source:
            assert source.res == (0.35, 0.35)
            bounds.append(source.bounds)
    assert bounds[0].right < bounds[1].left
    write(raw / "image" / "0.tif", noise(3, SIZE, SIZE), **none)  # would move the others
    with pytest.raises(InputError, match=r"was begun with other settings \(scenes: "):
        make(raw, image={"gsd": 0.35}, split={"train": ["a", "0"], "test": ["b"]})
    (raw / "image" / "0.tif").unlink()
    write(raw / "height" / "a.tif", np.ones((SIZE, 5), np.float32), **none)
    with pytest.raises(InputError, match=r"height/a\.tif: has 5 x 24 px, but a\.tif has 24 x 24"):
        make(raw, "again", image={"gsd": 0.35}, split=SPLIT)
    write(raw / "height" / "a.tif", np.full((SIZE, SIZE), 5e4, np.float32), **none)
    with pytest.raises(InputError, match=r"raw/height/a\.tif: has 576 px of 50000"):
        make(raw, "thrice", image={"gsd": 0.35}, split=SPLIT)
