"""Scenes: the intersection of orthophotos and labels as a torchgeo data set."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

import torch
from rasterio import Affine
from rasterio.crs import CRS
from torchgeo.datasets import GeoDataset, IntersectionDataset

from tiles.datasets.rasters import (
    ClassRasters,
    Orthophotos,
    Sample,
    ValueRasters,
    raster_files,
)
from tiles.errors import InputError
from tiles.grid import MOST_PIXELS, PixelGrid
from tiles.types import UNKNOWN_CLASS, LabelKind

LABELS: dict[LabelKind, type[ClassRasters] | type[ValueRasters]] = {
    "classes": ClassRasters,
    "values": ValueRasters,
}

SCALE_ERROR = 0.05
"""Largest relative difference between a metre of a projection and one on the ground."""


class Scenes(IntersectionDataset):
    """Intersection of two data sets whose samples are joined key by key."""

    def __init__(self, first: GeoDataset, second: GeoDataset, source: Path) -> None:
        # The second is made with the first's CRS and resolution, so that torchgeo changes neither.
        try:
            with warnings.catch_warnings():  # of what torchgeo calls in geopandas
                warnings.filterwarnings("ignore", module="torchgeo")
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
    """Open the scenes of one domain and split.

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

    Example:
        >>> scenes = scene_dataset("data/city_b/train", {"height": "values"}, bands=[1, 2, 3])
        >>> sorted(scenes[scenes.bounds])
        ['height', 'image']
    """
    root = Path(root)
    images = Orthophotos(root / "image", bands, gsd)
    if gsd is not None:
        first = raster_files(root / "image")[0]
        check_metres(images, gsd, first)
        check_pixels(images, gsd, first)
    dataset: GeoDataset = images
    for name, kind in labels.items():
        label = LABELS[kind](root / name, name, gsd=images.res[0], crs=images.crs)
        dataset = Scenes(dataset, label, root / name)
    return dataset


def check_metres(dataset: GeoDataset, gsd: float, source: str | PathLike[str]) -> None:
    """Check that the unit of a data set's CRS is a metre on the ground, as that of its GSD is.

    Args:
        dataset: The data set.
        gsd: Ground sampling distance.
        source: The file or argument that the error names.

    Raises:
        InputError: If the unit is degrees or feet, say, or the projection is off by more than 5 %,
            such as Web Mercator's far from the equator.
    """
    remedy = "warp it to a projected CRS in metres, with gdalwarp -t_srs for example"
    if dataset.crs.is_geographic:
        raise InputError(source, f"lies in degrees, not metres as gsd {gsd:g}", remedy)
    west, south, east, north = dataset.index.total_bounds
    centre = Affine(1, 0, (west + east) / 2, 0, -1, (south + north) / 2)
    unit, _ = PixelGrid(CRS.from_user_input(dataset.crs), centre, 1, 1).pixel_size
    if not abs(unit - 1) <= SCALE_ERROR:
        fault = f"has coordinates in units of {unit:.3g} m on the ground, not metres as gsd {gsd:g}"
        raise InputError(source, fault, remedy)


def check_pixels(dataset: GeoDataset, gsd: float, source: str | PathLike[str]) -> None:
    """Check that no scene has too many pixels at a ground sampling distance.

    Args:
        dataset: The data set.
        gsd: Ground sampling distance in units of its CRS.
        source: The file that the error names.

    Raises:
        InputError: If its largest scene has more than :data:`tiles.grid.MOST_PIXELS`.
    """
    bounds = dataset.index.geometry.bounds.to_numpy()
    width, height = ((bounds[:, 2:] - bounds[:, :2]) / gsd).max(axis=0)
    if width * height > MOST_PIXELS:
        fault = f"has {width:.3g} x {height:.3g} px at gsd {gsd:g}, which are too many"
        raise InputError(source, fault, "give a coarser gsd in metres")


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
