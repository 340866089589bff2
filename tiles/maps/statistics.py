"""Statistics of a map's band, as GDAL and QGIS store them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt


class BandStatistics:
    """Statistics of a band, which do not depend on the order in which its blocks are added.

    Example:
        >>> import numpy as np
        >>> statistics = BandStatistics()
        >>> statistics.add(np.array([1.0, 3.0]))
        >>> statistics.tags(4)["STATISTICS_MEAN"], statistics.tags(4)["STATISTICS_VALID_PERCENT"]
        ('2', '50')
    """

    def __init__(self) -> None:
        self._low, self._high = math.inf, -math.inf
        self._blocks: list[tuple[int, float, float]] = []  # count, mean, sum of squared deviations

    def add(self, values: npt.NDArray[Any]) -> None:
        """Add the known values of one block."""
        if values.size:
            exact = values.astype(np.float64)
            mean = float(exact.mean())
            self._low = min(self._low, float(exact.min()))
            self._high = max(self._high, float(exact.max()))
            self._blocks.append((values.size, mean, float(((exact - mean) ** 2).sum())))

    def tags(self, pixels: int) -> dict[str, str]:
        """Return GDAL's STATISTICS_* tags.

        Args:
            pixels: Number of all pixels of the band, known or not.
        """
        count = sum(number for number, _, _ in self._blocks)
        if count == 0:
            return {"STATISTICS_VALID_PERCENT": "0"}
        mean = math.fsum(number * mean for number, mean, _ in self._blocks) / count
        deviations = math.fsum(
            squares + number * (block - mean) ** 2 for number, block, squares in self._blocks
        )
        numbers = {
            "MINIMUM": self._low,
            "MAXIMUM": self._high,
            "MEAN": mean,
            "STDDEV": math.sqrt(deviations / count),
            "VALID_PERCENT": 100 * count / pixels,
        }
        return {f"STATISTICS_{key}": f"{number:.14g}" for key, number in numbers.items()}
