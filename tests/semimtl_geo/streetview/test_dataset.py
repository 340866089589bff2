from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from semimtl_geo.class_schemes import CITYSCAPES, CITYSCAPES_LABEL_IDS, to_train_ids
from semimtl_geo.data.augmentation import Augmentation
from semimtl_geo.data.datamodule import DomainsDataModule
from semimtl_geo.data.domain import Domain
from semimtl_geo.streetview.dataset import Frames, RandomCrops
from semimtl_geo.streetview.files import frame_files, read_values, write_png, write_values
from tests.frames import load, save, write_streets
from tests.rasters import noise, write
from tests.semimtl_geo.data.batches import Batches, same, training
from tiles.errors import InputError

LABELS = {"segmentation": "classes", "depth": "values"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_streets(tmp_path / "root")


def make(root: Path, **settings: Any) -> DomainsDataModule:
    defaults: dict[str, Any] = {
        "root": str(root),
        "domains": {"a": Domain(["segmentation"]), "b": Domain(["depth"])},
        "labels": LABELS,
        "crop": 32,
        "batch_size": 2,
        "iterations": 3,
        "workers": 0,
        "augmentation": Augmentation(from_above=False),
    }
    return DomainsDataModule(**(defaults | settings))


def validation(data: DomainsDataModule) -> Batches:
    return [batch for loader in data.val_dataloader() for batch in loader]


def test_the_contract_of_a_batch(root: Path) -> None:
    batches = training(make(root))
    assert len(batches) == 3
    for batch in batches:
        assert {name: set(data) for name, data in batch.items()} == {
            "a": {"image", "segmentation"},
            "b": {"image", "depth"},
        }
        for data in batch.values():
            assert (data["image"].shape, data["image"].dtype) == ((2, 3, 32, 32), torch.float32)
        classes, depth = batch["a"]["segmentation"], batch["b"]["depth"]
        assert (classes.shape, classes.dtype) == ((2, 32, 32), torch.int64)
        assert (depth.shape, depth.dtype) == ((2, 32, 32), torch.float32)
        assert set(classes.unique().tolist()) <= {0, 1, 2, 255}


def test_image_and_labels_are_cut_at_one_place(tmp_path: Path) -> None:
    """Each pixel says where it is; every place occurs, and so do the last row and column."""
    rows, columns = np.meshgrid(np.arange(10), np.arange(9), indexing="ij")
    image = np.stack([rows, columns, rows + columns], axis=-1).astype(np.uint8)
    save(tmp_path / "image/x.png", image)
    save(tmp_path / "segmentation/x.png", rows.astype(np.uint8))
    save(tmp_path / "depth/x.tif", columns.astype(np.float32))
    frames = Frames(tmp_path, LABELS, [2, 1], crop=8)  # type: ignore[arg-type]
    starts = set()
    for query in RandomCrops(1, 8, 200, seed=0):
        sample = frames[query]
        assert torch.equal(sample["image"][0], sample["depth"] / 255)
        assert torch.equal(sample["image"][1], sample["segmentation"].float() / 255)
        row, column = int(sample["segmentation"][0, 0]), int(sample["depth"][0, 0])
        assert torch.equal(sample["depth"][0], column + torch.arange(8.0))
        starts.add((row, column))
    assert starts == {(row, column) for row in range(3) for column in range(2)}


def test_the_seed_fixes_the_batches(root: Path) -> None:
    torch.manual_seed(1)
    one = training(make(root))
    torch.manual_seed(2)
    assert same(training(make(root)), one)
    assert same(training(make(root, workers=1)), one)
    assert not same(training(make(root, seed=1)), one)


def test_passes_differ_and_are_found_again(root: Path) -> None:
    crops = RandomCrops(3, 8, 20, seed=5)
    first, second = list(crops), list(crops)
    assert first != second
    crops.set_epoch(1)
    assert list(crops) == second
    assert {number for number, _ in first} == {0, 1, 2}
    # Domains do not move in step.
    shutil.rmtree(root / "b")
    shutil.copytree(root / "a", root / "b")
    batch = training(make(root))[0]
    assert not torch.equal(batch["a"]["image"], batch["b"]["image"])


def test_validation_sees_every_pixel_once(root: Path) -> None:
    save(root / "a/val/image/large.png", noise(50, 70, 3))
    save(root / "a/val/segmentation/large.png", np.zeros((50, 70), np.uint8))
    data = make(root, domains={"a": Domain(["segmentation"]), "b": Domain([])})
    batches = validation(data)
    assert [set(batch) for batch in batches] == [{"a"}] * 3
    files = frame_files(root / "a/val/image")
    assert [file.stem for file in files] == ["large", "val_0", "val_1"]
    for batch, file in zip(batches, files, strict=True):
        image = torch.from_numpy(load(file)).movedim(-1, 0)[None] / 255
        assert torch.equal(batch["a"]["image"], image)
        truth = torch.from_numpy(load(root / f"a/val/segmentation/{file.name}")).long()
        assert torch.equal(batch["a"]["segmentation"], truth[None])


def test_hidden_labels_do_not_reach_a_batch(root: Path) -> None:
    before = training(make(root)), validation(make(root))
    for split in ("train", "val"):
        for file in (root / "a" / split / "depth").iterdir():
            file.write_bytes(b"garbage")
        shutil.rmtree(root / "b" / split / "segmentation")
    assert same(training(make(root)), before[0])
    assert same(validation(make(root)), before[1])
    # A supervised label does make a difference.
    for file in (root / "b/train/depth").iterdir():
        save(file, np.ones((40, 64), np.float32))
    assert not same(training(make(root)), before[0])


def test_a_system_reads_what_it_learns_from(root: Path) -> None:
    shutil.rmtree(root / "b/train/depth")
    data = make(root)
    data.restrict_to("da_seg")
    batch = training(data)[0]
    assert {name: set(data) for name, data in batch.items()} == {
        "a": {"image", "segmentation"},
        "b": {"image"},
    }


def test_classes_with_a_palette(root: Path) -> None:
    """Written for the eye, the numbers are the same."""
    before = training(make(root))
    for file in (root / "a/train/segmentation").iterdir():
        write_png(file, load(file), palette=CITYSCAPES.colors)
    assert same(training(make(root)), before)


def test_scenes_with_previews_are_scenes(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", noise(3, 4, 4))
    save(tmp_path / "a.png", noise(4, 4, 3))
    assert frame_files(tmp_path) == []


def test_frames_and_scenes_do_not_mix(root: Path) -> None:
    shutil.rmtree(root / "b/train")
    write(root / "b/train/image/x.tif", noise(3, 40, 40))
    with pytest.raises(InputError, match="domain a: has street views, but domain b has georef"):
        training(make(root))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"gsd": 0.1}, r"data\.gsd: does not apply to street views"),
        (
            {"augmentation": Augmentation()},
            r"from_above: must be false for street views, which have a top",
        ),
        ({"crop": 41}, r"train_0\.png: is smaller than a crop of 41 px"),
        (
            {"domains": {"a": Domain(["segmentation"], [1, 2, 4])}},
            r"bands: must be among .* got \[1, 2, 4\]",
        ),
        ({"domains": {"a": Domain([], [0, 1, 2])}}, r"bands: must be among .* got \[0, 1, 2\]"),
    ],
)
def test_settings_that_do_not_fit(root: Path, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        training(make(root, **settings))


def no_images(domain: Path) -> None:
    shutil.rmtree(domain / "train/image")


def no_label(domain: Path) -> None:
    (domain / "train/segmentation/train_1.png").unlink()


def garbage(domain: Path) -> None:
    for file in (domain / "train/segmentation").iterdir():
        file.write_bytes(b"garbage")


def cut_short(domain: Path) -> None:
    for file in (domain / "train/image").iterdir():
        file.write_bytes(file.read_bytes()[:3000])


def gray(domain: Path) -> None:
    save(domain / "train/image/train_0.png", noise(40, 64))


def coloured(domain: Path) -> None:
    for file in (domain / "train/segmentation").iterdir():
        save(file, noise(40, 64, 3))


def another_size(domain: Path) -> None:
    for file in (domain / "train/segmentation").iterdir():
        save(file, noise(40, 63))


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (no_images, r"a/train/image: holds no \.png files"),
        (no_label, r"segmentation/train_1\.png: does not exist; every image needs its seg"),
        (garbage, r"segmentation/train_\d\.png: is not a PNG file"),
        (cut_short, r"image/train_\d\.png: cannot be read"),
        (gray, r"image/train_0\.png: holds L, not red, green and blue of 8 bits"),
        (coloured, r"segmentation/train_\d\.png: holds RGB, not one band of 8 bits"),
        (another_size, r"train_\d\.png: has 40 x 63 px, but its image has 40 x 64"),
    ],
)
def test_faults_are_named_whoever_reads(root: Path, harm: Any, words: str, workers: int) -> None:
    harm(root / "a")
    with pytest.raises(InputError, match=words) as caught:
        training(make(root, workers=workers))
    assert "\n" not in str(caught.value)


def test_depths_that_are_none(tmp_path: Path) -> None:
    save(tmp_path / "bytes.tif", noise(4, 4))
    (tmp_path / "picture.tif").write_bytes(save(tmp_path / "x.png", noise(4, 4)).read_bytes())
    whole = save(tmp_path / "whole.tif", np.ones((40, 40), np.float32)).read_bytes()
    (tmp_path / "short.tif").write_bytes(whole[:3000])
    for name, words in (
        ("none", r"cannot be read \(No such file"),
        ("bytes", "holds L, not one band of float32"),
        ("picture", "is not a TIFF file"),
        ("short", "cannot be read|is not a TIFF"),
    ):
        with pytest.raises(InputError, match=rf"{name}\.tif: {words}"):
            read_values(tmp_path / f"{name}.tif")


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_values_come_back_bit_for_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(30, 50)).astype(np.float32)
    values[3], values[4, ::2], values[5] = np.nan, 0, 1e-30
    write_values(tmp_path / "deep/er/x.tif", values)
    assert np.array_equal(read_values(tmp_path / "deep/er/x.tif"), values, equal_nan=True)
    # Another program reads it too, and nothing else is left.
    import rasterio

    with rasterio.open(tmp_path / "deep/er/x.tif") as file:
        assert file.profile["compress"] == "deflate"
        assert np.array_equal(file.read(1), values, equal_nan=True)
    assert [file.name for file in (tmp_path / "deep/er").iterdir()] == ["x.tif"]


def test_a_file_that_cannot_be_finished_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Image.Image, path: Path, **_: Any) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(InputError, match=r"x\.png: cannot be written \(No space left on device\)"):
        write_png(tmp_path / "x.png", noise(4, 4))
    assert not list(tmp_path.iterdir())


def test_the_classes_of_cityscapes() -> None:
    """From the official table: id, trainId, colour."""
    assert (
        len(CITYSCAPES.names)
        == len(CITYSCAPES.colors)
        == len(CITYSCAPES_LABEL_IDS)
        == len(set(CITYSCAPES.colors))
        == 19
    )
    official = {7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10}
    official |= {24: 11, 25: 12, 26: 13, 27: 14, 28: 15, 31: 16, 32: 17, 33: 18}
    every = np.arange(256, dtype=np.uint8).reshape(16, 16)
    want = [official.get(number, 255) for number in range(256)]
    assert to_train_ids(every).ravel().tolist() == want
    assert (CITYSCAPES.names[10], CITYSCAPES.colors[10]) == ("sky", (70, 130, 180))
    assert (CITYSCAPES.names[18], CITYSCAPES.colors[18]) == ("bicycle", (119, 11, 32))
