from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.warp
from rasterio.transform import from_origin

from semimtl_geo.mapping.evaluation import evaluate, update_with_map
from semimtl_geo.mapping.mapper import Mapper
from semimtl_geo.tasks import Depth, Segmentation
from tests.rasters import NORTH, WEST, noise, write
from tests.semimtl_geo.conftest import Run
from tiles.errors import InputError

LAND, HEIGHT = Segmentation(), Depth()
Scores = dict[str, float]


@pytest.fixture
def mapper(run: Run) -> Mapper:
    return Mapper.load(run.checkpoint, "cpu", "float32")


def score(task: Any, made: Path, truth: Path) -> Scores:
    metric = task.scores()
    update_with_map(made, truth, task, metric)
    return {name: value.item() for name, value in metric.compute().items()}


def test_a_map_that_is_the_truth(mapper: Mapper, tmp_path: Path) -> None:
    scenes = tmp_path / "scenes"
    mapper = mapper.for_domain("city_a")
    for number, size in enumerate((40, 50)):
        image = noise(3, size, 70, seed=number) | 1
        image[:, 30:, :20] = 0
        path = write(
            scenes / f"image/{number}.tif", image, gsd=0.27, nodata=0, at=(200 * number, 0)
        )
        made = mapper.map(path, tmp_path / "first")
        for name in made.data_vars:
            (scenes / str(name)).mkdir(exist_ok=True)
            Path(made[name].encoding["source"]).replace(scenes / str(name) / path.name)
    seen: list[tuple[int, int]] = []
    scores = evaluate(mapper, scenes, tmp_path / "maps", progress=lambda *n: seen.append(n))
    assert scores["landcover"]["pAcc"] == scores["landcover"]["mIoU"] == 100
    assert scores["height"]["RMSE"] == scores["height"]["AbR"] == 0
    assert scores["height"]["delta1"] == 100
    assert seen == [(1, 2), (2, 2)]


def test_scores_are_over_all_pixels_of_all_scenes(mapper: Mapper, tmp_path: Path) -> None:
    """The maps are read back, and the score is not the mean of the scenes' scores."""
    scenes = tmp_path / "scenes"
    for number, size in enumerate((40, 90)):
        where: Any = {"gsd": 0.27, "at": (200 * number, 0)}
        write(scenes / f"image/{number}.tif", noise(3, size, size, seed=number), **where)
        truth = np.full((size, size), 5.0 * number, np.float32)
        truth[:3] = -9999
        write(scenes / f"height/{number}.tif", truth, nodata=-9999, **where)
    scores = evaluate(mapper, scenes, tmp_path / "maps")
    assert set(scores) == {"height"}  # there is no truth of the other
    squares = []
    for number in range(2):
        with rasterio.open(tmp_path / f"maps/{number}_height.tif") as file:
            squares.append(((file.read(1)[3:].astype(float) - 5.0 * number) ** 2).ravel())
            assert "re-estimated" in file.tags()["SEMIMTL_STATISTICS"]
    want = math.sqrt(np.concatenate(squares).mean())
    assert scores["height"]["RMSE"] == pytest.approx(want, rel=1e-6)


def test_statistics_are_re_estimated_on_all_images_together(mapper: Mapper, tmp_path: Path) -> None:
    scenes = tmp_path / "scenes"
    for number in range(2):
        image = noise(3, 64, 64, seed=number) // 4 + np.uint8(150 * number)
        path = write(scenes / f"image/{number}.tif", image, gsd=0.27, at=(200 * number, 0))
        write(scenes / f"height/{number}.tif", np.ones((64, 64), np.float32), gsd=0.27)
    evaluate(mapper, scenes, tmp_path / "maps")
    adapted = mapper.adapt([scenes / "image/0.tif", path])
    adapted.map(path, tmp_path / "by_hand")
    with (
        rasterio.open(tmp_path / "maps/1_height.tif") as one,
        rasterio.open(tmp_path / "by_hand/1_height.tif") as other,
    ):
        np.testing.assert_array_equal(one.read(1), other.read(1))


def test_the_statistics_of_a_training_domain(mapper: Mapper, run: Run, tmp_path: Path) -> None:
    evaluate(mapper, run.cities / "city_b/test", tmp_path, domain="city_a")
    files = list(tmp_path.glob("*.tif"))
    assert {file.name for file in files} == {
        f"{image.stem}_{task}.tif"
        for image in (run.cities / "city_b/test/image").glob("*.tif")
        for task in ("landcover", "height")
    }
    for file in files:
        with rasterio.open(file) as made:
            assert made.tags()["SEMIMTL_STATISTICS"] == "of the training domain city_a"


def test_unknown_pixels_of_either_do_not_count(tmp_path: Path) -> None:
    """Four pixels known in both, of which three agree."""
    made = write(tmp_path / "m.tif", np.array([[0, 1, 255, 1, 2, 1]], np.uint8), nodata=255)
    truth = write(tmp_path / "t.tif", np.array([[0, 1, 1, 77, 2, 0]], np.uint8), nodata=77)
    assert score(LAND, made, truth)["pAcc"] == 75
    made = write(tmp_path / "h.tif", np.array([[1, -9999, 3, 0]], np.float32), nodata=-9999)
    truth = write(tmp_path / "u.tif", np.array([[2, 5, np.nan, 0]], np.float32))
    assert score(HEIGHT, made, truth)["RMSE"] == pytest.approx(math.sqrt(1 / 2))


@pytest.mark.parametrize("kind", ["classes", "heights", "whole metres"])
def test_a_truth_of_another_size_and_place(tmp_path: Path, kind: str) -> None:
    """The truth has pixels twice as large and covers a part; what is beyond it is not zero."""
    dtype: Any = {"classes": np.uint8, "heights": np.float32, "whole metres": np.int16}[kind]
    coarse = np.array([[1, 2, 3], [4, 5, 1]], dtype)
    fine = np.zeros((8, 10), dtype)
    fine[2:6, 4:10] = coarse.repeat(2, axis=0).repeat(2, axis=1)
    fine[2, 4] = 5  # instead of 1
    made = write(tmp_path / "m.tif", fine, gsd=0.5)
    truth = write(tmp_path / "t.tif", coarse, gsd=1.0, at=(2, 1))
    if kind == "classes":
        assert score(LAND, made, truth)["pAcc"] == pytest.approx(100 * 23 / 24)
    else:
        assert score(HEIGHT, made, truth)["RMSE"] == pytest.approx(math.sqrt(16 / 24))


def test_a_truth_in_another_crs(tmp_path: Path) -> None:
    """Stripes of 8 m seen from the neighbouring zone, where north leans by some degrees."""
    made = write(tmp_path / "m.tif", np.zeros((40, 40), np.float32), gsd=1.0)
    xs, ys = rasterio.warp.transform("EPSG:32633", "EPSG:32634", [WEST], [NORTH])
    grid = from_origin(xs[0] - 20, ys[0] + 20, 0.5, 0.5)
    columns, rows = np.meshgrid(np.arange(160) + 0.5, np.arange(160) + 0.5)
    x, y = grid @ (columns.ravel(), rows.ravel())
    back, _ = rasterio.warp.transform("EPSG:32634", "EPSG:32633", x, y)
    stripes = ((np.reshape(back, (160, 160)) - WEST) // 8 % 2).astype(np.float32)
    truth = write(tmp_path / "t.tif", stripes, crs="EPSG:32634", transform=grid)
    with rasterio.open(made, "r+") as file:
        file.write((np.arange(40) // 8 % 2).astype(np.float32)[None].repeat(40, axis=0), 1)
    # Nearest neighbours of half a metre err at the stripes' edges alone.
    assert score(HEIGHT, made, truth)["RMSE"] ** 2 < 0.05
    with rasterio.open(made, "r+") as file:
        file.write(1 - file.read(1), 1)
    assert score(HEIGHT, made, truth)["RMSE"] ** 2 > 0.95


def test_long_maps_are_compared_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classes = noise(50, 7) % np.uint8(6)
    other = noise(50, 7, seed=1) % np.uint8(6)
    made, truth = write(tmp_path / "m.tif", classes), write(tmp_path / "t.tif", other)
    monkeypatch.setattr("semimtl_geo.mapping.evaluation.ROWS", 8)
    assert score(LAND, made, truth)["pAcc"] == pytest.approx(100 * (classes == other).mean())


def scene(folder: Path) -> None:
    write(folder / "image/a.tif", noise(3, 40, 40), gsd=0.27)
    write(folder / "height/a.tif", np.ones((40, 40), np.float32), gsd=0.27)


def no_images(folder: Path) -> None:
    (folder / "image/a.tif").unlink()


def no_labels(folder: Path) -> None:
    (folder / "height").rename(folder / "dsm")


def no_truth(folder: Path) -> None:
    write(folder / "image/0.tif", noise(3, 40, 40), gsd=0.27)


def no_crs(folder: Path) -> None:
    write(folder / "height/a.tif", np.ones((40, 40), np.float32), crs=None)


def garbage(folder: Path) -> None:
    (folder / "height/a.tif").write_bytes(b"garbage")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (no_images, "has no image/"),
        (no_labels, "put them in landcover/ or height/"),
        (no_truth, "height/0.tif: no such file"),
        (no_crs, "height/a.tif: has no coordinate reference system"),
        (garbage, "height/a.tif: cannot be read"),
    ],
)
def test_faults_are_named_before_anything_is_mapped(
    mapper: Mapper, tmp_path: Path, harm: Any, words: str
) -> None:
    scene(tmp_path / "s")
    harm(tmp_path / "s")
    with pytest.raises(InputError) as caught:
        evaluate(mapper, tmp_path / "s", tmp_path / "maps", domain="city_a")
    assert words in str(caught.value)
    assert not (tmp_path / "maps").exists()


def test_truth_that_is_no_class(mapper: Mapper, tmp_path: Path) -> None:
    write(tmp_path / "image/a.tif", noise(3, 40, 40) | 1, gsd=0.27)
    write(tmp_path / "landcover/a.tif", np.full((40, 40), 6, np.uint8), gsd=0.27)
    with pytest.raises(InputError, match=r"a\.tif: has the value 6, but classes are 0 to 5"):
        evaluate(mapper, tmp_path, tmp_path / "maps")


def test_truth_of_another_place(mapper: Mapper, tmp_path: Path) -> None:
    write(tmp_path / "image/a.tif", noise(3, 40, 40) | 1, gsd=0.27)
    write(tmp_path / "height/a.tif", np.ones((40, 40), np.float32), gsd=0.27, at=(900, 0))
    with pytest.raises(InputError, match="height: has no known pixel in any image"):
        evaluate(mapper, tmp_path, tmp_path / "maps")
