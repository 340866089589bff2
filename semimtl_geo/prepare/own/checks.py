"""Checks of a user's own labels while they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy.typing as npt

from semimtl_geo.prepare.summary import HeightHistogram
from tiles.errors import InputError

MAX_LOW_HEIGHT: Final = 25.0
MAX_MEDIAN_HEIGHT: Final = 60.0
"""If the 5 % quantile or the median, in metres, is higher, the raster is a surface model: heights
above ground include ground, at 0."""


class OverlapCheck:
    """Check that a label raster has known pixels where its orthophoto lies.

    Args:
        name: Name of the label raster in messages.
        required: Whether a raster without such a pixel is refused.
    """

    def __init__(self, name: str, required: bool = True) -> None:
        self._name, self._required = name, required
        self._any_known = False

    def add(self, known: npt.NDArray[Any]) -> None:
        """Take in the known classes or heights of one window, of shape [N]."""
        self._any_known |= known.size > 0

    def finish(self) -> None:
        """Raise an :class:`InputError` if there was no known pixel."""
        if self._required and not self._any_known:
            fault = "has no known pixel where the orthophoto lies"
            raise InputError(self._name, fault, "check its georeference and its nodata")


class HeightCheck(OverlapCheck):
    """Check that heights are known and above ground, not above sea level.

    Args:
        name: Name of the raster of heights in messages.
        required: Whether a raster without known pixels is refused.
        also: Further check of the raster, done last.
    """

    def __init__(
        self, name: str, required: bool = True, also: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(name, required)
        self._histogram, self._also = HeightHistogram(), also

    def add(self, known: npt.NDArray[Any]) -> None:
        """Take in the known heights of one window in metres, of shape [N]."""
        super().add(known)
        self._histogram.add(known)

    def finish(self) -> None:
        """Raise an :class:`InputError` if the heights are none above ground."""
        super().finish()
        if not self._any_known:
            return
        low, median = self._histogram.quantiles([0.05, 0.5])
        if low > MAX_LOW_HEIGHT or median > MAX_MEDIAN_HEIGHT:
            fault = (
                f"has a median height of {median:.0f} m and a 5 % quantile of {low:.0f} m, so it "
                "is a surface model, not heights above ground"
            )
            remedy = (
                "give height: {surface: ..., terrain: ...} in scenes.yaml, or compute these with "
                "semimtl-geo ndsm"
            )
            raise InputError(self._name, fault, remedy)
        self._also()
