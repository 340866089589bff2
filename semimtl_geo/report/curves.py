"""Learning curves as small SVG charts, from the CSV logs of training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from semimtl_geo.report.drawing import inline_svg, new_figure, page_color
from semimtl_geo.report.example_scene import humanize
from semimtl_geo.tasks import Task

MOST_POINTS: Final = 400
"""Points of a line, so that a long run does not make a large page."""

ADVERSARY: Final = (
    "Alignment: cross entropy between the discriminator's output and the source that predictions "
    "should pass for; lower means that the generator fools it. Discriminator: cross entropy for "
    "each true source; uniform guessing among three sources gives ln 3 ≈ 1.10."
)

Columns = dict[str, pd.Series]
"""Logged values by column, indexed by step."""
Line = tuple[str, str, pd.Series]
"""Label, name of the colour on the page, values by step."""

CITY_COLORS: Final = ("a", "b", "c4", "c5")
"""Colours of domains on the page, those of the diagram of the method; ground truth is green."""


def read_metrics(path: Path) -> Columns:
    """Read the columns of a ``metrics.csv`` that have finite values, without empty cells."""
    table = pd.read_csv(path).apply(pd.to_numeric, errors="coerce")
    table = table.replace([np.inf, -np.inf], np.nan).dropna(subset="step").set_index("step")
    columns = {str(name): values.dropna() for name, values in table.items() if name != "epoch"}
    return {name: values for name, values in columns.items() if len(values)}


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
            stem, where = f"train/{domain}/{task.name}/", humanize(domain)
            color = CITY_COLORS[number % len(CITY_COLORS)]
            alignment += [
                (f"{where}, {labels}", color, columns[stem + key])
                for key, labels in (("intra", "labels"), ("inter", "no labels"))
                if stem + key in columns
            ]
            discriminator += [
                (f"{what} {where}", shade, columns[f"{stem}discriminator/{key}"])
                for key, what, shade in (
                    ("truth", "truth of", "green"),
                    ("prediction", "prediction on", color),
                )
                if f"{stem}discriminator/{key}" in columns
            ]
        for what, lines in (("alignment", alignment), ("discriminator", discriminator)):
            if lines:
                charts.append(_chart(f"{humanize(task.name).capitalize()}: {what}", "loss", lines))
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
                charts.append(_chart(_title(domain, task), unit, lines, smooth=False))
    return charts


def _of_systems(runs: Mapping[str, Columns], name: str) -> list[Line]:
    """Return the lines of one column of all runs; a system has the same colour in all charts."""
    return [
        (title, f"c{number % 9}", columns[name])
        for number, (title, columns) in enumerate(runs.items())
        if name in columns
    ]


def _domains(runs: Mapping[str, Columns], task: Task, suffix: str) -> list[str]:
    """Return the domains for which a run logged a task, in alphabetical order."""
    names = (name for columns in runs.values() for name in columns if name.endswith(suffix))
    split = (name.split("/") for name in names)
    return sorted({parts[1] for parts in split if len(parts) > 3 and parts[2] == task.name})


def _title(domain: str, task: Task) -> str:
    return f"{humanize(domain)}: {humanize(task.name)}"


def _chart(title: str, unit: str, lines: Sequence[Line], smooth: bool = True) -> str:
    """Return a chart from zero to the highest value, with its heading and legend."""
    figure = new_figure(4.8, 2.1, dpi=100)
    axes = figure.subplots()
    top = 0.0
    for _, color, values in lines:
        values = _thin(values)
        style: dict[str, Any] = {
            "color": page_color(color),
            "marker": "o" if len(values) == 1 else "",
        }
        if smooth:
            axes.plot(values, **style, linewidth=1, alpha=0.25)
            # A tenth of the line, centred; fewer points at its ends.
            window = 2 * (len(values) // 20) + 1
            values = values.rolling(window, center=True, min_periods=1).mean()
        axes.plot(values, **style, linewidth=2)
        # Peaks of the first steps would flatten everything else.
        top = max(top, 1.15 * float(values.quantile(0.99)) if smooth else float(values.max()))
    axes.set(xlim=(0, None), ylim=(0, max(top, 1e-9)), xlabel="iteration")
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="y", color=page_color("line"))
    axes.tick_params(length=0, colors=page_color("soft"))
    axes.xaxis.label.set_color(page_color("soft"))
    axes.set_frame_on(False)
    legend = "".join(
        f'<span><i style="background: var(--{color})"></i>{escape(label)}</span>'
        for label, color, _ in lines
    )
    drawing = inline_svg(figure, f"{title}, {unit} by iteration")
    return (
        f'<figure class="chart card"><b>{escape(title)}, {escape(unit)}</b>{drawing}'
        f"<figcaption>{legend}</figcaption></figure>"
    )


def _thin(values: pd.Series) -> pd.Series:
    """Average neighbouring points."""
    chunk = np.arange(len(values)) // math.ceil(len(values) / MOST_POINTS)
    table = pd.DataFrame({"step": values.index, "value": values.to_numpy()}).groupby(chunk).mean()
    return table.set_index("step")["value"]
