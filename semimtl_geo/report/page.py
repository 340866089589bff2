"""Self-contained HTML page with the results of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Final

from semimtl_geo.compare import Row
from semimtl_geo.report.curves import curves_section
from semimtl_geo.report.scores import score_tables, swatch
from semimtl_geo.report.thumbnails import (
    HIDDEN,
    ExampleScene,
    data_uri,
    display_name,
    image_thumbnail,
    map_thumbnail,
    methods,
    tops,
)
from semimtl_geo.tasks import Task
from tiles.files import write_text
from tiles.maps.qgis import RAMP

Section = tuple[str, str, str]
"""Heading, text and body, in HTML."""

EDGE: Final = 420
"""The longer edge of a figure on the page, in pixels."""
MOST_FIGURES: Final = 80
"""With more figures than this each is made smaller, so that the page stays below some 8 MB."""
WIDEST: Final = 7
"""Figures side by side on the page."""


def write_report(
    path: Path,
    *,
    title: str,
    lead: str,
    rows: Sequence[Row],
    curves: Mapping[str, Path],
    panels: Sequence[ExampleScene],
    tasks: Sequence[Task],
    findings: Sequence[str],
    facts: Mapping[str, str],
    opening: Sequence[Section] = (),
    closing: Sequence[Section] = (),
) -> None:
    """Write a page that holds its styles and images and loads nothing.

    Sections without content are left out. The file is written atomically.

    Args:
        path: The page.
        title: Heading of the page.
        lead: Introduction in HTML.
        rows: Scores; rows of one domain become one group, in the order of its first row.
        curves: Lightning's ``metrics.csv`` by the title of its system.
        panels: Scenes to show. Their ``hidden`` also marks scores of domains with the same name.
        tasks: The mapped tasks.
        findings: Sentences that say what came out.
        facts: Facts on the comparison, such as versions, seeds and seconds.
        opening: Sections before these.
        closing: Sections after them.

    Example:
        >>> write_report(
        ...     Path("report.html"), title="Heights", lead="", rows=[], curves={}, panels=[],
        ...     tasks=[], findings=["Small differences may be chance."], facts={"seed": "0"},
        ... )
        >>> "chance" in Path("report.html").read_text(encoding="utf-8")
        True
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = {panel.domain: frozenset(panel.hidden) for panel in panels}
    sections = list(opening)
    if rows:
        text = (
            "On scenes that no network was trained on. Bold is the best of a column; "
            '<span class="tint">tinted</span> scores are of tasks whose labels were never seen in '
            "training, in that place."
        )
        sections.append(("Scores", text, score_tables(rows, tasks, hidden)))
    if panels:
        text = "What the image shows, what is true, and what each method makes of it."
        sections.append(("Maps", text, _panels(panels, tasks)))
    if charts := curves_section(curves, tasks):
        sections.append(("Training", "", charts))
    if facts:
        sections.append(("How it was made", "", _facts(facts)))
    sections += closing
    page = Template(resources.files("semimtl_geo.report").joinpath("page.html").read_text("utf-8"))
    html = page.substitute(
        title=escape(title),
        lead=lead,
        findings=_findings(findings),
        ramp=", ".join("rgb({}, {}, {})".format(*color) for color in RAMP),
        sections="\n".join(
            f"<section><h2>{name}</h2>{f'<p>{text}</p>' if text else ''}\n{body}\n</section>"
            for name, text, body in sections
        ),
    )
    write_text(path, html)


def _findings(findings: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in findings)
    return f'<ol class="findings">{items}</ol>' if items else ""


def _panels(panels: Sequence[ExampleScene], tasks: Sequence[Task]) -> str:
    """Return every scene as one row of images per task."""
    count = sum(1 + len(p.truth) + sum(map(len, p.maps.values())) for p in panels)
    edge = round(EDGE * min(1.0, (MOST_FIGURES / count) ** 0.5))
    high = tops(panels, tasks)
    columns = 2 + max((len(methods(panels, task)) for task in tasks), default=0)
    columns = min(columns, WIDEST)
    parts = []
    for panel in panels:
        where = escape(display_name(panel.domain))
        parts.append(
            f'<article class="panel card"><h3>{where}'
            f'<span class="file">{escape(panel.image.stem)}</span></h3>'
        )
        for number, task in enumerate(tasks):
            unseen = task.name in panel.hidden
            first = (
                _figure(data_uri(image_thumbnail(panel.image, edge)), "image", f"{where}, image")
                if number == 0
                else _key(tasks, high)
            )
            files = {"truth": panel.truth[task.name]} if task.name in panel.truth else {}
            files |= {
                name: maps[task.name] for name, maps in panel.maps.items() if task.name in maps
            }
            name = display_name(task.name)
            caption = f"{name[:1].upper()}{name[1:]}"
            figures = "".join(
                _figure(
                    data_uri(map_thumbnail(file, task, high.get(task.name), edge)),
                    escape(label),
                    f"{where}, {escape(name)}, {escape(label)}",
                )
                for label, file in files.items()
            )
            note = HIDDEN if unseen else "labels used in training"
            parts.append(
                f'<div class="layer{" hidden" if unseen else ""}" style="--columns: {columns}">'
                f"<p>{escape(caption)}<span>{note}</span></p>{first}{figures}</div>"
            )
        if len(tasks) == 1:
            parts.append(_key(tasks, high))
        parts.append("</article>")
    return "".join(parts)


def _figure(uri: str, label: str, alt: str) -> str:
    return f'<figure><img src="{uri}" alt="{alt}"/><figcaption>{label}</figcaption></figure>'


def _key(tasks: Sequence[Task], high: Mapping[str, float]) -> str:
    """Return the legend."""
    parts = []
    for task in tasks:
        legend = task.legend(high.get(task.name))
        items = "".join(
            f"<li>{swatch(color)}{escape(name)}</li>" for name, color in legend.swatches.items()
        )
        if items:
            parts.append(f"<ul>{items}</ul>")
        for ramp in legend.ramps:
            top, unit = ramp.high, escape(ramp.unit)
            ticks = "".join(f"<span>{value:g} {unit}</span>" for value in (top, top / 2, 0))
            parts.append(f'<div class="bar"><i></i><div>{ticks}</div></div>')
    return f'<div class="key">{"".join(parts)}</div>'


def _facts(facts: Mapping[str, str]) -> str:
    items = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
    return f'<dl class="facts card">{items}</dl>'
