"""Self-contained HTML page with the results of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

from semimtl_geo.compare import Row
from semimtl_geo.report.curves import curves_section
from semimtl_geo.report.example_scene import ExampleScene
from semimtl_geo.report.gallery import Section, scene_gallery
from semimtl_geo.report.scores import score_tables
from semimtl_geo.tasks import Task
from tiles.files import write_errors, write_text
from tiles.maps.qgis import RAMP


def write_report(
    path: Path,
    *,
    title: str,
    lead: str,
    rows: Sequence[Row],
    curves: Mapping[str, Path],
    scenes: Sequence[ExampleScene],
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
        scenes: Scenes to show. Their ``hidden`` also marks scores of domains with the same name.
        tasks: The mapped tasks.
        findings: Sentences that state the main results.
        facts: Facts on the comparison, such as versions, seeds and seconds.
        opening: Sections before the scores.
        closing: Sections after the facts.

    Example:
        >>> write_report(
        ...     Path("report.html"), title="Heights", lead="", rows=[], curves={}, scenes=[],
        ...     tasks=[], findings=["Small differences may be chance."], facts={"seed": "0"},
        ... )
        >>> "chance" in Path("report.html").read_text(encoding="utf-8")
        True
    """
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    hidden = {scene.domain: frozenset(scene.hidden) for scene in scenes}
    sections = list(opening)
    if rows:
        text = (
            "Scores on scenes that no network was trained on. The best of each domain and column "
            "is bold; scores of tasks whose labels the scenario hides in a domain are "
            '<span class="tint">tinted</span>.'
        )
        sections.append(("Scores", text, score_tables(rows, tasks, hidden)))
    if scenes:
        text = "Image, labels, and the map of each method."
        sections.append(("Maps", text, scene_gallery(scenes, tasks)))
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
    with write_errors(path):
        write_text(path, html)


def _findings(findings: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in findings)
    return f'<ol class="findings">{items}</ol>' if items else ""


def _facts(facts: Mapping[str, str]) -> str:
    items = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
    return f'<dl class="facts card">{items}</dl>'
