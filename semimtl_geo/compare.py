"""Systems side by side, in the columns of the paper's tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from semimtl_geo.evaluation import Scores
from semimtl_geo.metrics import multi_task_gain

COLUMNS: Final = ("pAcc", "mIoU", "AbR", "RMSE", "delta1", "delta2", "delta3", "gain")
HEADINGS: Final = ("pAcc", "mIoU", "AbR", "RMSE", "δ1", "δ2", "δ3", "ΔM (%)")
DECIMALS: Final = (1, 1, 3, 3, 1, 1, 1, 1)


@dataclass(frozen=True)
class Row:
    """One system on one domain.

    Attributes:
        domain: Where it was evaluated.
        method: The system's name in the table.
        scores: By column; what is absent was not evaluated.
        classes: IoU in percent, by class.
    """

    domain: str
    method: str
    scores: Mapping[str, float]
    classes: Mapping[str, float] = field(default_factory=dict)

    def cells(self) -> list[str]:
        """The scores as text, in the order of :data:`COLUMNS`."""
        cells = []
        for column, decimals in zip(COLUMNS, DECIMALS, strict=True):
            value = self.scores.get(column, math.nan)
            sign = "+" if column == "gain" else ""
            cells.append("-" if math.isnan(value) else f"{value:{sign}.{decimals}f}")
        return cells


def make_row(domain: str, method: str, scores: Scores) -> Row:
    """Collect the scores of all tasks of one system on one domain."""
    flat = {name: value for task in scores.values() for name, value in task.items()}
    return Row(
        domain,
        method,
        {column: flat[column] for column in COLUMNS if column in flat},
        {
            name.removeprefix("IoU/"): value
            for name, value in flat.items()
            if name.startswith("IoU/")
        },
    )


def with_gains(rows: Sequence[Row], baselines: Sequence[str]) -> list[Row]:
    """Add ΔM (equation 10) to the rows that have both mIoU and RMSE.

    Args:
        rows: All systems on all domains.
        baselines: Methods of the single-task networks, which gain 0 by definition.

    Returns:
        The rows in the same order.
    """
    result = []
    for row in rows:
        baseline = {
            key: other.scores[key]
            for other in rows
            if other.domain == row.domain and other.method in baselines
            for key in ("mIoU", "RMSE")
            if key in other.scores
        }
        own = {key: row.scores[key] for key in ("mIoU", "RMSE") if key in row.scores}
        scores = dict(row.scores)
        if row.method in baselines:
            scores["gain"] = 0.0
        elif len(own) == 2 and own.keys() == baseline.keys():
            scores["gain"] = multi_task_gain(own, baseline)
        result.append(Row(row.domain, row.method, scores, row.classes))
    return result


def to_markdown(rows: Sequence[Row]) -> str:
    """The table of the paper's layout, in Markdown."""
    lines = [
        "| domain | method | " + " | ".join(HEADINGS) + " |",
        "| --- | --- |" + " ---: |" * len(HEADINGS),
    ]
    lines += [f"| {row.domain} | {row.method} | " + " | ".join(row.cells()) + " |" for row in rows]
    return "\n".join(lines) + "\n"
