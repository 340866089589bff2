"""Learning curves as small SVG charts, from the CSV logs of training."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.ticker import MaxNLocator

from semimtl_geo.report.thumbnails import display_name
from semimtl_geo.tasks import Task

WIDTH: Final = 480
HEIGHT: Final = 210
LEFT: Final = 42
RIGHT: Final = 10
TOP: Final = 10
BOTTOM: Final = 30
MOST_POINTS: Final = 400

ADVERSARY: Final = (
    "Alignment: how surprised the discriminator is to be told that a prediction is what it shall "
    "pass for; lower means that the generator fools it. Discriminator: its own loss for each of "
    "its sources; one that only guesses among three stands at ln 3 ≈ 1.10."
)

Points = list[tuple[float, float]]
Columns = dict[str, Points]
Line = tuple[str, str, Points]
"""Label, style of the colour, points."""

CITY_COLORS: Final = ("ka", "kb", "k4", "k5")
"""As in the drawing of the method, where ground truth is ``kt``."""


def read_metrics(path: Path) -> Columns:
    """Read the lines of a ``metrics.csv``, without empty cells: ``{column: [(step, value)]}``."""
    columns: Columns = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            step = _number(row.get("step"))
            for name, cell in row.items():
                value = _number(cell)
                if name not in ("step", "epoch") and step is not None and value is not None:
                    columns.setdefault(name, []).append((step, value))
    return columns


def curves_section(curves: Mapping[str, Path], tasks: Sequence[Task]) -> str:
    """Return all charts: supervised losses, adversary and validation scores."""
    runs = {title: read_metrics(path) for title, path in curves.items()}
    groups = [
        (
            "Where labels exist: supervised losses",
            "Pale lines are single logged steps, strong lines their running mean.",
            _supervised(runs, tasks),
        )
    ]
    adversaries = [
        title for title, columns in runs.items() if any(name.endswith("/inter") for name in columns)
    ]
    chosen = [title for title in adversaries if title.startswith("SemiMTL")] or adversaries
    groups += [
        (f"The adversary of {title}", ADVERSARY, _adversary(runs[title], tasks)) for title in chosen
    ]
    note = "On validation scenes, where labels may be used."
    groups.append(("Scores while training", note, _scores(runs, tasks)))
    parts = [
        f'<h3>{escape(title)}</h3><p class="note">{note}</p>'
        f'<div class="charts">{"".join(charts)}</div>'
        for title, note, charts in groups
        if charts
    ]
    return "\n".join(parts)


def _supervised(runs: Mapping[str, Columns], tasks: Sequence[Task]) -> list[str]:
    charts = []
    for task in tasks:
        for domain in _domains(runs, task, "/supervised"):
            name = f"train/{domain}/{task.name}/supervised"
            lines = _of_systems(runs, name)
            charts.append(_chart(_title(domain, task), "loss", lines))
    return charts


def _adversary(columns: Columns, tasks: Sequence[Task]) -> list[str]:
    charts = []
    for task in tasks:
        alignment: list[Line] = []
        discriminator: list[Line] = []
        for number, domain in enumerate(_domains({"": columns}, task, "")):
            stem, where = f"train/{domain}/{task.name}/", display_name(domain)
            color = CITY_COLORS[number % len(CITY_COLORS)]
            alignment += [
                (f"{where}, {labels}", color, columns[stem + key])
                for key, labels in (("intra", "labels"), ("inter", "no labels"))
                if stem + key in columns
            ]
            discriminator += [
                (f"{what} {where}", shade, columns[f"{stem}discriminator/{key}"])
                for key, what, shade in (
                    ("truth", "truth of", "kt"),
                    ("prediction", "prediction on", color),
                )
                if f"{stem}discriminator/{key}" in columns
            ]
        for what, lines in (("alignment", alignment), ("discriminator", discriminator)):
            if lines:
                charts.append(
                    _chart(f"{display_name(task.name).capitalize()}: {what}", "loss", lines)
                )
    return charts


def _scores(runs: Mapping[str, Columns], tasks: Sequence[Task]) -> list[str]:
    charts = []
    for task in tasks:
        score = task.headline
        unit = f"{score.heading}, {task.score_unit(score)}"
        for domain in _domains(runs, task, f"/{score.name}"):
            name = f"val/{domain}/{task.name}/{score.name}"
            lines = _of_systems(runs, name)
            if lines:
                charts.append(_chart(f"{_title(domain, task)}, {unit}", unit, lines, smooth=False))
    return charts


def _of_systems(runs: Mapping[str, Columns], name: str) -> list[Line]:
    """Return the lines of one column of all runs; a system has the same colour in all charts."""
    return [
        (title, f"k{number % 9}", columns[name])
        for number, (title, columns) in enumerate(runs.items())
        if name in columns
    ]


def _domains(runs: Mapping[str, Columns], task: Task, suffix: str) -> list[str]:
    """Return the domains for which a run logged a task, in alphabetical order."""
    names = (name for columns in runs.values() for name in columns if name.endswith(suffix))
    split = (name.split("/") for name in names)
    return sorted({parts[1] for parts in split if len(parts) > 3 and parts[2] == task.name})


def _title(domain: str, task: Task) -> str:
    return f"{display_name(domain)}: {display_name(task.name)}"


def _chart(title: str, unit: str, lines: Sequence[Line], smooth: bool = True) -> str:
    """Return a chart from zero to a round number above the lines."""
    shown = [(label, color, _thin(points)) for label, color, points in lines]
    means = [_running_mean(points) if smooth else points for _, _, points in shown]
    steps = [step for points in means for step, _ in points]
    values = [value for points in means for _, value in points]
    # Peaks of the first steps would flatten everything else, so lines are clipped.
    top = max(values) if not smooth else 1.15 * float(np.percentile(values, 99))
    rows = [v for v in MaxNLocator(4).tick_values(0, max(top, 1e-9)) if v >= 0]
    high, last = max(rows[-1], 1e-9), max(*steps, 1.0)
    ticks = [v for v in MaxNLocator(4, integer=True).tick_values(0, last) if 0 <= v <= last]

    def place(step: float, value: float) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * step / last
        down = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(max(value / high, 0.0), 1.0)
        return across, down

    parts = []
    for value in rows:
        _, y = place(0, value)
        parts.append(f'<path class="grid" d="M{LEFT},{y:.1f} H{WIDTH - RIGHT}"/>')
        parts.append(_text(LEFT - 6, y + 4, f"{value:g}", "end"))
    for step in ticks:
        x, _ = place(step, 0)
        parts.append(_text(x, HEIGHT - BOTTOM + 15, f"{step:g}", "middle"))
    parts.append(_text(WIDTH - RIGHT, HEIGHT - 3, "iteration", "end"))
    for (_, color, points), mean in zip(shown, means, strict=True):
        for style, path in (("raw ", points if smooth else []), ("", mean)):
            placed = [place(*point) for point in path]
            if len(placed) == 1:  # A line needs two ends.
                placed.append((placed[0][0] - 4, placed[0][1]))
            where = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
            if placed:
                parts.append(f'<polyline class="{style}{color}" points="{where}"/>')
    legend = "".join(
        f'<span><i class="{color}"></i>{escape(label)}</span>' for label, color, _ in shown
    )
    return (
        f'<figure class="chart card"><b>{escape(title)}</b>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}, {escape(unit)} by iteration">{"".join(parts)}</svg>'
        f"<figcaption>{legend}</figcaption></figure>"
    )


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>'


def _thin(points: Points) -> Points:
    """Average neighbouring points, so that a long run does not make a large page."""
    size = math.ceil(len(points) / MOST_POINTS)
    chunks = [points[start : start + size] for start in range(0, len(points), size)]
    return [(_mean([s for s, _ in chunk]), _mean([v for _, v in chunk])) for chunk in chunks]


def _running_mean(points: Points) -> Points:
    """Return the centred moving average over a tenth of the line, over fewer points at its ends."""
    reach = len(points) // 20
    values = [value for _, value in points]
    return [
        (step, _mean(values[max(0, i - reach) : i + reach + 1]))
        for i, (step, _) in enumerate(points)
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _number(cell: str | None) -> float | None:
    """Return the finite number in a cell, if it has one."""
    try:
        value = float(cell or "nan")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
