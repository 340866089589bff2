"""The data of a training run: batches over K domains, each with the labels it may use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import lightning
import torch
from lightning.pytorch.utilities import CombinedLoader
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate
from torchgeo.datasets import GeoDataset

from semimtl_geo.data.augmentation import Augmentation
from semimtl_geo.learning.systems import SYSTEMS, SystemName
from semimtl_geo.streetview.dataset import Frames, RandomCrops, WholeFrames
from semimtl_geo.streetview.files import frame_files
from semimtl_geo.tasks.task import Kind
from tiles.datasets.samplers import GridChips, RandomChips, Turns
from tiles.datasets.scenes import LabelKind, raster_files, scene_dataset
from tiles.errors import InputError

TASK_KINDS: dict[LabelKind, Kind] = {"classes": "segmentation", "values": "depth"}

LABELS: Final[dict[str, LabelKind]] = {"landcover": "classes", "height": "values"}


@dataclass(frozen=True)
class Domain:
    """All scenes, or all street views, of one sensor and place.

    Attributes:
        supervised: The tasks whose labels may be used; the others are never opened.
        bands: Band numbers of the images, from 1, in the order that the network wants.
        folder: Its folder in the data set's root, if not called as the domain: with ``train/``,
            ``val/`` and ``test/``, each with ``image/`` and, where there are any, a folder per
            label, such as ``landcover/`` and ``height/``. PNG images are frames of street views,
            whose classes are PNG and whose values are TIFF; all else are scenes.
    """

    supervised: list[str] = field(default_factory=list)
    bands: list[int] = field(default_factory=lambda: [1, 2, 3])
    folder: str | None = None


class DomainsDataModule(lightning.LightningDataModule):
    """Chips of K domains, side by side.

    A training batch is ``{domain: {"image": float32 [B, C, H, W] in 0..1, task: [B, H, W]}}``; a
    validation batch holds one domain. Unknown image pixels show the mean colour. Of street views,
    training batches hold crops, and validation batches one whole frame.

    Attributes:
        supervised: Per domain, the tasks whose labels may be used, as
            :class:`semimtl_geo.training.module.SemiMTL` wants them.

    Args:
        root: Folder of the domains' folders.
        domains: The domains, by name.
        labels: What the label folders hold, by task.
        system: Labels of tasks that it does not train are not read, nor are domains that it would
            learn nothing from.
        gsd: Ground sampling distance in metres that every domain is read at; each domain's own if
            None. Street views have none.
        crop: Edge of a chip in pixels.
        batch_size: Chips per domain, and per process where there are several.
        iterations: Iterations of Algorithm 1 per epoch.
        workers: Reading processes per domain; 0 reads in the training process.
        seed: Of the chips drawn.
        augmentation: Of training chips, on the device that trains.
        fill: Colour of unknown image pixels, per band.
    """

    def __init__(
        self,
        root: str,
        domains: dict[str, Domain],
        labels: dict[str, LabelKind] = LABELS,
        system: SystemName = "semimtl",
        gsd: float | None = None,
        crop: int = 384,
        batch_size: int = 4,
        iterations: int = 500,
        workers: int = 2,
        seed: int = 0,
        augmentation: Augmentation = Augmentation(),
        fill: Sequence[float] = (0.485, 0.456, 0.406),
    ) -> None:
        super().__init__()
        counts = {"crop": crop, "batch_size": batch_size, "iterations": iterations, "gsd": gsd}
        for setting, number in counts.items():
            if number is not None and not number > 0:
                raise InputError(f"data.{setting}", f"{number} is none", "give more than 0")
        for name, domain in domains.items():
            if len(domain.bands) != len(fill):
                raise InputError(
                    f"domain {name}",
                    f"has {len(domain.bands)} bands, the network's mean {len(fill)}",
                    "give one mean and std per band",
                )
            for task in domain.supervised:
                if task not in labels:
                    raise InputError(
                        f"domain {name}", f"no label is called {task}", f"use {sorted(labels)}"
                    )
        self.supervised = {name: list(domain.supervised) for name, domain in domains.items()}
        self.labels: dict[str, dict[str, LabelKind]] = {
            name: {
                task: labels[task]
                for task in domain.supervised
                if SYSTEMS[system].trains(TASK_KINDS[labels[task]])
            }
            for name, domain in domains.items()
        }
        self.domains = {
            name: domain
            for name, domain in domains.items()
            if SYSTEMS[system].reads_unlabelled or self.labels[name]
        }
        self.root = Path(root)
        self.gsd = gsd
        self.crop = crop
        self.batch_size = batch_size
        self.iterations = iterations
        self.workers = workers
        self.seed = seed
        self.from_above = augmentation.from_above
        self.augment = augmentation.build()
        self.fill = torch.tensor(list(fill)).view(-1, 1, 1)

    def folder(self, name: str, split: str) -> Path:
        """Where a domain's scenes of a split are."""
        return self.root / (self.domains[name].folder or name) / split

    def holds_frames(self, split: str) -> bool:
        """Whether the domains are of street views rather than scenes.

        Raises:
            InputError: If some are and others are not, or a setting is none of street views.
        """
        images = {name: self.folder(name, split) / "image" for name in self.domains}
        frames = [name for name, folder in images.items() if frame_files(folder)]
        scenes = [name for name, folder in images.items() if raster_files(folder)]
        if frames and scenes:
            fault = f"has street views, domain {scenes[0]} georeferenced scenes"
            raise InputError(f"domain {frames[0]}", fault, "train on one or the other")
        if frames and self.gsd is not None:
            raise InputError("data.gsd", "street views have none", "leave it out")
        if frames and self.from_above:
            fault = "street views have a top and a bottom"
            raise InputError("data.augmentation.from_above", fault, "set it to false")
        return bool(frames)

    def train_dataloader(self) -> CombinedLoader:
        """Random chips of all domains, ``iterations`` batches of them.

        Each of several processes gets its share of them. A run that is resumed goes on where it was
        interrupted.
        """
        loaders = {}
        frames = self.holds_frames("train")
        process, processes, done = 0, 1, 0
        if self.trainer is not None:
            process, processes = self.trainer.global_rank, self.trainer.world_size
            done = self.trainer.global_step
        passes, within = divmod(done, self.iterations)
        length = self.iterations * self.batch_size * processes
        for number, name in enumerate(self.domains):
            dataset, sampler = self._training(name, frames, length, self.seed + 7919 * number)
            turns = Turns(sampler, process, processes, start=within * self.batch_size)
            turns.set_epoch(passes)
            loaders[name] = DataLoader(
                dataset,
                batch_size=self.batch_size,
                sampler=turns,
                collate_fn=self._collate,
                num_workers=self.workers,
                persistent_workers=self.workers > 0,
                pin_memory=torch.cuda.is_available(),
            )
        return CombinedLoader(loaders, mode="min_size")

    def val_dataloader(self) -> list[DataLoader[Any]]:
        """All that the domains with labels have to validate with."""
        loaders: list[DataLoader[Any]] = []
        frames = self.holds_frames("val")
        for name in self.domains:
            if self.labels[name] and self.folder(name, "val").is_dir():
                dataset, sampler = self._validation(name, frames)

                def collate(samples: list[dict[str, Tensor]], name: str = name) -> Any:
                    return {name: self._collate(samples)}

                loaders.append(
                    DataLoader(
                        dataset,
                        batch_size=1 if frames else self.batch_size,
                        sampler=sampler,
                        collate_fn=collate,
                    )
                )
        return loaders

    def _training(
        self, name: str, frames: bool, length: int, seed: int
    ) -> tuple[Dataset[Any], Sampler[Any]]:
        if frames:
            views = self._frames(name, "train")
            return views, RandomCrops(len(views), length, seed)
        scenes = self._scenes(name, "train")
        return scenes, RandomChips(scenes, self.crop, length, seed)

    def _validation(self, name: str, frames: bool) -> tuple[Dataset[Any], Sampler[Any]]:
        if frames:
            views = self._frames(name, "val")
            return views, WholeFrames(len(views))
        scenes = self._scenes(name, "val")
        return scenes, GridChips(scenes, self.crop)

    def _scenes(self, name: str, split: str) -> GeoDataset:
        bands, folder = self.domains[name].bands, self.folder(name, split)
        return scene_dataset(folder, self.labels[name], bands, self.gsd)

    def _frames(self, name: str, split: str) -> Frames:
        bands, folder = self.domains[name].bands, self.folder(name, split)
        return Frames(folder, self.labels[name], bands, self.crop)

    def on_after_batch_transfer(
        self, batch: dict[str, dict[str, Tensor]], dataloader_idx: int
    ) -> dict[str, dict[str, Tensor]]:
        """Augment training batches, on their device."""
        if self.trainer is not None and self.trainer.training:
            return {name: self.augment(data) for name, data in batch.items()}
        return batch

    def _collate(self, samples: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        # In a reading process, straight into the memory that it shares; no copy is made after that.
        batch: dict[str, Tensor] = default_collate(samples)
        images = batch["image"]
        torch.where(torch.isnan(images), self.fill, images, out=images)
        return batch
