"""Base of data sets that wrap a torchgeo data set."""

from __future__ import annotations

from typing import Any

from torchgeo.datasets import GeoDataset


class Adapter(GeoDataset):
    """Base class of data sets that have the index, CRS and resolution of another one."""

    def __init__(self, dataset: GeoDataset) -> None:
        self.dataset = dataset
        self.index = dataset.index

    @property
    def crs(self) -> Any:
        """Coordinate reference system of the samples."""
        return self.dataset.crs

    @crs.setter
    def crs(self, crs: Any) -> None:
        self.dataset.crs = crs
        self.index = self.dataset.index

    @property
    def res(self) -> tuple[float, float]:
        """Pixel width and height in units of the CRS."""
        return self.dataset.res

    @res.setter
    def res(self, res: float | tuple[float, float]) -> None:
        self.dataset.res = res


def first_chip(dataset: GeoDataset, pixels: int) -> tuple[slice, slice, slice]:
    """Return the query of the chip at the upper left corner of a data set's first extent."""
    left, _, _, top = dataset.index.geometry.iloc[0].bounds
    time = dataset.index.index[0]
    width, height = (pixels * side for side in dataset.res)
    return slice(left, left + width), slice(top - height, top), slice(time.left, time.right)
