"""Scores of all runs, averaged over seeds."""

from __future__ import annotations

from collections.abc import Sequence

from semimtl_geo.compare.comparison import Outcome
from semimtl_geo.compare.table import (
    BASELINES,
    Row,
    average,
    with_gains,
)


def make_table(outcomes: Sequence[Outcome]) -> list[Row]:
    """Return the table: rows by domain, with mean and standard deviation over seeds and the gains.

    Args:
        outcomes: Outcomes of all runs, in the order of the methods.
    """
    rows = average(list(rows_of_seeds(outcomes).values()))
    domains = list(dict.fromkeys(row.domain for row in rows))
    return sorted(rows, key=lambda row: domains.index(row.domain))


def rows_of_seeds(outcomes: Sequence[Outcome]) -> dict[int, list[Row]]:
    """Return the rows of each seed with its gains."""
    seeds = dict.fromkeys(outcome.run.seed for outcome in outcomes)
    return {
        seed: with_gains([row for o in outcomes if o.run.seed == seed for row in o.rows], BASELINES)
        for seed in seeds
    }
