"""Systems side by side: the runs of a comparison, their scores and tables.

It may import all packages of learning, training and mapping.
"""

from __future__ import annotations

from semimtl_geo.compare.formats import to_csv, to_latex, to_markdown
from semimtl_geo.compare.table import (
    BASELINES,
    COLUMNS,
    HEADINGS,
    Row,
    average,
    make_row,
    with_gains,
)

__all__ = [
    "BASELINES",
    "COLUMNS",
    "HEADINGS",
    "Row",
    "average",
    "make_row",
    "to_csv",
    "to_latex",
    "to_markdown",
    "with_gains",
]
