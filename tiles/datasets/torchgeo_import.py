"""Data sets of torchgeo in the form of scenes, for the samplers and training here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
import rasterio
import torch
from rasterio.features import geometry_mask
from rasterio.transform import from_bounds
from torch import Tensor
from torchgeo.datasets import GeoDataset, RasterDataset

from tiles.datasets.adapter import Adapter, first_chip
from tiles.datasets.rasters import Sample
from tiles.datasets.scenes import check_metres, hide_labels
from tiles.errors import InputError, InvalidValueError
from tiles.types import UNKNOWN_CLASS, BoolArray, LabelKind

PROBE_PIXELS: Final = 16
"""Edge of the chip that is read to learn the keys of a data set."""


class AdaptedDataset(Adapter):
    """A torchgeo data set in the form of scenes, see :func:`from_torchgeo`."""

    def __init__(
        self,
        dataset: GeoDataset,
        keys: Mapping[str, str],
        kinds: Mapping[str, LabelKind],
        bands: Sequence[int] | None,
        scale: float | None,
        nodata: Mapping[str, float] | None,
    ) -> None:
        super().__init__(dataset)
        self.sources = {"image": "image"} | {ours: theirs for theirs, ours in keys.items()}
        self.kinds = {name: kind for name, kind in kinds.items() if name in self.sources}
        unknown_kind = self.sources.keys() - self.kinds.keys() - {"image"}
        if unknown_kind:
            fault = f"no kind is given for {sorted(unknown_kind)}"
            raise InvalidValueError("kinds", fault, "say 'classes' or 'values' for each label")
        sample = _read_first(dataset)
        for key in self.sources.values():
            if not isinstance(sample.get(key), Tensor):
                tensors = sorted(key for key, data in sample.items() if isinstance(data, Tensor))
                fault = f"the data set has no {key!r}, but {tensors}"
                raise InvalidValueError("keys", fault, "map the keys that it has to label names")
        declared, largest = _declarations(dataset)
        self.nodata = declared | dict(nodata or {})
        scale = largest.get(self.sources["image"]) if scale is None else scale
        if scale is None or not scale > 0:
            fault = f"must be > 0, got {scale}"
            raise InvalidValueError("scale", fault, "give the image value that becomes 1")
        self.scale = scale
        count = len(sample[self.sources["image"]])
        self.bands = list(range(1, count + 1) if bands is None else bands)
        if not self.bands or not all(1 <= band <= count for band in self.bands):
            fault = f"must be 1 to {count}, got {self.bands}"
            raise InvalidValueError("bands", fault, "number the channels of the image from 1")

    def __getitem__(self, query: Any) -> Sample:
        """Return the sample at a query: slices of x, y and time, which may be left out."""
        theirs = self.dataset[query]
        image = self._image(theirs[self.sources["image"]])
        shape = image.shape[1:]
        image[:, torch.from_numpy(self._outside(query, shape))] = torch.nan
        sample = {"image": image}
        for name, kind in self.kinds.items():
            key = self.sources[name]
            data = theirs[key].squeeze(0) if theirs[key].ndim == 3 else theirs[key]
            if data.shape != shape:
                fault = f"is {tuple(data.shape)}, the image {tuple(shape)}"
                raise InputError(f"sample[{key!r}]", fault, "give each label a key of its own")
            unknown = data.isnan() | (data == self.nodata.get(key, torch.nan))
            if kind == "classes":
                sample[name] = torch.where(unknown, UNKNOWN_CLASS, data).long()
            else:
                sample[name] = torch.where(unknown, torch.nan, data.float())
        return hide_labels(sample)

    def _image(self, data: Tensor) -> Tensor:
        """Return the wanted bands in 0..1, all of them NaN where the image is unknown."""
        image = data[[band - 1 for band in self.bands]].float()
        # As in orthophotos, a single dark band may be a colour.
        nodata = self.nodata.get(self.sources["image"], torch.nan)
        unknown = image.isnan().any(dim=0) | (image == nodata).all(dim=0)
        return torch.where(unknown, torch.nan, image / self.scale)

    def _outside(self, query: Any, shape: Sequence[int]) -> BoolArray:
        """Return which pixels ``[H, W]`` lie outside the index, where torchgeo fills in a value."""
        x, y, _ = self._disambiguate_slice(query)
        extents = self.index.geometry.cx[x.start : x.stop, y.start : y.stop]
        transform = from_bounds(x.start, y.start, x.stop, y.stop, shape[1], shape[0])
        outside: BoolArray = geometry_mask(list(extents), tuple(shape), transform)
        return outside


def from_torchgeo(
    dataset: GeoDataset,
    keys: Mapping[str, str],
    kinds: Mapping[str, LabelKind],
    bands: Sequence[int] | None = None,
    gsd: float | None = None,
    scale: float | None = None,
    nodata: Mapping[str, float] | None = None,
) -> GeoDataset:
    """Return a torchgeo data set with the samples that :func:`scene_dataset` gives.

    Labels are unknown (255, or NaN) where the data set has nodata, outside its extent, and where
    the image is unknown (NaN). Keys that are not named are dropped. The pixel values are those that
    torchgeo reads: it warps and resamples in its own way.

    Args:
        dataset: A ``RasterDataset``, an intersection of several, or any other ``GeoDataset``
            whose samples have an image. A float label, such as heights, needs a data set whose
            ``dtype`` is float32 (torchgeo truncates to int64 by default) and a key of its own.
        keys: Label names by the keys of its samples, such as ``{"mask": "landcover"}``; the image
            is ``image`` unless another key is mapped to that.
        kinds: Kind of each label by its name.
        bands: Channels of the image, from 1; all if None.
        gsd: Ground sampling distance in metres that the data set must have; any if None.
        scale: Value of the image that becomes 1. If None, it is the largest of the first file's
            integer type, or 1 for floats; a data set that is not made of rasters needs it.
        nodata: Further values that mean "unknown", by the keys of its samples. The nodata value
            that the first file of each raster data set declares is known.

    Returns:
        A data set for :class:`RandomChips` and :class:`GridChips`. A sample has ``image``: float32
        ``[bands, H, W]`` in 0..1, and each label ``[H, W]``, int64 classes or float32 values.

    Raises:
        InvalidValueError: If the arguments do not fit the data set.

    Example:
        >>> from torchgeo.datasets import RasterDataset
        >>> class LandCover(RasterDataset):
        ...     is_image = False
        >>> both = RasterDataset("ortho.tif") & LandCover("landcover.tif")
        >>> dataset = from_torchgeo(both, {"mask": "landcover"}, {"landcover": "classes"})
        >>> sample = dataset[dataset.bounds]
        >>> sample["image"].shape, sample["landcover"].unique().tolist()
        (torch.Size([3, 96, 96]), [1, 2])
    """
    if gsd is not None:
        check_metres(dataset, gsd, "dataset")
        if not np.allclose(dataset.res, gsd, rtol=0.01):
            fault = f"has pixels of {dataset.res}, gsd is {gsd:g}"
            raise InvalidValueError("dataset", fault, f"make it with res={gsd:g}")
    return AdaptedDataset(dataset, keys, kinds, bands, scale, nodata)


def _parts(dataset: Any) -> Iterator[Any]:
    """Yield the data sets that intersections and unions are made of."""
    parts = getattr(dataset, "datasets", None)
    yield from chain.from_iterable(map(_parts, parts)) if parts else [dataset]


def _read_first(dataset: GeoDataset) -> Sample:
    """Read a first small chip, and leave no file open that a forked process would share."""
    parts = [part for part in _parts(dataset) if isinstance(part, RasterDataset) and part.cache]
    for part in parts:
        part.cache = False
    try:
        sample: Sample = dataset[first_chip(dataset, PROBE_PIXELS)]
        return sample
    finally:
        for part in parts:
            part.cache = True


def _declarations(dataset: GeoDataset) -> tuple[dict[str, float], dict[str, float]]:
    """Return nodata values, and the largest value of the type, by key, as the files declare them.

    torchgeo's samples say neither.
    """
    nodata: dict[str, float] = {}
    largest: dict[str, float] = {}
    for part in _parts(dataset):
        if not isinstance(part, RasterDataset):
            continue
        with rasterio.open(part.index.filepath.iloc[0]) as file:
            declared, dtype = file.nodata, np.dtype(file.dtypes[0])
        for key, data in _read_first(part).items():
            if isinstance(data, Tensor):
                largest.setdefault(key, np.iinfo(dtype).max if dtype.kind in "iu" else 1)
                if declared is not None:
                    nodata.setdefault(key, declared)
    return nodata, largest
