"""Scenes with the keys of torchgeo, for its samplers, trainers and data modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from rasterio.transform import from_origin
from torchgeo.datasets import GeoDataset

from tiles.datasets.adapter import Adapter, first_chip
from tiles.datasets.rasters import Sample
from tiles.datasets.scenes import hide_labels
from tiles.errors import InvalidValueError

Transforms = Callable[[Sample], Sample]


class TorchgeoScenes(Adapter):
    """Scenes with the keys of torchgeo, see :func:`to_torchgeo`."""

    def __init__(
        self,
        scenes: GeoDataset,
        keys: Mapping[str, str],
        fill: float | Sequence[float] | None,
        transforms: Transforms | None,
    ) -> None:
        super().__init__(scenes)
        self.keys = dict(keys)
        self.fill = None if fill is None else torch.as_tensor(fill, dtype=torch.float32)
        self.transforms = transforms

    def __getitem__(self, query: Any) -> Sample:
        """Return the sample at a query: slices of x, y and time, which may be left out."""
        x, y, time = self._disambiguate_slice(query)
        if not np.allclose((x.step, y.step), self.res):
            fault = f"its step must be the resolution {self.res}, got {(x.step, y.step)}"
            raise InvalidValueError("query", fault, "set gsd in scene_dataset")
        try:
            sample = self.dataset[x, y, time]
        except IndexError:
            # By rounding, torchgeo's GridGeoSampler may add chips that only touch a scene.
            if self.index.cx[x.start : x.stop, y.start : y.stop].empty:
                raise
            sample = self._unknown(x, y)
        image = sample.pop("image")
        if self.fill is not None:
            image = torch.where(image.isnan(), self.fill.reshape(-1, 1, 1), image)
        renamed = {self.keys.get(label, label): data for label, data in sample.items()}
        result = {**self._place(x, y, query), "image": image, **renamed}
        return result if self.transforms is None else self.transforms(result)

    def _place(self, x: slice, y: slice, query: Any) -> Sample:
        """Return a sample's location under the keys of the installed torchgeo."""
        if hasattr(self, "_slice_to_tensor"):  # since 0.9
            transform = torch.tensor(from_origin(x.start, y.stop, x.step, y.step))
            return {"bounds": self._slice_to_tensor(query), "transform": transform}
        return {"crs": self.crs, "bounds": query}

    def _unknown(self, x: slice, y: slice) -> Sample:
        """Return a sample of unknown pixels only."""
        shape = round((y.stop - y.start) / self.res[1]), round((x.stop - x.start) / self.res[0])
        pixel = self.dataset[first_chip(self, 1)]
        image = torch.full((len(pixel["image"]), *shape), torch.nan)
        labels = {key: data.new_zeros(shape) for key, data in pixel.items() if key != "image"}
        return hide_labels({"image": image, **labels})


def to_torchgeo(
    scenes: GeoDataset,
    keys: Mapping[str, str] | None = None,
    fill: float | Sequence[float] | None = None,
    transforms: Transforms | None = None,
) -> GeoDataset:
    """Return scenes as a data set with the keys of torchgeo's RasterDataset.

    A sample has

    - ``image``: float32 ``[bands, H, W]`` in 0..1 (torchgeo's data modules divide by 255 unless
      their ``std`` is set to 1);
    - ``mask``: int64 ``[H, W]``, land cover, 255 where unknown (``ignore_index=255``);
    - every other label under its own name, such as ``height``: float32 ``[H, W]`` in metres, NaN
      where unknown;
    - where it lies, as torchgeo says it: ``crs`` and the query as ``bounds`` in 0.8, ``bounds`` and
      ``transform`` as tensors from 0.9 on.

    Args:
        scenes: Result of :func:`scene_dataset`.
        keys: Keys of the sample by label name; ``{"landcover": "mask"}`` if None.
        fill: Value of unknown pixels of the image, one for all bands or one per band; they are NaN
            if None.
        transforms: Function that is applied to each sample.

    Returns:
        A data set for torchgeo's samplers and ``stack_samples``. It reads at the resolution of the
        scenes only.

    Example:
        >>> from torchgeo.samplers import RandomGeoSampler
        >>> from tiles.datasets import scene_dataset
        >>> scenes = scene_dataset("data/city_a/train", {"landcover": "classes"}, bands=[1, 2, 3])
        >>> dataset = to_torchgeo(scenes, fill=0)
        >>> sample = dataset[next(iter(RandomGeoSampler(dataset, size=32, length=1)))]
        >>> sample["image"].shape, sample["mask"].dtype
        (torch.Size([3, 32, 32]), torch.int64)
    """
    return TorchgeoScenes(scenes, keys or {"landcover": "mask"}, fill, transforms)
