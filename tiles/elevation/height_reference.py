"""A check that a surface and its terrain have one height reference."""

from __future__ import annotations

import numpy as np

from tiles.errors import InputError
from tiles.types import Float64Array

TOO_DEEP = 2.0
"""Metres below the terrain at which a surface lies too deep."""


class HeightReferenceCheck:
    """Counts the pixels of a surface that lie far below its terrain.

    If they are more than half, the models have different height references or units.

    Attributes:
        known: Number of known pixels so far.

    Example:
        >>> check = HeightReferenceCheck()
        >>> check.add(np.array([[-40.0, -41.0, np.nan]]))
        >>> check.refuse("dsm.tif", "dtm.tif")
        Traceback (most recent call last):
        tiles.errors.InputError: dtm.tif: lies 2 m or more above dsm.tif in 100% of its pixels; \
bring both to one height reference and to metres
    """

    def __init__(self) -> None:
        self.known = self._deep = 0

    def add(self, heights: Float64Array) -> None:
        """Count the pixels of a window.

        Args:
            heights: float64 [H, W], surface minus terrain in metres, NaN where unknown.
        """
        self.known += int(np.isfinite(heights).sum())
        self._deep += int((heights < -TOO_DEEP).sum())

    def refuse(self, surface: str, terrain: str) -> None:
        """Raise an error if most of the surface lies below the terrain.

        Args:
            surface: Name of the surface model.
            terrain: Name of the terrain model.

        Raises:
            InputError: If it does.
        """
        if 2 * self._deep > self.known:
            share = self._deep / self.known
            fault = f"lies {TOO_DEEP:g} m or more above {surface} in {share:.0%} of its pixels"
            raise InputError(terrain, fault, "bring both to one height reference and to metres")
