"""Model card entries known only after training: tile size, overlap and white value."""

from __future__ import annotations

import math
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


def complete_card(checkpoint: Path, trainer: Trainer, tiles: bool = True) -> None:
    """Write into the model card what is known at the end of training.

    That is the value of white that the scenes were prepared with, and the tiles of maps, which are
    chosen on validation scenes. Only labels that training may use are looked at. Street views and
    data sets of torchgeo have neither.

    Args:
        checkpoint: The last checkpoint of the run.
        trainer: Trainer of the run; one without a progress bar says nothing of the choice.
        tiles: Whether tiles are chosen.
    """
    data = trainer.datamodule  # type: ignore[attr-defined]  # Lightning's, without a type
    if not isinstance(data, DomainsDataModule) or data.holds_frames("train"):
        return
    entries: dict[str, float | None] = {"white": _white(data)}
    scenes = list(_validation_scenes(data)) if tiles else []
    if any(scene.labels for scene in scenes):
        device = str(trainer.strategy.root_device)
        choice = choose_tiles(Mapper.load(checkpoint, device), scenes)
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
    """Return the value of the originals that became 255, if the domains agree on one.

    The first training scene of each domain is looked at.
    """
    found = set[str]()
    for name, domain in data.domains.items():
        images = raster_files(data.folder(name, "train") / "image")
        if domain.dataset is None and images:
            with rasterio.open(images[0]) as file:
                found.add(file.tags().get(WHITE_TAG, ""))
    if len(found) == 1:
        with suppress(ValueError):  # no tag
            white = float(found.pop())
            return white if 0 < white < math.inf else None
    return None
