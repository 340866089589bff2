"""Class numbers of drawn land cover: those of ISPRS, and water."""

from __future__ import annotations

from typing import Final

IMPERVIOUS: Final = 0
BUILDING: Final = 1
LOW: Final = 2
"""Low vegetation."""
TREE: Final = 3
CAR: Final = 4
CLUTTER: Final = 5
WATER: Final = 6
