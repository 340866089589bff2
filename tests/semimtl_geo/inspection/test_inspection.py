"""Data that nobody should train on are refused before training, each with a line."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import rasterio
import torch

from semimtl_geo.cli import main
from semimtl_geo.inspection import check_for_training, inspect_split
from semimtl_geo.synthetic import write_cities
from semimtl_geo.tasks import Depth, Segmentation, Slope
from semimtl_geo.training.cli import train
from tests.semimtl_geo.conftest import Run
from tiles.errors import InputError

TASKS = [Segmentation(), Depth()]


@pytest.fixture(scope="module")
def cities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cities")
    write_cities(folder, scenes=2, size=96)
    return folder


@pytest.fixture
def data(cities: Path, tmp_path: Path) -> Path:
    shutil.copytree(cities, tmp_path, dirs_exist_ok=True)
    return tmp_path / "city_b" / "train"


def change(file: Path, edit: Callable[[np.ndarray], np.ndarray], **profile: Any) -> None:
    """Write a raster again with other values, and perhaps another profile."""
    with rasterio.open(file) as source:
        values, old = source.read(), source.profile
    made = edit(values)
    with rasterio.open(file, "w", **{**old, "dtype": made.dtype.name, **profile}) as target:
        target.write(made)


def files(data: Path, layer: str) -> list[Path]:
    return sorted((data / layer).glob("*.tif"))


def spoil_some(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def spoil(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[:, :20] = value
        return values

    return spoil


def untagged(data: Path) -> None:
    change(files(data, "height")[0], spoil_some(-9999), nodata=None)


def unknown(data: Path) -> None:
    for file in files(data, "height"):
        change(file, lambda values: np.full_like(values, np.nan))


def centimetres(data: Path) -> None:
    change(files(data, "height")[0], lambda values: 100 * values)


def surface_model(data: Path) -> None:
    change(files(data, "height")[0], lambda values: values + 340)


def far_away(data: Path) -> None:
    for file in files(data, "height"):
        with rasterio.open(file) as source:
            moved = rasterio.Affine.translation(300_000, 0) @ source.transform
        change(file, lambda values: values, transform=moved)


def floats(data: Path) -> None:
    for file in files(data, "image"):
        change(file, lambda values: values.astype(np.float32))


def one_of_16_bits(data: Path) -> None:
    for number in (0, 1):  # most files are as before
        file = files(data, "image")[number]
        for copy in range(2):
            for layer in ("image", "landcover", "height"):
                same = data / layer / file.name
                same.with_stem(f"{file.stem}_{copy}").write_bytes(same.read_bytes())
    change(files(data, "image")[0], lambda values: values.astype(np.uint16) * 257)


def corrupt(data: Path) -> None:
    file = files(data, "image")[0]
    change(file, lambda values: values, compress="deflate", tiled=False, blockysize=8)
    whole, third = file.read_bytes(), file.stat().st_size // 3
    file.write_bytes(whole[:third] + bytes(third) + whole[2 * third :])


def no_class(data: Path) -> None:
    change(files(data, "landcover")[0], spoil_some(17))


HOSTILE: dict[Callable[[Path], None], str] = {
    untagged: "has heights of -9999 m, which no nodata value marks as unknown; mark them, with",
    unknown: "height: has no known pixel in any file",
    centimetres: "of its pixels; it may be in centimetres; convert it",
    surface_model: "has no pixel near the ground: 98 % are above 340 m; give heights above ground",
    far_away: "height: does not overlap any image; check",
    floats: "holds floats from ",
    one_of_16_bits: "holds uint16, most of the others uint8; convert it",
    corrupt: "cannot be read in rows",
    no_class: "has the value 17, but classes are 0 to 5; correct",
}


@pytest.mark.parametrize("spoil", HOSTILE, ids=lambda spoil: spoil.__name__)
def test_what_cannot_be_right_is_refused(
    spoil: Callable[[Path], None], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(data)
    # Slopes are learnt from heights too, and must not hide their faults.
    for tasks in (TASKS, [*TASKS, Slope(gsd=0.27)]):
        with pytest.raises(InputError, match="train") as error:
            check_for_training(data, tasks, [1, 2, 3])
        assert HOSTILE[spoil] in str(error.value)
    picture = data.parent / "look.png"
    assert main(["look", str(data), "--out", str(picture)]) == 2
    assert HOSTILE[spoil] in capsys.readouterr().err
    assert picture.stat().st_size > 10_000


def test_training_does_not_start(run: Run, tmp_path: Path) -> None:
    write_cities(tmp_path / "data", scenes=1, size=96)
    untagged(tmp_path / "data" / "city_b" / "train")
    with pytest.raises(InputError, match="-9999 m, which no nodata value"):
        train([*run.args, f"--data.root={tmp_path / 'data'}", f"--out={tmp_path / 'out'}"])
    assert [*(tmp_path / "out").glob("*.ckpt")] == []


def test_labels_that_are_not_used_are_not_looked_at(run: Run, tmp_path: Path) -> None:
    write_cities(tmp_path / "data", scenes=1, size=96)
    untagged(tmp_path / "data" / "city_a" / "train")  # which has land cover alone
    train([*run.args, f"--data.root={tmp_path / 'data'}", f"--out={tmp_path / 'out'}"])


@pytest.mark.parametrize("value", [np.inf, -np.inf, -3.4e38, np.nan])
def test_infinite_heights_are_unknown(value: float, data: Path) -> None:
    """A third of two scenes, without a nodata value that says so."""
    upper = np.arange(96)[:, None] < 32
    for file in files(data, "height"):
        change(file, lambda old: np.where(upper, value, old).astype(np.float32), nodata=None)
    found = inspect_split(data, TASKS)
    assert found.layers["height"].unknown_share == pytest.approx(1 / 3)
    assert found.faults == []
    said = [str(remark) for remark in found.remarks if "infinite" in str(remark)]
    assert len(said) == (0 if np.isnan(value) else 2)


def test_nothing_is_said_of_good_data(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_for_training(data, TASKS, [1, 2, 3]) == []
    assert main(["look", str(data), "--out", str(data.parent / "look.png")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[2].strip() for line in lines[2:5]] == ["image", "landcover", "height"]
    assert lines[5].startswith("picture: ")
    assert len(lines) == 6


def test_statistics_as_numpy_has_them(data: Path) -> None:
    """All pixels are kept of scenes as small as these."""
    stacks = []
    for file in files(data, "height"):
        with rasterio.open(file) as source:
            stacks.append(source.read(1))
    heights = np.stack(stacks)
    layer = inspect_split(data, TASKS).layers["height"]
    assert layer.percentiles(50, 99) == [pytest.approx([*np.percentile(heights, (50, 99))])]
    assert layer.hectares == pytest.approx(2 * (96 * 0.27) ** 2 / 1e4)
    assert max(file.high for file in layer.files) == heights.max()


class Diverge(lightning.Callback):
    """Makes the weights NaN before an iteration, as a rate that is far too high does."""

    def __init__(self, before: int) -> None:
        self.before = before

    def on_train_batch_start(self, trainer: Any, module: Any, *args: Any) -> None:
        if trainer.global_step == self.before:
            with torch.no_grad():
                next(module.generator.parameters()).fill_(torch.nan)


@pytest.mark.parametrize("logged_every", [1, 50])
def test_a_loss_that_is_not_finite_ends_the_training(
    run: Run, tmp_path: Path, logged_every: int
) -> None:
    args = [*run.args, f"--out={tmp_path}", "--checkpoint.every=1", "--data.iterations=4"]
    with pytest.raises(InputError, match=r"no longer finite.*the last checkpoint is kept"):
        train([*args, f"--trainer.log_every_n_steps={logged_every}"], [Diverge(before=2)])
    kept = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert kept["global_step"] == 2
    assert all(value.isfinite().all() for value in kept["state_dict"].values())


def test_an_image_of_more_bands_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = files(data, "image")[:2]
    second.with_name("again.tif").write_bytes(second.read_bytes())
    change(first, lambda values: values[[0, 1, 2, 0, 1]], count=5)
    assert main(["look", str(data), "--out", str(data.parent / "look.png")]) == 2
    assert f"{first}: has 5 bands, most of the others 3" in capsys.readouterr().err


def test_a_raster_too_large_for_a_scene_is_refused(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before a row of it is read, which would take more memory than there is."""
    (data / "image" / "huge.tif").write_bytes(
        b'<VRTDataset rasterXSize="1000000000" rasterYSize="1000000000"><SRS>EPSG:25832</SRS>'
        b"<GeoTransform>500000, 0.5, 0, 5800000, 0, -0.5</GeoTransform>"
        b'<VRTRasterBand dataType="Byte" band="1"/></VRTDataset>'
    )
    assert main(["look", str(data), "--out", str(data.parent / "look.png")]) == 2
    assert "huge.tif: has 1000000000 x 1000000000 px, which are" in capsys.readouterr().err


def test_classes_of_ones_own_are_known(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As `prepare folder` writes them: names in a tag, colours in the colour table."""
    names = [f"class {number}" for number in range(18)]
    for file in files(data, "landcover"):
        change(file, spoil_some(17))
        with rasterio.open(file, "r+") as raster:
            raster.update_tags(CLASSES=json.dumps(names))
            raster.write_colormap(1, {number: (9 * number, 0, 0, 255) for number in range(18)})
    assert main(["look", str(data), "--out", str(data.parent / "look.png")]) == 0
    assert "class 17" in capsys.readouterr().out
