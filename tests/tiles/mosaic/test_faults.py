from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from rasterio import Affine
from rasterio.crs import CRS

from tiles.errors import InputError
from tiles.maps.layers import ClassMap, ValueMap
from tiles.mosaic.mosaicker import mosaic

WHERE = Affine(0.05, 0, 389_999.95, 0, -0.05, 5_800_000.05)
ROTATED = Affine(0.05, 0.01, 389_999.95, 0.01, -0.05, 5_800_000.05)
VALUE = ValueMap("value", unit="m", high=255)
CLASSES = ClassMap("class", ("a", "b", "c"), ((0, 0, 0), (9, 9, 9), (200, 0, 0)))


def save(path: Path, values: np.ndarray, **profile: Any) -> Path:
    keys = {"crs": CRS.from_epsg(32633), "transform": WHERE, "dtype": values.dtype, **profile}
    count, height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=count, **keys
    ) as file:
        file.write(values)
    return path


def echo(images: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"value": images[:, :1]}


def good(tmp_path: Path) -> Path:
    return save(tmp_path / "image.tif", np.full((3, 30, 30), 3, np.uint8))


def truncated(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).integers(0, 255, (3, 300, 300)).astype(np.uint8)
    path = save(tmp_path / "image.tif", values, compress="deflate")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def text(tmp_path: Path) -> Path:
    (tmp_path / "image.tif").write_text("no raster")
    return tmp_path / "image.tif"


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(
    ("make", "options", "says"),
    [
        (lambda p: p / "missing.tif", {}, "does not exist"),
        (lambda p: p, {}, "is a folder"),
        (text, {}, "cannot be read as a raster"),
        (truncated, {}, "cannot be read"),
        (lambda p: save(p / "a.tif", np.ones((1, 9, 9), np.uint8), crs=None), {}, "coordinate"),
        (
            lambda p: save(p / "a.tif", np.ones((1, 9, 9), np.uint8), transform=ROTATED),
            {},
            "rotated",
        ),
        (lambda p: save(p / "a.tif", np.ones((1, 9, 9), np.complex64)), {}, "complex"),
        (lambda p: save(p / "a.tif", np.zeros((1, 9, 9), np.uint8), nodata=0), {}, "no known"),
        (good, {"bands": (1, 2, 4)}, "has 3 bands, but band 4 is requested"),
        (good, {"bands": (0,)}, "has 3 bands, but band 0 is requested"),
        (good, {"bands": ()}, "bands"),
        (good, {"overlap": 16}, "overlap"),
        (good, {"overlap": -1}, "overlap"),
        (good, {"tile": 0}, "tile"),
        (good, {"batch_size": 0}, "batch_size"),
        (good, {"panel": 0}, "panel"),
        (good, {"gsd": -0.5}, "gsd"),
        (good, {"gsd": 0.0}, "gsd"),
        (good, {"fill": (1.0, 2.0)}, "fill"),
        (good, {"file": "missing/map.tif"}, "does not exist"),
        (good, {"file": "."}, "is a folder"),
        (good, {"file": "image.tif"}, "is an input of the map"),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_leaves_no_file(
    tmp_path: Path, make: Callable[[Path], Path], options: dict[str, Any], says: str
) -> None:
    image = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    settings = {"tile": 16, **options}
    out = {"value": tmp_path / settings.pop("file", "map.tif")}
    with pytest.raises(InputError, match=says) as caught:
        mosaic(image, echo, [VALUE], out, **settings)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


def test_a_raster_damaged_in_the_middle_is_one_line(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, (1, 400, 40)).astype(np.uint8)
    image = save(tmp_path / "image.tif", values, compress="deflate", blockysize=16)
    whole = image.read_bytes()
    image.write_bytes(whole[:9000] + bytes(len(whole) - 9000 - 4000) + whole[-4000:])
    with pytest.raises(InputError, match="cannot be read"):
        mosaic(image, echo, [VALUE], {"value": tmp_path / "map.tif"}, tile=16)
    assert list(tmp_path.iterdir()) == [image]


def broken(images: torch.Tensor) -> dict[str, torch.Tensor]:
    raise RuntimeError("out of memory")


def interrupted(images: torch.Tensor) -> dict[str, torch.Tensor]:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("network", "error", "says"),
    [
        (broken, RuntimeError, "out of memory"),
        (interrupted, KeyboardInterrupt, None),
        (lambda x: {"other": x}, ValueError, "'value'"),
        (lambda x: {"value": x}, ValueError, "returned"),
        (lambda x: {"value": x[:, :1, 1:]}, ValueError, "returned"),
        (lambda x: {"value": x[:, :1] * float("nan")}, ValueError, "NaN"),
    ],
)
def test_a_network_that_fails_leaves_no_file(
    tmp_path: Path,
    network: Callable[[torch.Tensor], Any],
    error: type[BaseException],
    says: str | None,
) -> None:
    image = save(tmp_path / "image.tif", np.full((3, 300, 300), 3, np.uint8))
    with pytest.raises(error, match=says):
        mosaic(image, network, [VALUE], {"value": tmp_path / "map.tif"}, tile=32)
    assert list(tmp_path.iterdir()) == [image]


@pytest.mark.parametrize(
    ("layers", "out"),
    [
        ([], {}),
        ([VALUE], {"other": "a.tif"}),
        ([VALUE, VALUE], {"value": "a.tif"}),
        ([VALUE, CLASSES], {"value": "a.tif", "class": "a.tif"}),
    ],
)
def test_layers_and_files_must_match(
    tmp_path: Path, layers: list[Any], out: dict[str, str]
) -> None:
    files = {name: tmp_path / file for name, file in out.items()}
    with pytest.raises(ValueError, match=r"of its own|names the layers"):
        mosaic(good(tmp_path), echo, layers, files)
