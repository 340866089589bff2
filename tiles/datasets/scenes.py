"""Scenes as torchgeo data sets: orthophotos, class rasters, value rasters, and their intersection.

The one file that works around torchgeo (0.8). Compared with its RasterDataset, what is read here

- has unknown pixels as 255 (classes) and NaN (values), whatever the file's nodata is, and does not
  take nodata for a height; pixels unknown in the orthophoto are unknown in every label;
- is resampled to one ground sampling distance as suits it: averaged (images, values) or by majority
  (classes), see :mod:`tiles.datasets.chip_reader`, rather than warped to the nearest neighbour;
- keeps fractional heights, and keeps every label under a key of its own;
- does not pass over files that cannot be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from torch import Tensor
from torchgeo.datasets import GeoDataset, IntersectionDataset, RasterDataset

from tiles.datasets.chip_reader import TOUCH, ChipReader
from tiles.errors import InputError
from tiles.types import UNKNOWN_CLASS, LabelKind

Sample = dict[str, Any]


def raster_files(folder: Path) -> list[Path]:
    """The GeoTIFFs of a folder (``.tif`` or ``.tiff``), by name; folders in it do not count."""
    return sorted(
        file
        for file in folder.glob("*")
        if file.suffix.lower() in (".tif", ".tiff") and not file.name.startswith(".")
    )


class _Rasters(RasterDataset):
    """GeoTIFFs of one folder, read at one ground sampling distance.

    Args:
        folder: Where the files are, see :func:`raster_files`.
        key: The key of its data in a sample.
        gsd: Ground sampling distance in units of the CRS; the first file's if None.
        crs: The CRS to read in; the first file's if None.
        bands: Band numbers, from 1.

    Raises:
        InputError: If there are none, or one cannot be read or has no CRS.
    """

    finer = Resampling.bilinear
    coarser = Resampling.average

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
            raise InputError(folder, "no such folder", f"put the {key} GeoTIFFs there")
        files = raster_files(folder)
        if not files:
            raise InputError(folder, "holds no .tif files", f"put the {key} there")
        for file in files:
            _check_file(file)
        super().__init__(files, crs=crs, res=gsd, cache=False)
        self._paths = [str(path) for path in self.index.filepath]
        self._settle()

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
            self._settle()
        x, y = query[0], query[1]
        merged: NDArray[np.float32] | None = None
        for path in self._at(x, y):
            values, known = self._reader.read(path, x, y)
            chip = self.scaled(values)
            chip[:, ~known] = np.nan
            # Where files overlap, the first that knows a pixel has its say.
            merged = chip if merged is None else np.where(np.isnan(merged), chip, merged)
            if not np.isnan(merged).any():
                break
        if merged is None:
            raise IndexError(f"no {self.key} at {query}")
        return {self.key: self.convert(merged)}

    def convert(self, data: NDArray[np.float32]) -> Tensor:
        """Bring ``[bands, H, W]`` with NaN for unknown into the form of a batch."""
        raise NotImplementedError  # abstract: the subclasses below are the whole family

    def _settle(self) -> None:
        """Read in the CRS and resolution that torchgeo gives to what is joined to others."""
        self._grid = (self.crs, self.res)
        self._extents = self.index.geometry.bounds.to_numpy()
        self._reader = ChipReader(
            *self._grid, self.bands_read, len(self._paths), self.finer, self.coarser
        )

    def _at(self, x: slice, y: slice) -> list[str]:
        left, bottom, right, top = self._extents.T
        margin = TOUCH * self.res[0]
        hit = (
            (left < x.stop - margin)
            & (right > x.start + margin)
            & (bottom < y.stop - margin)
            & (top > y.start + margin)
        )
        return [self._paths[number] for number in np.flatnonzero(hit)]

    def scaled(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """A copy of a file's values in the batch's unit."""
        return values.astype(np.float32)


class Orthophotos(_Rasters):
    """Images: float32 ``[bands, H, W]`` in 0..1; unknown pixels are NaN.

    Args:
        folder: Where the GeoTIFFs are.
        bands: Band numbers, from 1.
        gsd: Ground sampling distance; the first file's if None.
    """

    is_image = True

    def __init__(
        self, folder: str | PathLike[str], bands: Sequence[int], gsd: float | None = None
    ) -> None:
        if not bands or min(bands) < 1:
            raise InputError(f"bands {list(bands)}", "no such bands", "number them from 1")
        super().__init__(folder, "image", gsd, bands=bands)
        for path in self.index.filepath:
            with rasterio.open(path) as source:
                if source.count < max(bands):
                    raise InputError(
                        path,
                        f"has {source.count} bands, band {max(bands)} is wanted",
                        "choose other bands",
                    )

    def scaled(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Integers by the largest of their type; floats are in 0..1 already."""
        data = values.astype(np.float32)
        return data if values.dtype.kind == "f" else data / np.float32(np.iinfo(values.dtype).max)

    def convert(self, data: NDArray[np.float32]) -> Tensor:
        """A pixel is known if all its bands are."""
        data[:, np.isnan(data).any(axis=0)] = np.nan
        return torch.from_numpy(data)


class ClassRasters(_Rasters):
    """Class indices: int64 ``[H, W]``; unknown pixels are 255."""

    is_image = False
    finer = Resampling.nearest
    coarser = Resampling.mode

    def convert(self, data: NDArray[np.float32]) -> Tensor:
        """NaN becomes 255."""
        return torch.from_numpy(np.where(np.isnan(data[0]), UNKNOWN_CLASS, data[0])).long()


class ValueRasters(_Rasters):
    """Values such as heights in metres: float32 ``[H, W]``; unknown pixels are NaN."""

    is_image = False

    def convert(self, data: NDArray[np.float32]) -> Tensor:
        """As it is."""
        return torch.from_numpy(data[0])


LABELS: dict[LabelKind, type[ClassRasters] | type[ValueRasters]] = {
    "classes": ClassRasters,
    "values": ValueRasters,
}


class Scenes(IntersectionDataset):
    """Two data sets where both have data, their samples joined key by key."""

    def __init__(self, first: GeoDataset, second: GeoDataset, source: Path) -> None:
        # The second is made with the first's CRS and resolution, so that torchgeo changes neither.
        try:
            super().__init__(first, second, collate_fn=_join)
        except RuntimeError as error:
            raise InputError(
                source, "images and labels do not overlap anywhere", "check their georeferences"
            ) from error


def scene_dataset(
    root: str | PathLike[str],
    labels: Mapping[str, LabelKind],
    bands: Sequence[int],
    gsd: float | None = None,
) -> GeoDataset:
    """Scenes of one domain and split.

    Labels that are not named are never opened.

    Args:
        root: Folder with ``image/`` and one folder per label (``landcover/``, ``height/``).
        labels: The labels to read, by folder name.
        bands: Band numbers of the orthophotos, from 1.
        gsd: Ground sampling distance to read at, in units of a projected CRS; that of the first
            file if None.

    Returns:
        A torchgeo data set. A sample has ``image``: float32 ``[bands, H, W]`` in 0..1, NaN where
        unknown; and each label, unknown wherever the image is.

    Raises:
        InputError: If a folder or file is missing, unreadable, or does not overlap the others; or
            if a ground sampling distance is given to scenes in degrees.
    """
    root = Path(root)
    images = Orthophotos(root / "image", bands, gsd)
    if gsd is not None:
        check_metres(images.crs, gsd, raster_files(root / "image")[0])
    dataset: GeoDataset = images
    for name, kind in labels.items():
        label = LABELS[kind](root / name, name, gsd=images.res[0], crs=images.crs)
        dataset = Scenes(dataset, label, root / name)
    return dataset


def check_metres(crs: CRS, gsd: float, source: str | PathLike[str]) -> None:
    """Check that a ground sampling distance in metres suits a CRS.

    Args:
        crs: Coordinate reference system of the data.
        gsd: Ground sampling distance.
        source: The file or argument that has this CRS.

    Raises:
        InputError: If the CRS is in degrees.
    """
    if crs.is_geographic:
        remedy = "warp it to a projected CRS, with gdalwarp -t_srs for example"
        raise InputError(source, f"lies in degrees, not metres as gsd {gsd:g}", remedy)


def hide_labels(sample: Sample) -> Sample:
    """Return a sample whose labels are unknown (255 or NaN) wherever the image is."""
    known = ~torch.isnan(sample["image"]).any(dim=0)
    return {
        key: data
        if key == "image"
        else torch.where(known, data, torch.nan if data.is_floating_point() else UNKNOWN_CLASS)
        for key, data in sample.items()
    }


def _join(samples: Sequence[Sample]) -> Sample:
    joined: Sample = {}
    for sample in samples:
        joined |= sample
    return hide_labels(joined)


def _check_file(file: Path) -> None:
    try:
        with rasterio.open(file) as source:
            crs, transform = source.crs, source.transform
    except RasterioError as error:
        raise InputError(file, "cannot be read as a raster", "replace or remove it") from error
    if crs is None:
        raise InputError(file, "has no CRS", "assign one, with gdal_edit -a_srs for example")
    if not (transform.b == transform.d == 0 and transform.a > 0 > transform.e):
        raise InputError(file, "is rotated or not north-up", "warp it, with gdalwarp for example")
