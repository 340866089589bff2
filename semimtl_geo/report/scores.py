"""Tables of scores on the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from semimtl_geo.compare.table import BASELINES, FURTHER, SCORES, Row
from semimtl_geo.learning.systems import SYSTEMS
from semimtl_geo.report.example_scene import HIDDEN, humanize
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
    kinds: dict[LabelKind, str] = {"classes": "classes", "values": "values"}
    names = kinds | {task.label_kind: humanize(task.name) for task in tasks}
    descriptions = {system.title: system.description for system in SYSTEMS.values()}
    methods_met = dict.fromkeys(row.method for row in rows)
    systems = "".join(
        f"<div><dt>{method}</dt><dd>{escape(descriptions[method].format(**names))}</dd></div>"
        for method in methods_met
        if method in descriptions
    )
    return (
        f"{_table_of_scores(rows, SCORES, tasks, hidden)}{_meanings(SCORES, tasks)}"
        f'<dl class="columns wide">{systems}</dl>'
        f"{_further(rows, tasks, hidden)}{_classes(rows, tasks, hidden)}"
    )


def _table_of_scores(
    rows: Sequence[Row],
    scores: Sequence[Score],
    tasks: Sequence[Task],
    hidden: Mapping[str, frozenset[str]],
) -> str:
    """Return a table with a column per score, the best of each domain in bold."""
    heads = "".join(
        f'<th scope="col">{score.heading}<span class="arrow">'
        f"{'↓' if score.lower_is_better else '↑'}</span></th>"
        for score in scores
    )
    groups = ""
    for domain, of_domain in _by_domain(rows):
        unseen = hidden.get(domain, frozenset())
        tinted = {
            score
            for task in tasks
            if task.name in unseen
            for score in (*task.main_scores, *task.further_scores)
        }
        best = {score: _best(of_domain, score) for score in scores}
        lines = [_group_head(domain, tasks, unseen, len(scores) + 1)]
        for row in of_domain:
            cells = ""
            for score in scores:
                text = row.cell(score.name, score.decimals)
                if _competing(row, score.name) == best[score]:
                    text = f"<strong>{text}</strong>"
                cells += f"<td{MARK if score in tinted else ''}>{text}</td>"
            lines.append(f'<tr><th scope="row">{escape(row.method)}</th>{cells}</tr>')
        groups += f"<tbody>{''.join(lines)}</tbody>"
    return _table("scores", heads, groups)


def _further(
    rows: Sequence[Row], tasks: Sequence[Task], hidden: Mapping[str, frozenset[str]]
) -> str:
    """Return the scores that the paper does not have, as far as they were measured."""
    measured = {name for row in rows for name in row.scores}
    scores = [score for score in FURTHER if score.name in measured]
    if not scores:
        return ""
    table = _table_of_scores(rows, scores, tasks, hidden)
    return f"<h3>Further scores</h3>{table}{_meanings(scores, tasks)}"


def _by_domain(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    domains = dict.fromkeys(row.domain for row in rows)
    return [(domain, [row for row in rows if row.domain == domain]) for domain in domains]


def _table(kind: str, heads: str, groups: str) -> str:
    return (
        f'<div class="scroll card"><table class="{kind}"><thead><tr><th scope="col">method</th>'
        f"{heads}</tr></thead>{groups}</table></div>"
    )


def _meanings(scores: Sequence[Score], tasks: Sequence[Task]) -> str:
    meanings = "".join(
        f"<div><dt>{score.heading}</dt><dd>{escape(_meaning(score, tasks))}</dd></div>"
        for score in scores
    )
    return f'<dl class="columns">{meanings}</dl>'


def _group_head(domain: str, tasks: Sequence[Task], unseen: frozenset[str], width: int) -> str:
    names = " and ".join(humanize(task.name) for task in tasks if task.name in unseen)
    note = f" <span>{escape(names)}: {HIDDEN}</span>" if names else ""
    return (
        f'<tr class="group"><th colspan="{width}" scope="colgroup">'
        f"{escape(humanize(domain))}{note}</th></tr>"
    )


def _meaning(score: Score, tasks: Sequence[Task]) -> str:
    """Describe a score in the words of the first task that has it."""
    described = (
        task.describe_score(score)
        for task in tasks
        if score in (*task.main_scores, *task.further_scores)
    )
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
    for domain, of_domain in _by_domain(rows):
        unseen = hidden.get(domain, frozenset())
        shown = frozenset(task.name for task in with_classes) & unseen
        lines = [_group_head(domain, with_classes, unseen, len(names) + 1)]
        for row in of_domain:
            values = [row.classes.get(name, math.nan) for name in names]
            cells = "".join(
                f"<td{MARK if shown else ''}>{'-' if math.isnan(v) else f'{v:.1f}'}</td>"
                for v in values
            )
            lines.append(f'<tr><th scope="row">{escape(row.method)}</th>{cells}</tr>')
        groups += f"<tbody>{''.join(lines)}</tbody>"
    return f"<h3>Overlap (IoU) of each class, in percent</h3>{_table('classes', heads, groups)}"


def swatch(color: Sequence[int] | None) -> str:
    """Return a small square in the colour of a class."""
    if color is None:
        return ""
    return f'<i class="swatch" style="background: rgb({color[0]}, {color[1]}, {color[2]})"></i>'
