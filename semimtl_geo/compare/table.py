"""The rows of the paper's tables: systems side by side, on each domain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import pandas as pd

from semimtl_geo.learning.systems import SYSTEMS
from semimtl_geo.mapping.evaluation import Scores
from semimtl_geo.tasks import Depth, InverseDepth, Segmentation
from semimtl_geo.tasks.scores import GAIN, multi_task_gain

SCORES: Final = (*Segmentation.main_scores, *Depth.main_scores, GAIN)
"""The scores of the paper's tables: those of its two tasks, and ΔM."""
FURTHER: Final = tuple(
    dict.fromkeys(
        (*Segmentation.further_scores, *Depth.further_scores, *InverseDepth.further_scores)
    )
)
"""Scores that the paper's tables do not have; they are on the page, and in the CSV."""
COLUMNS: Final = tuple(score.name for score in SCORES)
ALL_COLUMNS: Final = (*COLUMNS, *(score.name for score in FURTHER))
HEADINGS: Final = tuple(score.heading for score in SCORES)
DECIMALS: Final = tuple(score.decimals for score in SCORES)
BASELINES: Final = (SYSTEMS["stl_seg"].title, SYSTEMS["stl_depth"].title)
"""The single-task networks, which gain 0 by definition: ΔM is taken against them."""


@dataclass(frozen=True)
class Row:
    """Scores of one system on one domain.

    Attributes:
        domain: Domain of the evaluation.
        method: The system's name in the table.
        scores: Scores by column, means over seeds; missing ones were not evaluated.
        classes: IoU in percent, by class.
        deviations: Standard deviation over seeds (of a sample), by column.

    Example:
        >>> Row("city_b", "JTL", {"mIoU": 61.84, "RMSE": 1.5}, {"building": 70.1}).cell("mIoU", 2)
        '61.84'
    """

    domain: str
    method: str
    scores: Mapping[str, float]
    classes: Mapping[str, float] = field(default_factory=dict)
    deviations: Mapping[str, float] = field(default_factory=dict)

    def cells(self) -> list[str]:
        """Return the scores as text, in the order of :data:`COLUMNS`."""
        return [
            self.cell(column, decimals) for column, decimals in zip(COLUMNS, DECIMALS, strict=True)
        ]

    def cell(self, column: str, decimals: int) -> str:
        """Return a score as text, with its deviation; a hyphen if there is none."""
        value = self.scores.get(column, math.nan)
        if math.isnan(value):
            return "-"
        text = f"{value:{'+' if column == 'gain' else ''}.{decimals}f}"
        if column in self.deviations:
            text += f" ± {self.deviations[column]:.{decimals}f}"
        return text


def make_row(domain: str, method: str, scores: Scores) -> Row:
    """Collect the scores of all tasks of one system on one domain.

    There is one column per score; if several tasks have it, the first one's value counts.

    Example:
        >>> scores = {"landcover": {"mIoU": 50.0, "IoU/tree": 40.0}, "height": {"RMSE": 2.0}}
        >>> make_row("city_b", "JTL", scores).classes
        {'tree': 40.0}
    """
    flat: dict[str, float] = {}
    for task in scores.values():
        flat = {**task, **flat}
    return Row(
        domain,
        method,
        {column: flat[column] for column in ALL_COLUMNS if column in flat},
        {
            name.removeprefix("IoU/"): value
            for name, value in flat.items()
            if name.startswith("IoU/")
        },
    )


def with_gains(rows: Sequence[Row], baselines: Sequence[str]) -> list[Row]:
    """Add ΔM (equation 10) to the rows that have both mIoU and RMSE.

    Args:
        rows: All systems on all domains, of one seed.
        baselines: Methods of the single-task networks, such as :data:`BASELINES`.

    Returns:
        The rows in the same order.

    Example:
        >>> alone = [Row("a", "STL_Seg", {"mIoU": 50.0}), Row("a", "STL_Depth", {"RMSE": 2.0})]
        >>> rows = with_gains([*alone, Row("a", "JTL", {"mIoU": 55.0, "RMSE": 1.8})], BASELINES)
        >>> round(rows[-1].scores["gain"], 1)
        10.0
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
        elif len(own) == 2 and own.keys() == baseline.keys() and all(baseline.values()):
            scores["gain"] = multi_task_gain(own, baseline)
        result.append(replace(row, scores=scores))
    return result


def average(seeds: Sequence[Sequence[Row]]) -> list[Row]:
    """Average the rows of several seeds, with standard deviations.

    Args:
        seeds: The rows of each seed, gains included.

    Returns:
        One row per domain and method, in the order in which they are first met.

    Example:
        >>> seeds = [[Row("a", "JTL", {"RMSE": 1.0})], [Row("a", "JTL", {"RMSE": 3.0})]]
        >>> average(seeds)[0].scores["RMSE"]
        2.0
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in (row for rows in seeds for row in rows):
        groups.setdefault((row.domain, row.method), []).append(row)
    result = []
    for key, rows in groups.items():
        scores = pd.DataFrame([row.scores for row in rows], columns=[*ALL_COLUMNS], dtype=float)
        classes = pd.DataFrame([row.classes for row in rows], dtype=float)
        deviations = scores.std()
        if not scores["gain"].any():  # A score that is 0 by definition has no deviation.
            deviations["gain"] = math.nan
        means = (scores.mean().dropna(), classes.mean(), deviations.dropna())
        result.append(Row(*key, *({str(k): float(v) for k, v in m.items()} for m in means)))
    return result


def counted_classes(rows: Sequence[Row]) -> list[str]:
    """Return in words the number of classes over which each mIoU is averaged.

    A class that occurs neither in truth nor in prediction has no IoU and does not count.
    """
    sentences = []
    for domain in dict.fromkeys(row.domain for row in rows):
        counts: dict[tuple[int, int], list[str]] = {}
        for row in rows:
            if row.domain == domain and row.classes:
                count = sum(not math.isnan(value) for value in row.classes.values())
                counts.setdefault((count, len(row.classes)), []).append(row.method)
        common = max(counts, key=lambda key: len(counts[key]), default=None)
        if common is not None:
            others = "".join(
                f"; {key[0]} for {', '.join(methods)}"
                for key, methods in counts.items()
                if key != common
            )
            sentences.append(f"{domain}: mIoU over {common[0]} of {common[1]} classes{others}.")
    return sentences
