"""What the model card learns when training is finished."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import rasterio

from semimtl_geo import Domain, DomainsDataModule
from semimtl_geo.networks.checkpoint import load_networks, update_card
from semimtl_geo.training.card_entries import complete_card
from tests.semimtl_geo.conftest import CROP, Run


def complete(run: Run, folder: Path, tiles: bool = True, **white: str) -> Any:
    """Complete the card of a copy of a run, whose scenes have tags of white; and return it."""
    shutil.copytree(run.cities, folder / "cities")
    for city, value in white.items():
        for image in (folder / "cities" / city / "train" / "image").iterdir():
            with rasterio.open(image, "r+") as file:
                file.update_tags(SEMIMTL_WHITE=value)
    checkpoint = Path(shutil.copy(run.checkpoint, folder))
    update_card(checkpoint, tile=None, overlap=None)
    domains = {"city_a": Domain(["landcover"]), "city_b": Domain(["height"])}
    data = DomainsDataModule(folder / "cities", domains, crop=CROP)
    trainer: Any = SimpleNamespace(
        datamodule=data, strategy=SimpleNamespace(root_device="cpu"), progress_bar_callback=None
    )
    before = load_networks(checkpoint)[0]
    complete_card(checkpoint, trainer, tiles)
    card = load_networks(checkpoint)[0]
    assert replace(card, tile=None, overlap=None, white=None) == before
    return card


def test_tiles_are_chosen_and_white_is_known(run: Run, tmp_path: Path) -> None:
    card = complete(run, tmp_path, city_a="4095", city_b="4095")
    assert card.white == 4095
    assert card.tile in (CROP, 2 * CROP, 3 * CROP, 4 * CROP)
    assert card.overlap in (CROP // 8, CROP // 4, CROP // 2)
    # As after the training itself, where nothing was known of white.
    trained = load_networks(run.checkpoint)[0]
    assert (trained.tile, trained.overlap) == (card.tile, card.overlap)
    assert trained.white is None


@pytest.mark.parametrize("white", [{"city_a": "4095"}, {"city_a": "0", "city_b": "0"}])
def test_white_that_is_not_that_of_all_is_unknown(
    run: Run, tmp_path: Path, white: dict[str, str]
) -> None:
    card = complete(run, tmp_path, tiles=False, **white)
    assert (card.white, card.tile) == (None, None)


def test_an_impossible_card_is_not_written(run: Run, tmp_path: Path) -> None:
    checkpoint = Path(shutil.copy(run.checkpoint, tmp_path))
    before = checkpoint.read_bytes()
    with pytest.raises(ValueError, match="tile: must be 1 to 8192, got 0"):
        update_card(checkpoint, tile=0)
    assert checkpoint.read_bytes() == before
