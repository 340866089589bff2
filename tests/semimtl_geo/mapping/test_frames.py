from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from semimtl_geo.class_schemes import CITYSCAPES
from semimtl_geo.mapping.evaluation import evaluate
from semimtl_geo.mapping.frames import adapt_to_frames, frame_bands, map_frame
from semimtl_geo.mapping.mapper import Mapper
from semimtl_geo.training.cli import train
from tests.frames import load, save, write_streets
from tiles.errors import InputError

SIZE = (40, 64)


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_streets(tmp_path_factory.mktemp("streets"), size=SIZE, classes=19)


@pytest.fixture(scope="module")
def checkpoint(streets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SemiMTL on street views as a user trains it, for two iterations."""
    out = tmp_path_factory.mktemp("run")
    classes = {
        "name": "segmentation",
        "classes": list(CITYSCAPES.names),
        "colors": [*map(list, CITYSCAPES.colors)],
    }
    depth = {"name": "depth", "scale": 0.2}
    config = {
        "seed_everything": 0,
        "trainer": {
            "max_epochs": 1,
            "num_sanity_val_steps": 0,
            "accelerator": "cpu",
            "enable_progress_bar": False,
            "enable_model_summary": False,
        },
        "model": {
            "tasks": [
                {"class_path": "semimtl_geo.tasks.Segmentation", "init_args": classes},
                {"class_path": "semimtl_geo.tasks.InverseDepth", "init_args": depth},
            ],
            "bands": ["red", "green", "blue"],
            "encoder": {
                "name": "tu-resnet10t",
                "weights": None,
                "output_stride": 8,
                "options": {"channels": [8, 8, 16, 16], "stem_width": 8},
            },
            "decoder_width": 16,
            "discriminator_width": 4,
        },
        "data": {
            "root": str(streets),
            "domains": {"a": {"supervised": ["segmentation"]}, "b": {"supervised": ["depth"]}},
            "labels": {"segmentation": "classes", "depth": "values"},
            "crop": 32,
            "batch_size": 2,
            "iterations": 2,
            "workers": 0,
            "augmentation": {"from_above": False},
        },
    }
    (out / "config.yaml").write_text(yaml.safe_dump(config))
    return train([f"--config={out / 'config.yaml'}", f"--out={out / 'run'}"])


@pytest.fixture
def mapper(checkpoint: Path) -> Mapper:
    return Mapper.load(checkpoint, "cpu", "float32")


def test_training_on_frames(checkpoint: Path) -> None:
    made = torch.load(checkpoint, weights_only=True)
    assert made["global_step"] == 2
    card = made["semimtl_geo"]
    assert (card["domains"], card["gsd"], card["crop"]) == (["a", "b"], None, 32)
    logged = (checkpoint.parent / "metrics.csv").read_text()
    assert "val/a/segmentation/mIoU" in logged
    assert "val/b/depth/RMSE" in logged
    assert "val/a/depth" not in logged


def test_a_frame_is_predicted_at_once(mapper: Mapper, streets: Path, tmp_path: Path) -> None:
    mapper = mapper.for_domain("b")
    image = streets / "a/val/image/val_0.png"
    made = map_frame(mapper, image, tmp_path / "maps", [1, 2, 3])
    assert {name: path.name for name, path in made.items()} == {
        "segmentation": "val_0_segmentation.png",
        "depth": "val_0_depth.tif",
    }
    pixels = torch.from_numpy(load(image)).movedim(-1, 0)[None] / 255
    with torch.no_grad():
        outputs = mapper.generator(pixels)
    classes, depth = load(made["segmentation"]), load(made["depth"])
    assert (classes.dtype, depth.dtype) == (np.uint8, np.float32)
    assert np.array_equal(classes, outputs["segmentation"].argmax(dim=1)[0].numpy())
    want = outputs["depth"][0, 0].clamp(min=0) * 0.2
    np.testing.assert_allclose(depth, want.numpy(), rtol=1e-5, atol=1e-7)
    with Image.open(made["segmentation"]) as picture:
        colours = np.array(picture.convert("RGB"))
    assert np.array_equal(colours, np.array(CITYSCAPES.colors, np.uint8)[classes])


def test_maps_that_are_the_truth(mapper: Mapper, streets: Path, tmp_path: Path) -> None:
    scenes = tmp_path / "val"
    shutil.copytree(streets / "a/val/image", scenes / "image")
    for image in (scenes / "image").iterdir():
        made = map_frame(mapper.for_domain("a"), image, tmp_path / "first", [1, 2, 3])
        for name, path in made.items():
            (scenes / name).mkdir(exist_ok=True)
            path.replace(scenes / name / f"{image.stem}{path.suffix}")
    seen: list[tuple[int, int]] = []
    scores = evaluate(mapper, scenes, tmp_path / "maps", "a", progress=lambda *n: seen.append(n))
    assert scores["segmentation"]["pAcc"] == scores["segmentation"]["mIoU"] == 100
    assert scores["depth"]["RMSE"] == 0
    assert seen == [(1, 2), (2, 2)]


def test_scores_are_over_all_pixels_of_all_frames(
    mapper: Mapper, streets: Path, tmp_path: Path
) -> None:
    """From the files, by hand: not the mean of the frames' scores; unknown pixels do not count."""
    scenes = tmp_path / "val"
    shutil.copytree(streets / "b/val", scenes)
    save(scenes / "segmentation/val_0.png", np.full(SIZE, 255, np.uint8))
    scores = evaluate(mapper, scenes, tmp_path / "maps", "b")
    hits, squares, metres = [], [], []
    for number in range(2):
        truth = load(scenes / f"segmentation/val_{number}.png")
        made = load(tmp_path / f"maps/val_{number}_segmentation.png")
        hits.append((truth == made)[truth != 255])
        truth = load(scenes / f"depth/val_{number}.tif").astype(float)
        made = load(tmp_path / f"maps/val_{number}_depth.tif")
        squares.append(((truth - made) ** 2)[~np.isnan(truth)])
        near = truth >= 1 / 80
        metres.append(1 / np.maximum(made[near], 1 / 80) - 1 / truth[near])
    assert [part.size for part in squares] == [40 * 62 + 2] * 2
    assert scores["segmentation"]["pAcc"] == pytest.approx(100 * np.concatenate(hits).mean())
    inverse = math.sqrt(np.concatenate(squares).mean())
    assert scores["depth"]["RMSE/inverse"] == pytest.approx(inverse, rel=1e-6)
    assert scores["depth"]["RMSE/px"] == pytest.approx(473.57 * inverse, rel=1e-6)
    rmse = math.sqrt((np.concatenate(metres) ** 2).mean())
    assert scores["depth"]["RMSE"] == pytest.approx(rmse, rel=1e-6)


def test_without_a_domain_statistics_are_those_of_the_frames(
    mapper: Mapper, streets: Path, tmp_path: Path
) -> None:
    folder, image = streets / "b/val", streets / "b/val/image/val_0.png"
    adapted = adapt_to_frames(mapper, folder, [1, 2, 3])
    assert adapted.statistics == "re-estimated on 96 crops of frames, without labels"
    assert mapper.needs_statistics  # as it was
    evaluate(mapper, folder, tmp_path / "maps")
    made = map_frame(adapted, image, tmp_path / "by_hand", [1, 2, 3])
    assert np.array_equal(load(made["depth"]), load(tmp_path / "maps/val_0_depth.tif"))
    other = map_frame(mapper.for_domain("b"), image, tmp_path / "b", [1, 2, 3])
    assert not np.array_equal(load(made["depth"]), load(other["depth"]))


def test_bands_of_a_frame(mapper: Mapper, streets: Path, tmp_path: Path) -> None:
    image = streets / "a/val/image/val_0.png"
    assert frame_bands(mapper, image) == [1, 2, 3]
    assert frame_bands(mapper, image, ["blue", 2, 1]) == [3, 2, 1]
    reverse = save(tmp_path / "reverse.png", load(image)[..., ::-1])
    mapper = mapper.for_domain("a")
    one = map_frame(mapper, image, tmp_path, [3, 2, 1])
    other = map_frame(mapper, reverse, tmp_path, [1, 2, 3])
    assert np.array_equal(load(one["depth"]), load(other["depth"]))


def no_truth(folder: Path) -> None:
    (folder / "depth/val_1.tif").unlink()


def another_size(folder: Path) -> None:
    save(folder / "depth/val_1.tif", np.zeros((40, 63), np.float32))


def no_class(folder: Path) -> None:
    save(folder / "segmentation/val_0.png", np.full(SIZE, 19, np.uint8))


def garbage(folder: Path) -> None:
    (folder / "segmentation/val_0.png").write_bytes(b"garbage")


def nothing_known(folder: Path) -> None:
    for file in (folder / "depth").iterdir():
        save(file, np.full(SIZE, np.nan, np.float32))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (no_truth, r"depth/val_1\.tif: no such file; every image needs its depth"),
        (another_size, r"depth/val_1\.tif: has 40 x 63 px, but its image has 40 x 64"),
        (no_class, r"val_0\.png: has the value 19, but classes are 0 to 18"),
        (garbage, r"segmentation/val_0\.png: is not a PNG file"),
        (nothing_known, r"depth: has no known pixel in any image"),
    ],
)
def test_faults_are_named(
    mapper: Mapper, streets: Path, tmp_path: Path, harm: Any, words: str
) -> None:
    shutil.copytree(streets / "a/val", tmp_path / "val")
    harm(tmp_path / "val")
    with pytest.raises(InputError, match=words) as caught:
        evaluate(mapper, tmp_path / "val", tmp_path / "maps", "a")
    assert "\n" not in str(caught.value)
