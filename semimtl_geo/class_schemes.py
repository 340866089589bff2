"""Class schemes of the benchmarks: names and colours of their classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from tiles.types import UNKNOWN_CLASS, Color, UInt8Array


@dataclass(frozen=True)
class ClassScheme:
    """The classes of a benchmark.

    Attributes:
        names: Names of the classes; a class's index is its value in label rasters.
        colors: The benchmark's colours (red, green, blue), in the order of the names.

    Example:
        >>> ISPRS.names[1], ISPRS.colors[1]
        ('building', (0, 0, 255))
    """

    names: tuple[str, ...]
    colors: tuple[Color, ...]


ISPRS: Final = ClassScheme(
    names=(
        "impervious surfaces",
        "building",
        "low vegetation",
        "tree",
        "car",
        "clutter",
    ),
    colors=(
        (255, 255, 255),
        (0, 0, 255),
        (0, 255, 255),
        (0, 255, 0),
        (255, 255, 0),
        (255, 0, 0),
    ),
)
"""Land cover of the ISPRS 2D semantic labelling benchmark, Potsdam and Vaihingen."""

TOWNS: Final = ClassScheme(
    names=(*ISPRS.names[:5], "water"), colors=(*ISPRS.colors[:5], (0, 112, 255))
)
"""Land cover of real and random towns: the classes of ISPRS, with water instead of clutter.

Cars are never labelled, since laser points rarely show them.
"""

CITYSCAPES: Final = ClassScheme(
    names=(
        "road",
        "sidewalk",
        "building",
        "wall",
        "fence",
        "pole",
        "traffic light",
        "traffic sign",
        "vegetation",
        "terrain",
        "sky",
        "person",
        "rider",
        "car",
        "truck",
        "bus",
        "train",
        "motorcycle",
        "bicycle",
    ),
    colors=(
        (128, 64, 128),
        (244, 35, 232),
        (70, 70, 70),
        (102, 102, 156),
        (190, 153, 153),
        (153, 153, 153),
        (250, 170, 30),
        (220, 220, 0),
        (107, 142, 35),
        (152, 251, 152),
        (70, 130, 180),
        (220, 20, 60),
        (255, 0, 0),
        (0, 0, 142),
        (0, 0, 70),
        (0, 60, 100),
        (0, 80, 100),
        (0, 0, 230),
        (119, 11, 32),
    ),
)
"""The 19 evaluated classes of Cityscapes, which Synscapes shares; an index is a trainId."""

CITYSCAPES_LABEL_IDS: Final = (
    *(7, 8, 11, 12, 13, 17, 19, 20, 21, 22),
    *(23, 24, 25, 26, 27, 28, 31, 32, 33),
)
"""The labelId of each class in the archives, in the order of :data:`CITYSCAPES`."""


def to_train_ids(label_ids: UInt8Array) -> UInt8Array:
    """Convert labelIds of Cityscapes to trainIds.

    Args:
        label_ids: LabelIds as the archives have them, uint8 of any shape.

    Returns:
        TrainIds, uint8 of the same shape; 255 where the class is not evaluated.

    Example:
        >>> to_train_ids(np.array([7, 0, 33], np.uint8)).tolist()
        [0, 255, 18]
    """
    table = np.full(256, UNKNOWN_CLASS, np.uint8)
    table[list(CITYSCAPES_LABEL_IDS)] = np.arange(len(CITYSCAPES_LABEL_IDS))
    return table[label_ids]
