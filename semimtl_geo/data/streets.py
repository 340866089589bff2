"""The street-view classes of Cityscapes, which Synscapes shares."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

CLASSES: Final = (
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
)
"""The 19 classes that count; a class's index in this tuple is its trainId."""

COLORS: Final = (
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
)
"""The official colours (R, G, B), in the order of :data:`CLASSES`."""

LABEL_IDS: Final = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""The labelId of each class in the archives, in the order of :data:`CLASSES`."""

UNKNOWN: Final = 255
"""The trainId of every other labelId."""


def to_train_ids(label_ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The trainIds of labelIds, of any shape."""
    table = np.full(256, UNKNOWN, np.uint8)
    table[list(LABEL_IDS)] = np.arange(len(LABEL_IDS))
    return table[label_ids]
