"""Folders of GeoTIFFs as torchgeo data sets: orthophotos, class rasters and value rasters.

This file works around torchgeo (0.8 to 0.10). In contrast to its RasterDataset, what is read here

- has unknown pixels as 255 (classes) and NaN (values), whatever the file's nodata is;
- is resampled to one ground sampling distance by average (images, values) or majority (classes),
  see :mod:`tiles.datasets.chip_reader`, rather than warped by nearest neighbour;
- keeps fractional heights, and every label under a key of its own;
- raises an error if a file cannot be read, instead of skipping it.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from torch import Tensor
from torchgeo.datasets import RasterDataset

from tiles.datasets.chip_reader import CHIP_TOLERANCE, ChipReader
from tiles.errors import (
    GDAL_ERRORS,
    InputError,
    InvalidValueError,
    MissingFileError,
    input_errors,
)
from tiles.grid import is_rotated
from tiles.types import UNKNOWN_CLASS

Sample = dict[str, Any]


def raster_files(folder: Path) -> list[Path]:
    """Return the GeoTIFFs (``.tif`` or ``.tiff``) of a folder, not of its subfolders, by name.

    Example:
        >>> [file.name for file in raster_files(Path("data/city_a/train/image"))][0]
        'city_a_train_000.tif'
    """
    return sorted(
        file
        for file in folder.glob("*")
        if file.suffix.lower() in (".tif", ".tiff") and not file.name.startswith(".")
    )


class _Rasters(RasterDataset):
    """GeoTIFFs of one folder, read at one ground sampling distance.

    Args:
        folder: Folder of the files, see :func:`raster_files`.
        key: The key of its data in a sample.
        gsd: Ground sampling distance in units of the CRS; the first file's if None.
        crs: The CRS to read in; the first file's if None.
        bands: Band numbers, from 1.

    Raises:
        InputError: If there are none, or one cannot be read or has no CRS.
    """

    classes = False

    def __init__(
        self,
        folder: str | PathLike[str],
        key: str,
        gsd: float | None = None,
        crs: Any = None,
        bands: Sequence[int] = (1,),
    ) -> None:
        self.key = key
        self.bands_read = list(bands)
        folder = Path(folder)
        if not folder.is_dir():
            fault = "is not a folder" if folder.exists() else "no such folder"
            raise MissingFileError(folder, fault, f"put the {key} GeoTIFFs there")
        files = raster_files(folder)
        if not files:
            raise InputError(folder, "holds no .tif files", f"put the {key} there")
        for file in files:
            _check_file(file)
        remedy = "check the coordinate reference systems and geotransforms of its files"
        with input_errors(folder, "has files of no common place", remedy, *GDAL_ERRORS):
            super().__init__(files, crs=crs, res=gsd, cache=False)
        self._paths = [str(path) for path in self.index.filepath]
        self._make_reader()

    def __getitem__(self, query: Any) -> Sample:
        """Read a chip.

        Args:
            query: Slices of x, y and t, as torchgeo's samplers yield them.

        Returns:
            ``{key: tensor}``, see :meth:`convert`.

        Raises:
            InputError: If a file cannot be read.
            IndexError: If no file has a pixel there.
        """
        if (self.crs, self.res) != self._grid:
            self._make_reader()
        x, y = query[0], query[1]
        merged: NDArray[np.float32] | None = None
        for path in self._at(x, y):
            values, known = self._reader.read(path, x, y)
            chip = self.scaled(values, self._reader.dtype(path))
            chip[:, ~known] = np.nan
            # Where files overlap, the first that knows a pixel counts.
            merged = chip if merged is None else np.where(np.isnan(merged), chip, merged)
            if not np.isnan(merged).any():
                break
        if merged is None:
            raise IndexError(f"no {self.key} at {query}")
        return {self.key: self.convert(merged)}

    def convert(self, data: NDArray[np.float32]) -> Tensor:
        """Convert ``[bands, H, W]`` with NaN for unknown to the form of a batch."""
        raise NotImplementedError  # implemented by the subclasses below

    def _make_reader(self) -> None:
        """Make a reader for the current CRS and resolution, which torchgeo's joins may change."""
        self._grid = (self.crs, self.res)
        self._extents = self.index.geometry.bounds.to_numpy()
        self._reader = ChipReader(*self._grid, self.bands_read, len(self._paths), self.classes)

    def _at(self, x: slice, y: slice) -> list[str]:
        left, bottom, right, top = self._extents.T
        margin = CHIP_TOLERANCE * self.res[0]
        hit = (
            (left < x.stop - margin)
            & (right > x.start + margin)
            & (bottom < y.stop - margin)
            & (top > y.start + margin)
        )
        return [self._paths[number] for number in np.flatnonzero(hit)]

    def scaled(self, values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[np.float32]:
        """Return a copy of the values of a file of this type in the unit of the batch."""
        return values.astype(np.float32)


class Orthophotos(_Rasters):
    """Images: float32 ``[bands, H, W]`` in 0..1; unknown pixels are NaN.

    Args:
        folder: Folder of the GeoTIFFs.
        bands: Band numbers, from 1.
        gsd: Ground sampling distance; the first file's if None.

    """

    is_image = True

    def __init__(
        self, folder: str | PathLike[str], bands: Sequence[int], gsd: float | None = None
    ) -> None:
        if not bands or min(bands) < 1:
            fault = f"must be numbers from 1, got {list(bands)}"
            raise InvalidValueError("bands", fault, "correct them")
        super().__init__(folder, "image", gsd, bands=bands)
        for path in self.index.filepath:
            with rasterio.open(path) as source:
                if source.count < max(bands):
                    raise InputError(
                        path,
                        f"has {source.count} bands, band {max(bands)} is wanted",
                        "choose other bands",
                    )

    def scaled(self, values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[np.float32]:
        """Divide integers by the largest value of their type; floats are in 0..1 already."""
        data = values.astype(np.float32)
        return data if dtype.kind == "f" else data / np.float32(np.iinfo(dtype).max)

    def convert(self, data: NDArray[np.float32]) -> Tensor:
        """Return the image; a pixel that is unknown in a band is unknown in all."""
        data[:, np.isnan(data).any(axis=0)] = np.nan
        return torch.from_numpy(data)


class ClassRasters(_Rasters):
    """Class indices: int64 ``[H, W]``; unknown pixels are 255."""

    is_image = False
    classes = True

    def convert(self, data: NDArray[np.float32]) -> Tensor:
        """Return class indices, 255 where values are NaN."""
        return torch.from_numpy(np.where(np.isnan(data[0]), UNKNOWN_CLASS, data[0])).long()


class ValueRasters(_Rasters):
    """Values such as heights in metres: float32 ``[H, W]``; unknown pixels are NaN."""

    is_image = False

    def convert(self, data: NDArray[np.float32]) -> Tensor:
        """Return the values as they are."""
        return torch.from_numpy(data[0])


def _check_file(file: Path) -> None:
    try:
        with rasterio.open(file) as source:
            crs, transform = source.crs, source.transform
    except RasterioError as error:
        raise InputError(file, "cannot be read as a raster", "replace or remove it") from error
    if crs is None:
        raise InputError(file, "has no CRS", "assign one, with gdal_edit -a_srs for example")
    if is_rotated(transform) or not transform.a > 0 > transform.e:
        raise InputError(file, "is rotated or not north-up", "warp it, with gdalwarp for example")
