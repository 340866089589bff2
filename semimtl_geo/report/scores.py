"""Tables of scores on the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from semimtl_geo.compare.table import BASELINES, COLUMNS, SCORES, Row
from semimtl_geo.learning.systems import SYSTEMS
from semimtl_geo.report.thumbnails import HIDDEN, display_name
from semimtl_geo.tasks import Score, Task
from tiles.types import LabelKind

MARK: Final = f' class="hidden" title="{HIDDEN}"'


def score_tables(
    rows: Sequence[Row], tasks: Sequence[Task], hidden: Mapping[str, frozenset[str]]
) -> str:
    """Return the scores, the IoU per class, and the meaning of columns and methods.

    Args:
        rows: One per system and domain.
        tasks: The mapped tasks.
        hidden: Names of the tasks without labels in training, by domain.

    Returns:
        HTML.
    """
    domains = list(dict.fromkeys(row.domain for row in rows))
    heads = "".join(
        f'<th scope="col">{score.heading}<span class="arrow">'
        f"{'↓' if score.lower_is_better else '↑'}</span></th>"
        for score in SCORES
    )
    groups = "".join(
        _score_group(domain, [row for row in rows if row.domain == domain], tasks, hidden)
        for domain in domains
    )
    meanings = "".join(
        f"<div><dt>{score.heading}</dt><dd>{escape(_meaning(score, tasks))}</dd></div>"
        for score in SCORES
    )
    kinds: dict[LabelKind, str] = {"classes": "classes", "values": "values"}
    names = kinds | {task.label_kind: display_name(task.name) for task in tasks}
    descriptions = {system.title: system.description for system in SYSTEMS.values()}
    methods_met = dict.fromkeys(row.method for row in rows)
    systems = "".join(
        f"<div><dt>{method}</dt><dd>{escape(descriptions[method].format(**names))}</dd></div>"
        for method in methods_met
        if method in descriptions
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
    """Return the rows of a domain under its name."""
    unseen = hidden.get(domain, frozenset())
    tinted = {score.name for task in tasks if task.name in unseen for score in task.main_scores}
    best = [_best(rows, score) for score in SCORES]
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
    names = " and ".join(display_name(task.name) for task in tasks if task.name in unseen)
    note = f" <span>{escape(names)}: {HIDDEN}</span>" if names else ""
    return (
        f'<tr class="group"><th colspan="{width}" scope="colgroup">'
        f"{escape(display_name(domain))}{note}</th></tr>"
    )


def _meaning(score: Score, tasks: Sequence[Task]) -> str:
    """Describe a score in the words of the first task that has it."""
    described = (task.describe_score(score) for task in tasks if score in task.main_scores)
    return next(described, score.describe())


def _best(rows: Sequence[Row], score: Score) -> float | None:
    """Return the best score of a column that has several."""
    values = [_competing(row, score.name) for row in rows]
    known = [value for value in values if not math.isnan(value)]
    if len(known) < 2:
        return None
    return min(known) if score.lower_is_better else max(known)


def _competing(row: Row, column: str) -> float:
    """Return a score that may be the best; NaN if it is missing or the reference of ΔM."""
    if column == "gain" and row.method in BASELINES:
        return math.nan
    return row.scores.get(column, math.nan)


def _classes(
    rows: Sequence[Row], tasks: Sequence[Task], hidden: Mapping[str, frozenset[str]]
) -> str:
    """Return the IoU per class for the rows that have it."""
    rows = [row for row in rows if row.classes]
    if not rows:
        return ""
    with_classes = [task for task in tasks if task.class_colors]
    names = list(dict.fromkeys(name for row in rows for name in row.classes))
    colors = {name: color for task in with_classes for name, color in task.class_colors.items()}
    heads = "".join(
        f'<th scope="col">{swatch(colors.get(name))}{escape(name)}</th>' for name in names
    )
    groups = ""
    for domain in dict.fromkeys(row.domain for row in rows):
        unseen = hidden.get(domain, frozenset())
        shown = frozenset(task.name for task in with_classes) & unseen
        lines = [_group_head(domain, with_classes, unseen, len(names) + 1)]
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
    """Return a small square in the colour of a class."""
    if color is None:
        return ""
    return f'<i class="swatch" style="background: rgb({color[0]}, {color[1]}, {color[2]})"></i>'
