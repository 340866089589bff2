from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp
from shapely.geometry import box

from semimtl_geo.class_schemes import ISPRS
from semimtl_geo.synthetic import CITY_A, CITY_B, make_scene, write_cities
from semimtl_geo.synthetic.write import scene_size, scene_transform
from tiles.errors import InputError

STYLES = {"city_a": CITY_A, "city_b": CITY_B}
LAYERS = ("image", "landcover", "height")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_cities(tmp_path_factory.mktemp("cities") / "demo", seed=3, scenes=2, size=80)


def test_folders_and_names(written: dict[str, Path]) -> None:
    assert list(written) == ["city_a", "city_b"]
    for name, folder in written.items():
        for split in ("train", "val", "test"):
            for layer in LAYERS:
                files = sorted(path.name for path in (folder / split / layer).iterdir())
                assert files == [f"{name}_{split}_{index:03d}.tif" for index in range(2)]


def test_georeference(written: dict[str, Path]) -> None:
    for name, folder in written.items():
        style = STYLES[name]
        outlines = []
        for image in sorted(folder.glob("*/image/*.tif")):
            found = set()
            for layer in LAYERS:
                with rasterio.open(image.parent.parent / layer / image.name) as source:
                    assert source.crs.to_string() == style.crs
                    assert source.res == pytest.approx((style.gsd, style.gsd))
                    assert source.transform.e < 0 < source.transform.a
                    assert source.transform.b == source.transform.d == 0
                    assert source.profile["tiled"]
                    assert source.compression.name == "deflate"
                    found.add((source.bounds, source.shape))
            assert len(found) == 1
            ((bounds, shape),) = found
            assert shape == (scene_size(style, 80),) * 2
            assert bounds.right - bounds.left == pytest.approx(80 * 0.27, abs=style.gsd)
            outlines.append(box(*bounds))
        assert len(outlines) == 6
        for index, outline in enumerate(outlines):
            assert not any(outline.intersects(other) for other in outlines[:index])


@pytest.mark.parametrize("style", [CITY_A, CITY_B], ids=lambda style: style.name)
def test_many_scenes_never_overlap(style) -> None:
    corners = [
        (transform.c, transform.f)
        for split in range(3)
        for transform in (scene_transform(style, split, index, 138.24) for index in range(60))
    ]
    apart = np.abs(np.array(corners)[:, None] - np.array(corners)[None]).max(axis=2)
    np.fill_diagonal(apart, np.inf)
    assert apart.min() >= 138.24 + 40 - 1e-6


def test_bands_and_colours(written: dict[str, Path]) -> None:
    scene = written["city_b"] / "train"
    with rasterio.open(scene / "image" / "city_b_train_000.tif") as source:
        assert source.descriptions == ("NIR", "red", "green")
        assert source.colorinterp == (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
        assert source.dtypes == ("uint8",) * 3
    with rasterio.open(scene / "landcover" / "city_b_train_000.tif") as source:
        assert source.nodata == 255
        table = source.colormap(1)
        assert [table[index][:3] for index in range(6)] == list(ISPRS.colors)
    with rasterio.open(scene / "height" / "city_b_train_000.tif") as source:
        assert source.nodata == -9999
        assert source.units == ("m",)
        assert source.dtypes == ("float32",)


def test_no_two_scenes_share_a_seed(written: dict[str, Path]) -> None:
    seeds = []
    for folder in written.values():
        for path in folder.glob("*/image/*.tif"):
            with rasterio.open(path) as source:
                tags = source.tags()
            assert tags["SPLIT"] == path.parent.parent.name
            seeds.append(tags["SEED_WORDS"])
    assert len(seeds) == len(set(seeds)) == 12


def test_files_hold_the_scene(written: dict[str, Path]) -> None:
    sequence = np.random.SeedSequence(entropy=3, spawn_key=(1, 2, 1))
    scene = make_scene(CITY_B, sequence, 80)
    for layer in LAYERS:
        with rasterio.open(written["city_b"] / "test" / layer / "city_b_test_001.tif") as source:
            np.testing.assert_array_equal(np.squeeze(source.read()), getattr(scene, layer))


def test_written_again_into_the_same_folder(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    first = write_cities(tmp_path, scenes=1, size=64)
    path = first["city_a"] / "val" / "height" / "city_a_val_001.tif"
    before = path.read_bytes()
    path.write_bytes(b"broken")
    write_cities(tmp_path, scenes=1, size=64, progress=lambda *at: calls.append(at))
    assert path.read_bytes() == before
    assert calls == [(done, 10) for done in range(1, 11)]
    assert not list(tmp_path.rglob("*.part"))
    assert not list(tmp_path.rglob("*.aux.xml"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"scenes": 0}, "scenes"),
        ({"size": 63}, "size"),
        ({"seed": -1}, "seed"),
    ],
)
def test_arguments_that_cannot_be_used(
    tmp_path: Path, arguments: dict[str, int], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        write_cities(tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_out_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "taken"
    file.write_text("mine")
    for out in (file, file / "below"):
        with pytest.raises(InputError, match="taken"):
            write_cities(out, scenes=1, size=64)
    assert file.read_text() == "mine"


def test_out_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(InputError, match="Permission denied"):
        write_cities(tmp_path / "out", scenes=1, size=64)
