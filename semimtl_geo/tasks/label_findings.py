"""Findings about the values of labels: what cannot be right, and what is odd."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tiles.errors import unmarked_nodata
from tiles.types import LOWEST_HEIGHT

GROUND: Final = 5.0
"""Metres; heights whose 2nd percentile is larger are not heights above ground."""

TOWER: Final = 300.0
"""Metres; nowhere on Earth is the 99th percentile of heights above ground larger."""

HIGH_RISE: Final = 100.0
"""Metres; a larger 99th percentile of heights above ground is rare."""

PIT: Final = -5.0
"""Metres; a smaller 1st percentile of heights above ground is rare."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong or odd.

    Attributes:
        fault: The end of a sentence about the file, which says what is wrong or odd.
        remedy: The advice to the user.
        severe: True if nothing useful can be learnt from such data; False if it may be right.

    Example:
        >>> Finding("has one class alone", "check its classes", severe=False).severe
        False
    """

    fault: str
    remedy: str
    severe: bool = True


def height_findings(sample: NDArray[np.float32], low: float) -> Iterator[Finding]:
    """Yield findings about heights above ground.

    Args:
        sample: Known values in metres, ``[n]``, n > 0.
        low: Smallest of all known values.

    Example:
        >>> [finding.fault for finding in height_findings(np.full(9, 338.0, np.float32), 338.0)]
        ['has no pixel near the ground: 98 % are above 338 m']
    """
    if low < LOWEST_HEIGHT:
        yield Finding(*unmarked_nodata(f"heights of {low:g} m", low))
        sample = sample[sample > LOWEST_HEIGHT]
        if not len(sample):
            return
    bottom, deep, high = np.percentile(sample, (2, 1, 99))
    if bottom > GROUND:
        yield Finding(
            f"has no pixel near the ground: 98 % are above {bottom:.0f} m",
            "give heights above ground; semimtl-geo ndsm computes them from a surface model",
        )
    elif high > TOWER:
        fault = f"is higher than {high:.0f} m in 1 % of its pixels; it may be in centimetres"
        yield Finding(fault, "convert it to metres")
    elif high > HIGH_RISE:
        fault = f"is higher than {high:.0f} m in 1 % of its pixels; it may be in decimetres"
        yield Finding(fault, "convert it to metres unless it is right", severe=False)
    if deep < PIT:
        fault = f"is lower than {deep:.1f} m in 1 % of its pixels"
        yield Finding(fault, "check its terrain model", severe=False)
