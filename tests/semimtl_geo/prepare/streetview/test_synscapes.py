"""On files in the official layout, 8 x 16 px, made 4 x 8; the EXR files by OpenEXR itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR  # type: ignore[import-not-found]
import pytest

from semimtl_geo.prepare.pipeline import prepare
from semimtl_geo.prepare.registry import REGISTRY
from semimtl_geo.prepare.streetview.synscapes import FRAMES, Synscapes, inverse_depth, read_depth
from tests.frames import load, save
from tests.rasters import noise
from tiles.errors import InputError

ADAPTER = Synscapes(frames={"train": 3, "val": 1, "test": 1}, size=(4, 8))
NUMBERS = (1, 2, 10, 11, 100)


def write_exr(path: Path, **channels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, channels) as file:
        file.write(str(path))
    return path


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    for number in NUMBERS:
        save(folder / f"img/rgb/{number}.png", noise(8, 16, 3, seed=number))
        save(folder / f"img/rgb-2k/{number}.png", noise(16, 32, 3))
        save(folder / f"img/class/{number}.png", np.full((8, 16), 26, np.uint8))
        save(folder / f"img/instance/{number}.png", noise(8, 16, 3))
        write_exr(folder / f"img/depth/{number}.exr", Z=np.full((8, 16), number, np.float32))
        (folder / "meta").mkdir(exist_ok=True)
        (folder / f"meta/{number}.json").write_text("{}")
    return folder


def run(raw: Path, adapter: Synscapes = ADAPTER) -> Path:
    out = raw.parent / "out"
    prepare("synscapes", adapter, raw, out)
    return out / "synscapes"


def test_the_split_is_by_number(raw: Path) -> None:
    """10 comes after 2, though not as text."""
    out = run(raw)
    names = {
        split: sorted(file.stem for file in (out / split / "image").iterdir())
        for split in ("train", "val", "test")
    }
    assert names == {"train": ["00001", "00002", "00010"], "val": ["00011"], "test": ["00100"]}
    assert load(out / "train/depth/00010.tif") == pytest.approx(0.1)
    assert (load(out / "test/segmentation/00100.png") == 13).all()  # a car
    want = noise(8, 16, 3, seed=11).reshape(4, 2, 8, 2, 3).mean(axis=(1, 3))
    assert np.abs(load(out / "val/image/00011.png") - want).max() <= 0.5
    assert FRAMES == {"train": 20_000, "val": 1_000, "test": 4_000}


def test_depth_becomes_inverse_depth_before_it_is_averaged(raw: Path) -> None:
    depth = np.full((8, 16), 2, np.float32)
    depth[:2, :2] = [[2, 4], [4, 4]]  # 0.5, 0.25, 0.25, 0.25
    depth[:2, 2:4] = [[1000.5, 1e9], [np.inf, 5]]  # 0, 0, 0, 0.2
    depth[:2, 4:6] = 1e10  # sky
    depth[:2, 6:8] = [[0, -1], [np.nan, 8]]  # three that are no depth
    depth[:2, 8:10] = 0
    write_exr(raw / "img/depth/1.exr", Z=depth)
    made = load(run(raw) / "train/depth/00001.tif")
    assert made.dtype == np.float32
    np.testing.assert_allclose(made[0, :4], [0.3125, 0.05, 0, 0.125], rtol=1e-6)
    assert np.isnan(made[0, 4])
    assert (made[1:] == 0.5).all()


def test_a_thousand_metres_are_not_infinitely_far() -> None:
    got = inverse_depth(np.array([1000, np.nextafter(np.float32(1000), np.float32(2000))], "f4"))
    assert got.tolist() == [pytest.approx(0.001), 0]


def test_other_channels_and_half_precision(tmp_path: Path) -> None:
    depth = np.arange(12, dtype=np.float16).reshape(3, 4)
    colours = {name: noise(3, 4).astype(np.float32) for name in "RGB"}
    path = write_exr(tmp_path / "x.exr", Z=depth, **colours)
    got = read_depth(path)
    assert (got.dtype, got.tolist()) == (np.float32, depth.tolist())


def test_the_summary(raw: Path) -> None:
    text = (run(raw) / "summary.md").read_text()
    assert "## train: 3 frames of 4 x 8 px" in text
    assert "## test: 1 frames of 4 x 8 px" in text
    assert "| car | 100.00 % |" in text
    assert "| 50 % below | 0.5000 |" in text


@pytest.mark.parametrize("missing", ["rgb/10.png", "class/10.png", "depth/10.exr"])
def test_a_missing_file_is_named(raw: Path, missing: str) -> None:
    (raw / "img" / missing).unlink()
    with pytest.raises(InputError) as caught:
        run(raw)
    assert str(caught.value) == (
        f"{raw}/img/{missing}: does not exist; put all of Synscapes into {raw}"
    )


def test_a_wrong_number_of_frames_is_refused(raw: Path) -> None:
    with pytest.raises(InputError, match=r"img/rgb: must have 25000 frames, has 5; put all of"):
        run(raw, Synscapes())
    for file in ("rgb/1.png", "class/1.png", "depth/1.exr"):
        (raw / "img" / file).unlink()
    with pytest.raises(InputError, match="must have 5 frames, has 4"):
        run(raw)


def test_a_kind_that_is_missing_is_named(raw: Path) -> None:
    for file in (raw / "img/depth").iterdir():
        file.unlink()
    with pytest.raises(InputError, match=r"img/depth/1\.exr: does not exist \(and 4 more\)"):
        run(raw)


def no_z(path: Path) -> None:
    write_exr(path, Y=np.ones((8, 16), np.float32))


def garbage(path: Path) -> None:
    path.write_bytes(b"garbage")


def cut_short(path: Path) -> None:
    noisy = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    content = write_exr(path, Z=noisy).read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (no_z, r"1\.exr: has no channel Z, only Y"),
        (garbage, r"1\.exr: cannot be read"),
        (cut_short, r"1\.exr: (cannot be read|has no channel Z)"),
    ],
)
def test_damaged_files_are_named(raw: Path, harm: Any, words: str) -> None:
    harm(raw / "img/depth/1.exr")
    with pytest.raises(InputError, match=words) as caught:
        run(raw)
    assert "\n" not in str(caught.value)
    assert not list((raw.parent / "out").rglob("00001.*"))


def test_it_is_registered() -> None:
    assert REGISTRY["synscapes"].load()() == Synscapes(FRAMES, (512, 1024))
