"""Modules of PyTorch, functions and windows as arguments of the mosaicker, against numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from numpy.typing import NDArray

from tests.rasters import noise, write
from tiles import ClassMap, ValueMap, mosaic
from tiles.errors import InvalidValueError

SIZE, TILE, OVERLAP = 40, 16, 8
VALUE = ValueMap("value", high=255)
CLASSES = ClassMap("class", ("dark", "light"), ((0, 0, 0), (255, 255, 255)))


class Mean(torch.nn.Module):
    """The mean of all bands, in evaluation mode only."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((1, 3, 1, 1), 1 / 3))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert not self.training
        return (images * self.weight).sum(dim=1, keepdim=True)


class Two(Mean):
    """Scores of two classes, and the mean."""

    def forward(self, images: torch.Tensor) -> Any:
        mean = super().forward(images)
        return torch.cat([0.5 - mean, mean - 0.5], dim=1), mean


@pytest.fixture
def image(tmp_path: Path) -> tuple[Path, NDArray[Any]]:
    values = noise(3, SIZE, SIZE)
    write(tmp_path / "image.tif", values)
    return tmp_path / "image.tif", values.astype(np.float64)


def read(path: Path) -> NDArray[Any]:
    with rasterio.open(path) as file:
        values: NDArray[Any] = file.read(1)
    return values


def test_a_module_one_layer_and_one_path(image: tuple[Path, NDArray[Any]], tmp_path: Path) -> None:
    path, values = image
    out = tmp_path / "mean.tif"
    files = mosaic(path, Mean(), VALUE, str(out), tile=TILE, scale=51, device="cpu")
    assert files == {"value": out}
    np.testing.assert_allclose(read(out), values.mean(axis=0) / 51, rtol=1e-5)


def test_several_layers_come_in_their_order(
    image: tuple[Path, NDArray[Any]], tmp_path: Path
) -> None:
    path, values = image
    out = {"class": tmp_path / "class.tif", "value": tmp_path / "value.tif"}
    mosaic(path, Two(), [CLASSES, VALUE], out, tile=TILE, scale=255)
    mean = values.mean(axis=0) / 255
    sure = np.abs(mean - 0.5) > 1e-4
    np.testing.assert_array_equal(read(out["class"])[sure], (mean > 0.5)[sure])
    np.testing.assert_allclose(read(out["value"]), mean, rtol=1e-5)
    with pytest.raises(ValueError, match="returned 2 outputs for the layers"):
        mosaic(path, Two(), VALUE, out["value"], tile=TILE)


@pytest.mark.parametrize("blend", ["cosine", "linear", "uniform", lambda tile: np.arange(tile) + 1])
def test_overlaps_are_weighted_by_the_window(
    image: tuple[Path, NDArray[Any]], tmp_path: Path, blend: Any
) -> None:
    """Each tile has a value of its own, so that the weights show."""
    path, _ = image
    numbers = iter(range(100))

    def network(images: torch.Tensor) -> torch.Tensor:
        values = [torch.full((1, TILE, TILE), float(next(numbers))) for _ in images]
        return torch.stack(values)

    out = tmp_path / "map.tif"
    settings = {"tile": TILE, "overlap": OVERLAP, "batch_size": 1}
    mosaic(path, network, VALUE, out, blend=blend, **settings)
    middles = np.arange(TILE) + 0.5
    window = {
        "cosine": np.sin(np.pi * middles / TILE) ** 2,
        "linear": TILE / 2 - np.abs(middles - TILE / 2),
        "uniform": np.ones(TILE),
    }.get(blend if isinstance(blend, str) else "", np.arange(TILE) + 1)
    total, weights = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE))
    starts = range(0, SIZE - TILE + 1, TILE - OVERLAP)
    for number, (row, column) in enumerate((row, column) for row in starts for column in starts):
        place = np.s_[row : row + TILE, column : column + TILE]
        total[place] += number * np.outer(window, window)
        weights[place] += np.outer(window, window)
    np.testing.assert_allclose(read(out), total / weights, rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"scale": 0}, "scale: must be > 0, got 0"),
        ({"blend": "square"}, "blend: must be one of"),
        ({"batch_size": 0}, "batch_size: must be >= 1 tile, got 0"),
    ],
)
def test_impossible_settings_are_refused(
    image: tuple[Path, NDArray[Any]], tmp_path: Path, settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidValueError, match=says):
        mosaic(image[0], Mean(), VALUE, tmp_path / "map.tif", **settings)
    assert not (tmp_path / "map.tif").exists()
