"""Scores of all runs, averaged over seeds."""

from __future__ import annotations

from collections.abc import Sequence

from semimtl_geo.compare.job import Outcome
from semimtl_geo.compare.table import (
    BASELINES,
    Row,
    average,
    with_gains,
)


def table_of(outcomes: Sequence[Outcome]) -> list[Row]:
    """The table: domain by domain, mean and deviation over seeds, gains of each seed.

    Args:
        outcomes: Of all runs, in the order of the methods.
    """
    rows = average(list(rows_of_seeds(outcomes).values()))
    domains = list(dict.fromkeys(row.domain for row in rows))
    return sorted(rows, key=lambda row: domains.index(row.domain))


def rows_of_seeds(outcomes: Sequence[Outcome]) -> dict[int, list[Row]]:
    """The rows of each seed by itself, with its gains."""
    seeds = dict.fromkeys(outcome.run.seed for outcome in outcomes)
    return {
        seed: with_gains([row for o in outcomes if o.run.seed == seed for row in o.rows], BASELINES)
        for seed in seeds
    }
