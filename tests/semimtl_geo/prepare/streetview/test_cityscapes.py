"""On files in the official layout, 8 x 16 px instead of 1024 x 2048, made 4 x 8."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from semimtl_geo.data import Domain, DomainsDataModule
from semimtl_geo.data.augmentation import Augmentation
from semimtl_geo.prepare.pipeline import prepare
from semimtl_geo.prepare.registry import REGISTRY
from semimtl_geo.prepare.streetview.cityscapes import FRAMES, Cityscapes
from semimtl_geo.prepare.streetview.common import area_average, nearest
from tests.frames import load, save
from tests.rasters import noise
from tiles.errors import InputError

ADAPTER = Cityscapes(frames={"train": 2, "val": 1}, size=(4, 8))
BASELINE, FX = 0.209313, 2262.52
ULM, BONN, MAINZ = "ulm_000000_000019", "bonn_000001_000019", "mainz_000000_000002"


def path(raw: Path, kind: str, split: str, name: str) -> Path:
    ending = {
        "leftImg8bit": "leftImg8bit.png",
        "gtFine": "gtFine_labelIds.png",
        "gtCoarse": "gtCoarse_labelIds.png",
        "disparity": "disparity.png",
        "camera": "camera.json",
    }[kind]
    return raw / kind / split / name.partition("_")[0] / f"{name}_{ending}"


def frame(
    raw: Path, split: str, name: str, labels: str = "gtFine", seed: int = 0, **camera: float
) -> None:
    save(path(raw, "leftImg8bit", split, name), noise(8, 16, 3, seed=seed))
    save(path(raw, labels, split, name), noise(8, 16, seed=seed) % np.uint8(34))
    save(path(raw, "disparity", split, name), np.full((8, 16), 5121, np.uint16))
    json_ = path(raw, "camera", split, name)
    json_.parent.mkdir(parents=True, exist_ok=True)
    settings = {"baseline": BASELINE, "fx": FX} | camera
    text = {
        "extrinsic": {"baseline": settings["baseline"], "pitch": 0.038, "x": 1.7},
        "intrinsic": {"fx": settings["fx"], "fy": 2265.3, "u0": 1096.98},
    }
    json_.write_text(json.dumps(text))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    frame(folder, "train", ULM)
    frame(folder, "train", BONN, seed=1, baseline=2 * BASELINE)
    frame(folder, "val", MAINZ, seed=2)
    return folder


def run(raw: Path, adapter: Cityscapes = ADAPTER) -> Path:
    out = raw.parent / "out"
    prepare("cityscapes", adapter, raw, out)
    return out


def test_what_is_made(raw: Path) -> None:
    out = run(raw)
    made = sorted(
        file.relative_to(out).as_posix()
        for file in out.rglob("*")
        if file.is_file() and not file.name.startswith(".")
    )
    assert made == sorted(
        ["cityscapes/summary.md"]
        + [
            f"cityscapes/{split}/{folder}/{name}.{ending}"
            for split, name in (("train", ULM), ("train", BONN), ("val", MAINZ))
            for folder, ending in (("image", "png"), ("segmentation", "png"), ("depth", "tif"))
        ]
    )
    for folder, shape, dtype in (
        ("image", (4, 8, 3), np.uint8),
        ("segmentation", (4, 8), np.uint8),
        ("depth", (4, 8), np.float32),
    ):
        (file,) = (out / "cityscapes/val" / folder).iterdir()
        assert (load(file).shape, load(file).dtype) == (shape, dtype)


def test_images_are_averaged(raw: Path) -> None:
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:2, :2, 0] = [[10, 20], [30, 41]]  # 25.25
    pixels[:2, :2, 1] = [[255, 255], [255, 253]]  # 254.5 is between two; the even one
    pixels[6:, 14:, 2] = 7
    save(path(raw, "leftImg8bit", "train", ULM), pixels)
    made = load(run(raw) / f"cityscapes/train/image/{ULM}.png")
    assert made[0, 0].tolist() == [25, 254, 0]
    assert made[3, 7].tolist() == [0, 0, 7]
    assert made.sum() == 25 + 254 + 7


def test_label_ids_become_train_ids(raw: Path) -> None:
    """Of every 2 x 2 the pixel right below the centre; ignored classes and licence plates: 255."""
    table = {7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10}
    table |= {24: 11, 25: 12, 26: 13, 27: 14, 28: 15, 31: 16, 32: 17, 33: 18}
    labels = np.full((8, 16), 7, np.uint8)
    ids = np.array([*range(31), 33, 31, 255][:32], np.uint8).reshape(4, 8)
    labels[1::2, 1::2] = ids
    save(path(raw, "gtFine", "train", ULM), labels)
    made = load(run(raw) / f"cityscapes/train/segmentation/{ULM}.png")
    assert made.tolist() == [[table.get(int(number), 255) for number in row] for row in ids]


def test_disparity_becomes_inverse_depth_by_the_own_camera(raw: Path) -> None:
    """p = 5121 is 20 px of the full size, 23.68 m; a frame of twice the baseline, twice that."""
    for name in (ULM, BONN):
        disparity = np.full((8, 16), 5121, np.uint16)
        disparity[:2, :2] = [[0, 1], [5121, 5121]]  # unknown, and "infinitely far", do not count
        disparity[:2, 2:4] = [[0, 1], [1, 0]]
        disparity[:2, 4:6] = [[2561, 2561], [5121, 5121]]  # 10 and 20 px: 15
        disparity[:2, 6:8] = [[0, 0], [0, 65535]]
        save(path(raw, "disparity", "train", name), disparity)
    out = run(raw)
    ulm = load(out / f"cityscapes/train/depth/{ULM}.tif")
    assert 1 / ulm[3, 7] == pytest.approx(23.68, abs=0.005)
    assert 1 / ulm[0, 0] == pytest.approx(BASELINE * FX / 20, rel=1e-6)
    assert np.isnan(ulm[0, 1])
    assert 1 / ulm[0, 2] == pytest.approx(BASELINE * FX / 15, rel=1e-6)
    assert ulm[0, 3] == pytest.approx(65534 / 256 / (BASELINE * FX), rel=1e-6)
    assert np.isnan(ulm).sum() == 1
    bonn = load(out / f"cityscapes/train/depth/{BONN}.tif")
    np.testing.assert_allclose(bonn, ulm / 2, rtol=1e-6)


def test_train_extra_is_a_domain_with_depth_alone(raw: Path) -> None:
    extra = "augsburg_000000_000000"
    frame(raw, "train_extra", extra, labels="gtCoarse", seed=3)
    out = run(raw)
    folders = {file.parent.name for file in (out / "cityscapes_extra").rglob(f"{extra}.*")}
    assert folders == {"image", "depth"}
    assert (out / f"cityscapes_extra/train/depth/{extra}.tif").is_file()
    assert "segmentation" not in (out / "cityscapes_extra/summary.md").read_text()
    # The two domains of the cross-city scenario, as they are trained on.
    data = DomainsDataModule(
        str(out),
        {"cityscapes": Domain(["segmentation"]), "cityscapes_extra": Domain(["depth"])},
        {"segmentation": "classes", "depth": "values"},
        crop=4,
        workers=0,
        augmentation=Augmentation(from_above=False),
    )
    batch, _, _ = next(iter(data.train_dataloader()))
    assert {name: set(part) for name, part in batch.items()} == {
        "cityscapes": {"image", "segmentation"},
        "cityscapes_extra": {"image", "depth"},
    }


def test_the_broken_frame_of_train_extra_is_left_out(raw: Path) -> None:
    """It has an image, black, and a camera, but no disparity: as in the official archives."""
    whole, broken = "troisdorf_000000_000072", "troisdorf_000000_000073"
    frame(raw, "train_extra", whole, labels="gtCoarse")
    frame(raw, "train_extra", broken, labels="gtCoarse")
    path(raw, "disparity", "train_extra", broken).unlink()
    out = run(raw) / "cityscapes_extra"
    assert {file.stem for file in (out / "train").rglob("*.*")} == {whole}
    summary = (out / "summary.md").read_text()
    assert "train: 1 frames" in summary
    assert f"Left out: {broken}" in summary
    # Any other hole is a fault.
    path(raw, "disparity", "train_extra", whole).unlink()
    with pytest.raises(InputError, match=f"{whole}_disparity.png"):
        run(raw)


def test_archives_need_not_be_unzipped(raw: Path) -> None:
    want = {file.name: file.read_bytes() for file in run(raw).rglob("*.???") if file.stem in (ULM,)}
    for kind in ("leftImg8bit", "gtFine", "disparity", "camera"):
        with zipfile.ZipFile(raw / f"{kind}_trainvaltest.zip", "w") as archive:
            for file in sorted((raw / kind).rglob("*.*")):
                archive.write(file, file.relative_to(raw))
                file.unlink()
    (raw.parent / "out").rename(raw.parent / "before")
    made = {file.name: file.read_bytes() for file in run(raw).rglob("*.???") if file.stem in (ULM,)}
    assert made == want


def test_a_damaged_member_of_an_archive_is_named(raw: Path) -> None:
    file = path(raw, "camera", "train", ULM)
    file.write_text("{}")
    with zipfile.ZipFile(raw / "camera_trainvaltest.zip", "w") as archive:
        for part in sorted((raw / "camera").rglob("*.json")):
            archive.write(part, part.relative_to(raw))
            part.unlink()
    with pytest.raises(InputError) as caught:
        run(raw)
    assert str(caught.value).startswith(
        f"{raw}/camera_trainvaltest.zip/camera/train/ulm/{ULM}_camera.json: must hold extrinsic"
    )


def test_a_second_run_makes_what_is_missing(raw: Path) -> None:
    out = run(raw)
    files = [file for file in out.rglob("*.*") if file.stem in (ULM, BONN, MAINZ)]
    assert len(files) == 9
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in files}
    (out / f"cityscapes/train/image/{ULM}.png").unlink()
    run(raw)
    for file, (content, time) in before.items():
        assert file.read_bytes() == content
        assert (file.stat().st_mtime_ns == time) == (file.stem != ULM)


def test_the_summary(raw: Path) -> None:
    save(
        path(raw, "gtFine", "val", MAINZ),
        np.repeat([[7, 7, 26, 0]], 8, 0).repeat(4, 1).astype("u1"),
    )
    text = (run(raw) / "cityscapes/summary.md").read_text()
    assert "## train: 2 frames of 4 x 8 px" in text
    val = text[text.index("## val: 1 frames") :]
    for line in ("| road | 50.00 % |", "| car | 25.00 % |", "| unknown | 25.00 % |"):
        assert line in val
    assert "| 50 % below | 0.0422 |" in val  # 1 / 23.68 m


@pytest.mark.parametrize("kind", ["leftImg8bit", "gtFine", "disparity", "camera"])
def test_a_missing_file_is_named(raw: Path, kind: str) -> None:
    file = path(raw, kind, "train", BONN)
    file.unlink()
    with pytest.raises(InputError) as caught:
        run(raw)
    assert str(caught.value) == (
        f"{file}: does not exist; put all of {kind}_trainvaltest.zip into {raw}"
    )
    assert not list((raw.parent / "out").rglob("*.png"))


def test_a_package_that_is_missing_is_named(raw: Path) -> None:
    for split in ("train", "val"):
        for file in (raw / "camera" / split).rglob("*.json"):
            file.unlink()
    with pytest.raises(InputError, match=r"\(and 1 more\).*camera_trainvaltest\.zip"):
        run(raw)


def test_of_train_extra_all_or_nothing(raw: Path) -> None:
    extra = "augsburg_000000_000000"
    frame(raw, "train_extra", extra, labels="gtCoarse")
    path(raw, "leftImg8bit", "train_extra", extra).unlink()
    with pytest.raises(InputError, match=r"8bit\.png: does not exist.*leftImg8bit_trainextra\.zip"):
        run(raw)


def test_an_incomplete_split_is_refused(raw: Path) -> None:
    with pytest.raises(InputError, match=r"leftImg8bit/train: must have 2975 frames, has 2"):
        run(raw, Cityscapes())
    assert FRAMES == {"train": 2975, "val": 500}


def bad_json(raw: Path) -> None:
    path(raw, "camera", "train", ULM).write_text("{")


def no_fx(raw: Path) -> None:
    path(raw, "camera", "train", ULM).write_text('{"extrinsic": {"baseline": 0.2}}')


def no_baseline(raw: Path) -> None:
    frame(raw, "train", ULM, baseline=0.0)


def eight_bits(raw: Path) -> None:
    save(path(raw, "disparity", "train", ULM), noise(8, 16))


def colour_labels(raw: Path) -> None:
    save(path(raw, "gtFine", "train", ULM), noise(8, 16, 3))


def cut_short(raw: Path) -> None:
    file = path(raw, "leftImg8bit", "train", ULM)
    file.write_bytes(file.read_bytes()[:200])


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (bad_json, f"{ULM}_camera.json: must hold extrinsic.baseline and intrinsic.fx"),
        (no_fx, f"{ULM}_camera.json: must hold extrinsic.baseline and intrinsic.fx"),
        (no_baseline, f"{ULM}_camera.json: baseline times fx must be > 0, got 0.0"),
        (eight_bits, f"{ULM}_disparity.png: holds L, not one band of 16 bits"),
        (colour_labels, f"{ULM}_gtFine_labelIds.png: holds RGB, not one band of 8 bits"),
        (cut_short, f"{ULM}_leftImg8bit.png: cannot be read"),
    ],
)
def test_damaged_files_are_named(raw: Path, harm: Any, words: str) -> None:
    harm(raw)
    with pytest.raises(InputError) as caught:
        run(raw)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list((raw.parent / "out").rglob(f"{ULM}.*"))


def test_averages_of_parts_of_pixels() -> None:
    """3 pixels to 2: each new one is a whole and a half old one, of which NaN does not count."""
    row = np.array([[[3, 6, 12]], [[3, np.nan, 12]], [[np.nan, np.nan, 12]]], np.float32)
    for values, want in zip(row, ([4, 10], [3, 12], [np.nan, 12]), strict=True):
        np.testing.assert_allclose(area_average(values[None], (1, 2))[0, 0], want, rtol=1e-6)
    assert nearest(np.array([[1, 2, 3]], np.uint8), (1, 2)).tolist() == [[1, 3]]
    assert nearest(np.array([[1, 2]], np.uint8), (2, 4)).tolist() == [[1, 1, 2, 2]] * 2


def test_it_is_registered() -> None:
    assert REGISTRY["cityscapes"].load()() == Cityscapes(FRAMES, (512, 1024))
