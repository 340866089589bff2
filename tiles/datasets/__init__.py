"""Scenes as torchgeo data sets, and samplers of chips; no other package of tiles uses torchgeo.

It may import the root modules of ``tiles`` and :mod:`tiles.reading`.
"""

from __future__ import annotations

from tiles.datasets.rasters import raster_files
from tiles.datasets.resized_chips import ResizedChips
from tiles.datasets.samplers import DistributedSlice, GridChips, RandomChips
from tiles.datasets.scenes import scene_dataset
from tiles.datasets.torchgeo_export import to_torchgeo
from tiles.datasets.torchgeo_import import from_torchgeo
from tiles.datasets.torchgeo_rasters import dataset_rasters

__all__ = [
    "DistributedSlice",
    "GridChips",
    "RandomChips",
    "ResizedChips",
    "dataset_rasters",
    "from_torchgeo",
    "raster_files",
    "scene_dataset",
    "to_torchgeo",
]
