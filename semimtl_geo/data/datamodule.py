"""The data of a training run: batches over K domains, each with the labels it may use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import lightning
import torch
from lightning.pytorch.utilities import CombinedLoader
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from torchgeo.datasets import GeoDataset

from semimtl_geo.data.augmentation import Augmentation
from semimtl_geo.data.domain import Domain, Split
from semimtl_geo.data.loader import checked_loader
from semimtl_geo.data.stacking import StackNamed, StackSamples
from semimtl_geo.learning.systems import find_system
from semimtl_geo.networks.card_check import MAX_SIZE
from semimtl_geo.streetview.dataset import Frames, RandomCrops, WholeFrames
from semimtl_geo.streetview.files import frame_files
from tiles.datasets.rasters import raster_files
from tiles.datasets.resized_chips import ResizedChips
from tiles.datasets.samplers import DistributedSlice, GridChips, RandomChips
from tiles.errors import InputError, InvalidValueError
from tiles.settings import check_range
from tiles.types import LabelKind

LABELS: Final[dict[str, LabelKind]] = {"landcover": "classes", "height": "values"}
"""Default kinds of labels, by the names of their tasks."""

MOST_PIXELS: Final = 2**28
"""Bound of the pixels in a batch of one domain: 3 GB of three bands."""

MOST_WORKERS: Final = 256
"""Largest number of workers of a domain."""

SEED_STRIDE: Final = 7919
"""Difference between the seeds of two domains, so that they do not draw the same chips."""


class DomainsDataModule(lightning.LightningDataModule):
    """Training and validation batches of K domains.

    A training batch is ``{domain: {"image": float32 [B, C, H, W] in 0..1, task: [B, H, W]}}``; a
    validation batch holds one domain. Unknown image pixels show the mean colour. Training batches
    of street views hold crops, and their validation batches hold one whole frame.

    During training, labels and domains that the model's system does not learn from are not read.

    Args:
        root: Folder of the domains' folders; None if every domain has a data set.
        domains: The domains, by name.
        labels: Kind of the labels by task.
        gsd: Ground sampling distance in metres that every domain is read at; each domain's own if
            None. Street views have none.
        crop: Edge of a chip in pixels.
        batch_size: Chips per domain, and per process where there are several.
        iterations: Iterations of Algorithm 1 per epoch.
        workers: Worker processes per domain that read training chips. With 0, the training process
            reads them, as it always reads validation chips.
        seed: Seed of the random chips.
        augmentation: Augmentation of training chips: magnified as they are read, the rest on the
            device that trains.
        fill: Colour of unknown image pixels in 0..1, per band: the mean that the network
            normalises by.

    Attributes:
        supervised: Per domain, the tasks whose labels may be used.

    Raises:
        InvalidValueError: If a setting has an impossible value.

    Example:
        >>> domains = {"city_a": Domain(["landcover"]), "city_b": Domain(["height"])}
        >>> data = DomainsDataModule("data", domains, gsd=0.27, crop=32, workers=0)
        >>> batch, _, _ = next(iter(data.train_dataloader()))
        >>> batch["city_a"]["image"].shape, batch["city_b"]["height"].shape
        (torch.Size([4, 3, 32, 32]), torch.Size([4, 32, 32]))
    """

    def __init__(
        self,
        root: str | Path | None,
        domains: dict[str, Domain],
        labels: dict[str, LabelKind] = LABELS,
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
        check_range("data.crop", crop, 1, MAX_SIZE)
        check_range("data.batch_size", batch_size, 1, MOST_PIXELS // crop**2)
        check_range("data.iterations", iterations, 1, 10**9)
        check_range("data.workers", workers, 0, MOST_WORKERS)
        check_range("data.seed", seed, 0, 2**32 - 1)
        if gsd is not None:
            check_range("data.gsd", gsd, 0, above=True)
        for name, domain in domains.items():
            if len(domain.bands) != len(fill):
                fault = f"has {len(domain.bands)} bands, but the network's mean has {len(fill)}"
                raise InvalidValueError(f"domain {name}", fault, "give one mean and std per band")
            for task in domain.supervised:
                if task not in labels:
                    fault = f"no label is called {task}"
                    raise InvalidValueError(f"domain {name}", fault, f"use {sorted(labels)}")
            if root is None and domain.dataset is None:
                fault = "has neither a folder nor a data set"
                raise InvalidValueError(f"domain {name}", fault, "give data.root or a data set")
        self.supervised = {name: list(domain.supervised) for name, domain in domains.items()}
        self.label_kinds = dict(labels)
        self._all_domains = dict(domains)
        self._all_labels = {
            name: {task: labels[task] for task in tasks} for name, tasks in self.supervised.items()
        }
        self.domains, self.labels = self._all_domains, self._all_labels
        self.root = Path() if root is None else Path(root)
        self.gsd = gsd
        self.crop = crop
        self.batch_size = batch_size
        self.iterations = iterations
        self.workers = workers
        self.seed = seed
        self.augmentation = augmentation
        self.augment = augmentation.build()
        self.fill = tuple(float(value) for value in fill)

    def restrict_to(self, system: str) -> None:
        """Read only the labels and the domains that a system learns from.

        Args:
            system: One of :data:`semimtl_geo.learning.systems.SYSTEMS`.
        """
        learner = find_system(system)
        self.labels = {
            name: {task: kind for task, kind in labels.items() if learner.trains(kind)}
            for name, labels in self._all_labels.items()
        }
        self.domains = {
            name: domain
            for name, domain in self._all_domains.items()
            if learner.reads_unlabelled or self.labels[name]
        }

    def unread(self) -> list[str]:
        """Return the domains without any labels that the system does not read."""
        return [
            name
            for name, domain in self._all_domains.items()
            if name not in self.domains and not domain.supervised
        ]

    def setup(self, stage: str) -> None:
        """Restrict the data to what the system of the trainer's model learns from."""
        model = None if self.trainer is None else self.trainer.lightning_module
        system = getattr(model, "system", None)
        if isinstance(system, str):
            self.restrict_to(system)

    def folder(self, name: str, split: str) -> Path:
        """Return the folder of a domain's scenes of a split."""
        return self.root / (self.domains[name].folder or name) / split

    def holds_frames(self, split: Split) -> bool:
        """Return whether the domains are of street views rather than of scenes.

        Raises:
            InputError: If some are and others are not, or a setting does not suit street views.
        """
        images = {
            name: self.folder(name, split) / "image"
            for name, domain in self.domains.items()
            if domain.dataset is None
        }
        frames = [name for name, folder in images.items() if frame_files(folder)]
        scenes = [name for name in self.domains if name not in images]
        scenes += [name for name, folder in images.items() if raster_files(folder)]
        if frames and scenes:
            fault = f"has street views, but domain {scenes[0]} has georeferenced scenes"
            raise InputError(f"domain {frames[0]}", fault, "train on one or the other")
        if frames and self.gsd is not None:
            fault = "does not apply to street views"
            raise InvalidValueError("data.gsd", fault, "leave it out")
        if frames and self.augmentation.from_above:
            fault = "must be false for street views, which have a top and a bottom"
            raise InvalidValueError("data.augmentation.from_above", fault, "set it to false")
        return bool(frames)

    def train_dataloader(self) -> CombinedLoader:
        """Return ``iterations`` batches of random chips of all domains.

        Each of several processes gets its share of the chips. A run that is resumed continues with
        the chip at which it was interrupted.
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
            seed = self.seed + SEED_STRIDE * number
            dataset, sampler = self._training(name, frames, length, seed)
            share = DistributedSlice(sampler, process, processes, start=within * self.batch_size)
            share.set_epoch(passes)
            loaders[name] = checked_loader(
                dataset,
                self._stack(name),
                batch_size=self.batch_size,
                sampler=share,
                num_workers=self.workers,
                persistent_workers=self.workers > 0,
                pin_memory=torch.cuda.is_available(),
            )
        return CombinedLoader(loaders, mode="min_size")

    def val_dataloader(self) -> list[DataLoader[Any]]:
        """Return a loader of all validation chips for each domain that has labels."""
        loaders: list[DataLoader[Any]] = []
        frames = self.holds_frames("val")
        for name, domain in self.domains.items():
            if self.labels[name] and domain.has_validation(self.folder(name, "val")):
                dataset, sampler = self._validation(name, frames)
                loader = checked_loader(
                    dataset,
                    StackNamed(name, self._stack(name)),
                    batch_size=1 if frames else self.batch_size,
                    sampler=sampler,
                )
                loaders.append(loader)
        return loaders

    def _training(
        self, name: str, frames: bool, length: int, seed: int
    ) -> tuple[Dataset[Any], Sampler[Any]]:
        low, high = self.augmentation.scale
        data: Any
        sampler: Sampler[Any]
        if frames:
            data = self._frames(name, "train")
            sampler = RandomCrops(len(data), self.crop, length, seed, (low, high))
        else:
            data = self._scenes(name, "train")
            sampler = RandomChips(data, self.crop, length, seed, (low, high))
        return ResizedChips(data, self.crop, scales_values=frames), sampler

    def _validation(self, name: str, frames: bool) -> tuple[Dataset[Any], Sampler[Any]]:
        if frames:
            views = self._frames(name, "val")
            return views, WholeFrames(len(views))
        scenes = self._scenes(name, "val")
        return scenes, GridChips(scenes, self.crop)

    def _scenes(self, name: str, split: Split) -> GeoDataset:
        folder = self.folder(name, split)
        return self.domains[name].scenes(folder, split, self.labels[name], self.gsd)

    def _frames(self, name: str, split: Split) -> Frames:
        bands, folder = self.domains[name].bands, self.folder(name, split)
        return Frames(folder, self.labels[name], bands, self.crop)

    def on_after_batch_transfer(
        self, batch: dict[str, dict[str, Tensor]], dataloader_idx: int
    ) -> dict[str, dict[str, Tensor]]:
        """Augment training batches on their device."""
        if self.trainer is not None and self.trainer.training:
            return {name: self.augment(data) for name, data in batch.items()}
        return batch

    def _stack(self, name: str) -> StackSamples:
        return StackSamples(tuple(self.labels[name]), self.fill)
