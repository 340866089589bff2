"""Systems side by side on one scenario: the paper's tables and figures."""

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
