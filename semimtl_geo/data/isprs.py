"""The land-cover classes of the ISPRS 2D semantic labelling benchmark, Potsdam and Vaihingen."""

from __future__ import annotations

from typing import Final

CLASSES: Final = (
    "impervious surfaces",
    "building",
    "low vegetation",
    "tree",
    "car",
    "clutter",
)
"""Class names; a class's index in this tuple is its value in land-cover rasters."""

COLORS: Final = (
    (255, 255, 255),
    (0, 0, 255),
    (0, 255, 255),
    (0, 255, 0),
    (255, 255, 0),
    (255, 0, 0),
)
"""The benchmark's label colours (R, G, B), in the order of :data:`CLASSES`."""

UNKNOWN: Final = 255
"""The value of a pixel whose class nobody knows."""
