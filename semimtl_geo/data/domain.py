"""Domains: the scenes or street views of one sensor and place, in folders or as a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from torchgeo.datasets import GeoDataset

from tiles.datasets.scenes import scene_dataset
from tiles.datasets.torchgeo_import import from_torchgeo
from tiles.errors import InvalidValueError
from tiles.types import LabelKind

Split = Literal["train", "val"]


@dataclass(frozen=True)
class Domain:
    """All scenes, or all street views, of one sensor and place.

    Attributes:
        supervised: The tasks whose labels may be used. The labels of other tasks are never opened;
            those that a data set reads are dropped.
        bands: Band numbers of the images, from 1, in the order that the network wants.
        folder: The domain's folder in the root of the data, if it is not called like the domain.
            It holds ``train/``, ``val/`` and ``test/``, each with ``image/`` and a folder per
            label, such as ``landcover/`` and ``height/``. PNG images are street views, whose
            classes are PNG and whose values are TIFF; all other images are scenes.
        dataset: A torchgeo data set of training scenes, in place of a folder: a ``RasterDataset``
            of your own, an intersection of several, or what
            :func:`tiles.datasets.from_torchgeo` returns.
        val_dataset: A torchgeo data set of validation scenes, with the same keys.
        keys: Names of the labels by the keys of the data set's samples, such as
            ``{"mask": "landcover"}``. None if the samples are those of
            :func:`tiles.datasets.from_torchgeo` or :func:`tiles.datasets.scene_dataset`.

    Raises:
        InvalidValueError: If there are both a folder and a data set, or only half of a data set.

    Example:
        >>> Domain(["landcover"], bands=[3, 2, 1], folder="potsdam").bands
        [3, 2, 1]
        >>> from torchgeo.datasets import RasterDataset
        >>> class LandCover(RasterDataset):
        ...     is_image = False
        >>> scenes = RasterDataset("ortho.tif") & LandCover("landcover.tif")
        >>> domain = Domain(["landcover"], dataset=scenes, keys={"mask": "landcover"})
    """

    supervised: list[str] = field(default_factory=list)
    bands: list[int] = field(default_factory=lambda: [1, 2, 3])
    folder: str | None = None
    dataset: GeoDataset | None = None
    val_dataset: GeoDataset | None = None
    keys: dict[str, str] | None = None

    def __post_init__(self) -> None:
        """Check that the settings fit together."""
        if self.dataset is not None and self.folder is not None:
            fault = "must be left out where there is a data set"
            raise InvalidValueError("domain.folder", fault, "give a folder or a data set")
        if self.dataset is None and (self.val_dataset is not None or self.keys is not None):
            fault = "must be given with val_dataset or keys"
            raise InvalidValueError("domain.dataset", fault, "give the data set to train on")

    def has_validation(self, folder: Path) -> bool:
        """Return whether there is anything to validate with.

        Args:
            folder: Folder of the validation split, where the domain has no data set.
        """
        return folder.is_dir() if self.dataset is None else self.val_dataset is not None

    def scenes(
        self, folder: Path, split: Split, labels: Mapping[str, LabelKind], gsd: float | None
    ) -> GeoDataset:
        """Return the scenes of a split.

        Args:
            folder: Folder of the split, where the domain has no data set.
            split: The split.
            labels: The labels to read, and what they hold.
            gsd: Ground sampling distance in metres; that of the files if None.

        Returns:
            A data set whose samples are those of :func:`tiles.datasets.scene_dataset`.

        Raises:
            InputError: If files are missing or cannot be read, or a data set does not fit.
        """
        dataset = self.dataset if split == "train" else self.val_dataset
        if dataset is None:
            return scene_dataset(folder, labels, self.bands, gsd)
        if self.keys is not None:
            names = {"image", *labels}
            keys = {key: name for key, name in self.keys.items() if name in names}
            lacking = sorted(labels.keys() - set(keys.values()))
            if lacking:
                fault = f"must name a key of the samples for {', '.join(lacking)}, got {self.keys}"
                raise InvalidValueError("domain.keys", fault, "add it")
            return from_torchgeo(dataset, keys, labels, self.bands, gsd)
        if gsd is not None and not np.allclose(dataset.res, gsd):
            fault = f"must be that of the data set, {dataset.res}, got {gsd:g}"
            raise InvalidValueError("data.gsd", fault, "leave it out, or adapt the data set")
        return dataset
