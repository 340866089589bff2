"""Comparison of two methods seed by seed, with confidence intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import t

from semimtl_geo.compare.table import Row

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Difference:
    """Difference of two methods' scores over the seeds that both have.

    Attributes:
        mean: First minus second.
        error: Standard error: standard deviation of the differences (n - 1) over the root of n;
            NaN for one seed.
        seeds: Number of seeds.
    """

    mean: float
    error: float
    seeds: int

    @property
    def margin(self) -> float:
        """Half the width of the 95 % interval of Student's t; NaN for one seed."""
        if self.seeds < 2:
            return math.nan
        return self.error * float(t.ppf((1 + CONFIDENCE) / 2, self.seeds - 1))

    @property
    def certain(self) -> bool:
        """True if 0 is outside the interval."""
        return abs(self.mean) > self.margin


def difference(
    seeds: Mapping[int, Sequence[Row]],
    domain: str,
    column: str,
    first: str,
    second: str,
    relative: bool = False,
) -> Difference | None:
    """Compare two methods.

    Args:
        seeds: The rows of each seed.
        domain: Domain of the evaluation.
        column: The score.
        first: A method.
        second: Another one.
        relative: Whether the difference is in percent of the second method's score.

    Returns:
        None if no seed has both scores.
    """
    single = []
    for rows in seeds.values():
        known = {row.method: row.scores.get(column) for row in rows if row.domain == domain}
        one, other = known.get(first), known.get(second)
        if one is not None and other is not None and not math.isnan(one - other):
            single.append(100 * (one - other) / other if relative else one - other)
    if not single:
        return None
    error = statistics.stdev(single) / math.sqrt(len(single)) if len(single) > 1 else math.nan
    return Difference(statistics.fmean(single), error, len(single))
