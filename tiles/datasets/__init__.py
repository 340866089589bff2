"""Scenes as torchgeo data sets, and samplers of chips: the only room that imports torchgeo.

May import the nouns at the root of ``tiles`` and :mod:`tiles.reading`.
"""

from __future__ import annotations

from tiles.datasets.samplers import GridChips, RandomChips, Turns
from tiles.datasets.scenes import (
    ClassRasters,
    LabelKind,
    Orthophotos,
    Scenes,
    ValueRasters,
    raster_files,
    scene_dataset,
)

__all__ = [
    "ClassRasters",
    "GridChips",
    "LabelKind",
    "Orthophotos",
    "RandomChips",
    "Scenes",
    "Turns",
    "ValueRasters",
    "raster_files",
    "scene_dataset",
]
