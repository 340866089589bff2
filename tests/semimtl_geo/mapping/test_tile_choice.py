"""The choice of tiles, with networks whose faults are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from semimtl_geo.mapping.mapper import Mapper
from semimtl_geo.mapping.settings import MapSettings
from semimtl_geo.mapping.tile_choice import LabelledScene, choose_tiles
from semimtl_geo.networks.model_card import ModelCard
from semimtl_geo.training.module import SemiMTL
from tests.rasters import write

CROP = 16

Fault = Callable[[Tensor, Tensor], Tensor]


class Oracle(nn.Module):
    """Reads the class of each pixel from its colour, and the height; a fault spoils both.

    Args:
        fault: Function from a batch ``[B, C, S, S]`` and a mask of tile borders ``[S, S]``, 3 px
            wide, to a mask of pixels that are wrong.
    """

    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self.fault = fault

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Predict scores of three classes, and heights as a share of 10 m."""
        inner = torch.ones(images.shape[-2:], dtype=torch.bool)
        inner[3:-3, 3:-3] = False
        wrong = self.fault(images, inner)
        classes = (images[:, 0] * 255 / 100).round().long()
        classes = torch.where(wrong, (classes + 1) % 3, classes)
        scores = 20 * nn.functional.one_hot(classes, 3).movedim(-1, 1).float()
        return {"landcover": scores, "height": (images[:, 1:2] + wrong)}


def nowhere(images: Tensor, border: Tensor) -> Tensor:
    return torch.zeros_like(border)


def at_borders(images: Tensor, border: Tensor) -> Tensor:
    return border


def on_large_tiles(images: Tensor, border: Tensor) -> Tensor:
    return torch.full_like(border, images.shape[-1] > CROP)


@pytest.fixture
def card(make_model: Callable[..., SemiMTL]) -> ModelCard:
    return replace(
        make_model(domains={"a": ["landcover", "height"]}, system="jtl", batchnorm="mixed").card,
        crop=CROP,
    )


def scenes(folder: Path, size: int) -> list[LabelledScene]:
    found = []
    for number in range(2):
        draws = np.random.default_rng(number)
        classes = draws.integers(0, 3, (size // 4, size // 4), dtype=np.uint8)
        classes = classes.repeat(4, axis=0).repeat(4, axis=1)
        heights = draws.integers(0, 255, (size, size)).astype(np.uint8)
        image = np.stack([100 * classes, heights, heights])
        labels = {
            "landcover": write(folder / f"landcover_{number}.tif", classes, nodata=255),
            "height": write(folder / f"height_{number}.tif", heights.astype(np.float32) / 25.5),
        }
        image_file = write(folder / f"image_{number}.tif", image)
        found.append(LabelledScene(image_file, "a", labels))
    return found


@pytest.mark.parametrize(
    ("fault", "tile", "overlap"),
    [
        # The largest tile with the least overlap costs least; scenes are 6 crops wide.
        (nowhere, 64, 2),
        # Of 4 px that two tiles share, both are wrong somewhere; of 8 px, the better one counts.
        (at_borders, 64, 8),
        (on_large_tiles, 16, 2),
    ],
)
def test_the_cheapest_tiles_that_do_no_harm(
    card: ModelCard, tmp_path: Path, fault: Fault, tile: int, overlap: int
) -> None:
    network = Mapper(card, Oracle(fault), precision="float32")  # type: ignore[arg-type]
    choice = choose_tiles(network, scenes(tmp_path, 128))
    assert choice is not None
    assert (choice.tiling.tile, choice.tiling.overlap) == (tile, overlap)
    assert (choice.densest.tile, choice.densest.overlap) == (16, 8)
    share = 100 * (tile / (tile - overlap)) ** 2 / 4
    assert str(choice).endswith(f"for {share:.0f} % of the pixels")


@pytest.mark.parametrize(("size", "tile"), [(24, 32), (32, 32), (36, 48), (44, 48), (48, 64)])
def test_scenes_that_fill_most_of_a_tile_tell_about_it(
    card: ModelCard, tmp_path: Path, size: int, tile: int
) -> None:
    """Tiles of 2, 3 and 4 crops, of which scenes must fill three quarters."""
    network = Mapper(card, Oracle(nowhere), precision="float32")  # type: ignore[arg-type]
    choice = choose_tiles(network, scenes(tmp_path, size))
    assert choice is not None
    assert choice.tiling.tile == tile


def test_scenes_that_are_too_small_choose_nothing(card: ModelCard, tmp_path: Path) -> None:
    network = Mapper(card, Oracle(nowhere), precision="float32")  # type: ignore[arg-type]
    assert choose_tiles(network, scenes(tmp_path, 20)) is None
    assert choose_tiles(network, []) is None


def test_tiles_of_the_card_and_of_the_user(card: ModelCard) -> None:
    def tiling(card: ModelCard, **settings: int) -> tuple[int, int, int]:
        found = MapSettings(**settings).tiling(card)
        return found.tile, found.overlap, found.batch_size

    # Without a measurement, those of training crops that overlap by half; 2^19 px per batch, but
    # at most 32 tiles.
    assert tiling(card) == (16, 8, 32)
    measured = replace(card, tile=512, overlap=32)
    assert tiling(measured) == (512, 32, 2)
    assert tiling(measured, tile=128) == (128, 32, 32)
    assert tiling(measured, tile=32) == (32, 16, 32)
    assert tiling(measured, overlap=0, batch_size=3) == (512, 0, 3)
    assert tiling(measured, tile=4096) == (4096, 32, 1)


def test_tiles_are_no_larger_than_their_number_asks_for(card: ModelCard) -> None:
    measured = replace(card, crop=128, tile=512, overlap=32)
    assert MapSettings().tiling(measured).edges == range(128, 513, 32)
    assert MapSettings(tile=512).tiling(measured).edges == 512
    assert MapSettings().tiling(replace(card, crop=128)).edges == 128
