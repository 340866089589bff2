"""Entries of the model card that are known when training is finished: the tiles, and white."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import rasterio
from lightning.pytorch import Trainer

from semimtl_geo.data import DomainsDataModule
from semimtl_geo.mapping.mapper import Mapper
from semimtl_geo.mapping.tile_choice import LabelledScene, choose_tiles
from semimtl_geo.networks.checkpoint import update_card
from tiles.datasets.rasters import raster_files
from tiles.types import WHITE_TAG


def complete_card(checkpoint: Path, data: DomainsDataModule, trainer: Trainer) -> None:
    """Choose the tiles of maps on validation scenes, and write them into the model card.

    Only labels that training may use are looked at. No tiles are chosen where there are no
    validation scenes, as with street views and data sets of torchgeo, or where they are too small.

    Args:
        checkpoint: The checkpoint of a finished run.
        data: The data of the run.
        trainer: Trainer of the run; one without a progress bar says nothing of the choice.
    """
    if not (trainer.is_global_zero and checkpoint.is_file()):
        return
    if data.gsd is None or data.holds_frames("train"):
        return
    entries: dict[str, float | None] = {"white": _white(data)}
    choice = choose_tiles(Mapper.load(checkpoint), list(_validation_scenes(data)))
    if choice is not None:
        entries |= {"tile": choice.tiling.tile, "overlap": choice.tiling.overlap}
        if trainer.progress_bar_callback is not None:
            print(choice)
    update_card(checkpoint, **entries)


def _validation_scenes(data: DomainsDataModule) -> Iterator[LabelledScene]:
    """Yield the validation scenes with the labels that training may use."""
    for name, domain in data.domains.items():
        folder = data.folder(name, "val")
        for image in raster_files(folder / "image") if domain.dataset is None else []:
            files = {task: folder / task / image.name for task in data.labels[name]}
            labels = {task: file for task, file in files.items() if file.is_file()}
            yield LabelledScene(image, name, labels, domain.bands)


def _white(data: DomainsDataModule) -> float | None:
    """Return the value that became 255 when the scenes were prepared, if it is the same in all."""
    found = set[str]()
    for name, domain in data.domains.items():
        images = raster_files(data.folder(name, "train") / "image")
        if domain.dataset is None and images:
            with rasterio.open(images[0]) as file:
                found.add(file.tags().get(WHITE_TAG, ""))
    if len(found) == 1:
        with suppress(ValueError):  # no tag, or one of another program
            return float(found.pop())
    return None
