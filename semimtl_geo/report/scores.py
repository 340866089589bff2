"""The report's tables of scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from semimtl_geo.compare.table import BASELINES, COLUMNS, HEADINGS, Row
from semimtl_geo.report.thumbnails import HIDDEN, spoken
from semimtl_geo.tasks import Depth, Segmentation, Task
from semimtl_geo.tasks.metrics import LOWER_IS_BETTER
from semimtl_geo.tasks.task import Kind

TASK_COLUMNS: Final[dict[Kind, tuple[str, ...]]] = {
    "segmentation": ("pAcc", "mIoU"),
    "depth": ("AbR", "RMSE", "delta1", "delta2", "delta3"),
}
MEANINGS: Final = {
    "pAcc": "pixels with the right class, in percent",
    "mIoU": "overlap of map and truth (intersection over union), mean of the classes that occur in "
    "either, in percent",
    "AbR": "absolute error relative to the true value{above}, mean",
    "RMSE": "root mean square error{unit}",
    "delta1": "pixels within a factor of 1.25 of the truth{above}, in percent",
    "delta2": "pixels within a factor of 1.25² = 1.56, in percent",
    "delta3": "pixels within a factor of 1.25³ = 1.95, in percent",
    "gain": "mean gain in mIoU and RMSE over the single-task networks, in percent",
}
METHODS: Final = {
    "STL_Seg": "a network for {segmentation} alone, trained where there are labels of it",
    "STL_Depth": "a network for {depth} alone, trained where there are labels of it",
    "DA_Seg": "STL_Seg with adversarial adaptation to the other domain",
    "DA_Depth": "STL_Depth with adversarial adaptation to the other domain",
    "JTL": "one network for both, trained on labels only",
    "SemiSD": "JTL with discriminators that tell truth from predictions, but not the domains apart",
    "SemiMTL": "JTL with discriminators that know the domains; predictions aligned with truth (M2)",
    "SemiMTL (M1)": "SemiMTL aligned with the predictions on the domain that has the labels",
    "SemiMTL (M3)": "SemiMTL aligned away from its own domain, with both of these",
}
"""The systems by their titles."""
MARK: Final = f' class="hidden" title="{HIDDEN}"'


def score_tables(
    rows: Sequence[Row], tasks: Sequence[Task], hidden: Mapping[str, frozenset[str]]
) -> str:
    """The scores, IoU per class, and what columns and methods mean.

    Args:
        rows: One per system and domain.
        tasks: What was mapped.
        hidden: Names of the tasks without labels in training, by domain.

    Returns:
        HTML.
    """
    domains = list(dict.fromkeys(row.domain for row in rows))
    heads = "".join(
        f'<th scope="col">{heading}<span class="arrow">{_better(column)}</span></th>'
        for heading, column in zip(HEADINGS, COLUMNS, strict=True)
    )
    groups = "".join(
        _score_group(domain, [row for row in rows if row.domain == domain], tasks, hidden)
        for domain in domains
    )
    depth = next((task for task in tasks if isinstance(task, Depth)), None)
    words = {
        "unit": f", in {_unit(depth)}" if depth else "",
        # Relative scores do not count flat ground.
        "above": f" where that is above {depth.relative_above:g} {depth.unit}" if depth else "",
    }
    meanings = "".join(
        f"<div><dt>{heading}</dt><dd>{escape(MEANINGS[column].format(**words))}</dd></div>"
        for heading, column in zip(HEADINGS, COLUMNS, strict=True)
    )
    kinds: dict[Kind, str] = {"segmentation": "classes", "depth": "values"}
    names = kinds | {task.kind: spoken(task.name) for task in tasks}
    methods_met = dict.fromkeys(row.method for row in rows)
    systems = "".join(
        f"<div><dt>{method}</dt><dd>{escape(METHODS[method].format(**names))}</dd></div>"
        for method in methods_met
        if method in METHODS
    )
    return (
        f'<div class="scroll card"><table class="scores"><thead><tr><th scope="col">method</th>'
        f"{heads}</tr></thead>{groups}</table></div>"
        f'<dl class="columns">{meanings}</dl>'
        f'<dl class="columns wide">{systems}</dl>{_classes(rows, tasks, hidden)}'
    )


def _score_group(
    domain: str, rows: Sequence[Row], tasks: Sequence[Task], hidden: Mapping[str, frozenset[str]]
) -> str:
    """One domain's rows under its name."""
    unseen = hidden.get(domain, frozenset())
    tinted = {c for task in tasks if task.name in unseen for c in TASK_COLUMNS[task.kind]}
    best = [_best(rows, column) for column in COLUMNS]
    lines = [_group_head(domain, tasks, unseen, len(COLUMNS) + 1)]
    for row in rows:
        values = [_competing(row, column) for column in COLUMNS]
        cells = "".join(
            f"<td{MARK if column in tinted else ''}>"
            f"{f'<strong>{cell}</strong>' if value == top else cell}</td>"
            for column, value, cell, top in zip(COLUMNS, values, row.cells(), best, strict=True)
        )
        lines.append(f'<tr><th scope="row">{escape(row.method)}</th>{cells}</tr>')
    return f"<tbody>{''.join(lines)}</tbody>"


def _group_head(domain: str, tasks: Sequence[Task], unseen: frozenset[str], width: int) -> str:
    names = " and ".join(spoken(task.name) for task in tasks if task.name in unseen)
    note = f" <span>{escape(names)}: {HIDDEN}</span>" if names else ""
    return (
        f'<tr class="group"><th colspan="{width}" scope="colgroup">'
        f"{escape(spoken(domain))}{note}</th></tr>"
    )


def _best(rows: Sequence[Row], column: str) -> float | None:
    """The best score of a column, where there is a choice."""
    values = [_competing(row, column) for row in rows]
    known = [value for value in values if not math.isnan(value)]
    if len(known) < 2:
        return None
    return min(known) if column in LOWER_IS_BETTER else max(known)


def _competing(row: Row, column: str) -> float:
    """A score that may be the best; NaN if there is none, or it is ΔM's point of reference."""
    if column == "gain" and row.method in BASELINES:
        return math.nan
    return row.scores.get(column, math.nan)


def _better(column: str) -> str:
    return "↓" if column in LOWER_IS_BETTER else "↑"


def _unit(task: Depth) -> str:
    return "metres" if task.unit == "m" else task.unit


def _classes(
    rows: Sequence[Row], tasks: Sequence[Task], hidden: Mapping[str, frozenset[str]]
) -> str:
    """IoU per class, for the rows that have it."""
    rows = [row for row in rows if row.classes]
    if not rows:
        return ""
    segmentation = [task for task in tasks if isinstance(task, Segmentation)]
    names = list(dict.fromkeys(name for row in rows for name in row.classes))
    colors = {n: c for task in segmentation for n, c in zip(task.classes, task.colors, strict=True)}
    heads = "".join(
        f'<th scope="col">{swatch(colors.get(name))}{escape(name)}</th>' for name in names
    )
    groups = ""
    for domain in dict.fromkeys(row.domain for row in rows):
        unseen = hidden.get(domain, frozenset())
        shown = frozenset(task.name for task in segmentation) & unseen
        lines = [_group_head(domain, segmentation, unseen, len(names) + 1)]
        for row in (row for row in rows if row.domain == domain):
            values = [row.classes.get(name, math.nan) for name in names]
            cells = "".join(
                f"<td{MARK if shown else ''}>{'-' if math.isnan(v) else f'{v:.1f}'}</td>"
                for v in values
            )
            lines.append(f'<tr><th scope="row">{escape(row.method)}</th>{cells}</tr>')
        groups += f"<tbody>{''.join(lines)}</tbody>"
    return (
        f'<h3>Overlap (IoU) of each class, in percent</h3><div class="scroll card">'
        f'<table class="classes"><thead><tr><th scope="col">method</th>{heads}</tr></thead>'
        f"{groups}</table></div>"
    )


def swatch(color: Sequence[int] | None) -> str:
    """A little square of a class's colour."""
    if color is None:
        return ""
    return f'<i class="swatch" style="background: rgb({color[0]}, {color[1]}, {color[2]})"></i>'
