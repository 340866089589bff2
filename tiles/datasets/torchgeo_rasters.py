"""Files of torchgeo data sets, for the mosaicker."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from torchgeo.datasets import GeoDataset, IntersectionDataset, RasterDataset, UnionDataset

from tiles.errors import InputError, InvalidValueError, MissingFileError
from tiles.reading.virtual_raster import stack_bands
from tiles.types import RasterName

Bands = Sequence[tuple[str, RasterName, int]]
"""For each band its name, its file and its number in the file, from 1."""


def dataset_rasters(dataset: GeoDataset) -> list[RasterName]:
    """Return the rasters of a torchgeo data set, as :func:`tiles.mosaic` takes them.

    Args:
        dataset: A ``RasterDataset`` of images, whose bands may lie in a file each
            (``separate_files``); an intersection, whose bands follow one another as in its samples;
            or a union, whose rasters are those of the first and then of the second. The parts of an
            intersection must have the same pixels.

    Returns:
        One raster per scene, with the bands of the data set in its order. Give the data set's
        ``crs`` to the mosaicker if scenes differ in it; where scenes overlap, the first counts.

    Raises:
        InvalidValueError: If the data set is of another kind.
        InputError: If files of a scene are missing, or have different grids or types.

    Example:
        >>> from torchgeo.datasets import RasterDataset
        >>> class Orthophotos(RasterDataset):
        ...     all_bands = ("nir", "red", "green")
        >>> dataset = Orthophotos("ortho.tif", bands=["green", "nir"])
        >>> (raster,) = dataset_rasters(dataset)
        >>> from tiles.reading import Raster
        >>> with Raster(raster, bands=["nir"]) as ortho:
        ...     ortho.bands
        (2,)
    """
    if isinstance(dataset, UnionDataset):
        return list(chain.from_iterable(map(dataset_rasters, dataset.datasets)))
    return [_stack(bands) for bands in _scenes(dataset)]


def _scenes(dataset: GeoDataset) -> Iterator[Bands]:
    """Yield the bands of each scene."""
    if isinstance(dataset, IntersectionDataset):
        parts: list[Any] = dataset.datasets
        columns = [f"filepath_{number}" for number in (1, 2)]
        if not all(isinstance(part, RasterDataset) for part in parts):
            fault = "is an intersection of more than two data sets, or of other kinds"
            raise InvalidValueError("dataset", fault, "intersect two RasterDatasets")
        for paths in dataset.index[columns].itertuples(index=False):
            pairs = zip(parts, paths, strict=True)
            yield list(chain.from_iterable(_bands(part, path) for part, path in pairs))
    elif isinstance(dataset, RasterDataset):
        yield from (_bands(dataset, path) for path in dataset.index.filepath)
    else:
        fault = f"is a {type(dataset).__name__}"
        raise InvalidValueError("dataset", fault, "give a RasterDataset")


def _bands(dataset: RasterDataset, path: str) -> Bands:
    """Return the bands of a scene; none if they are those of its only file."""
    if not dataset.is_image:
        fault = f"{type(dataset).__name__} has masks"
        raise InvalidValueError("dataset", fault, "give one of images")
    bands = list(dataset.bands or ())
    if dataset.separate_files:
        return [(band, _file_of(dataset, path, band), 1) for band in bands]
    if bands:
        return [(band, path, dataset.all_bands.index(band) + 1) for band in bands]
    return [("", path, 0)]


def _file_of(dataset: RasterDataset, path: str, band: str) -> str:
    """Return the file of a band, which the data set's `filename_regex` locates."""
    match = re.match(dataset.filename_regex, Path(path).name, re.VERBOSE)
    if match is None or "band" not in match.groupdict():
        fault = "finds no band in a file's name"
        raise InvalidValueError("filename_regex", fault, "give it a group named band")
    # Its own function, for Sentinel-2's bands also lie in folders by resolution.
    file = Path(dataset._update_filepath(band, path))
    if not file.exists():
        raise MissingFileError(file, f"is missing (band {band})", "leave out the band or the scene")
    return str(file)


def _stack(bands: Bands) -> RasterName:
    if any(not number for _, _, number in bands):
        if len(bands) > 1:
            fault = "has parts without names of bands"
            raise InvalidValueError("dataset", fault, "give each part all_bands and bands")
        return bands[0][1]
    try:
        return stack_bands(str(bands[0][1]), bands)
    except InputError as error:
        remedy = "choose bands of one resolution, or resample them"
        raise type(error)(error.source, error.fault, remedy) from error
