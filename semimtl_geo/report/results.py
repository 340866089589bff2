"""Results of a comparison for readers: tables, figures and a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final

from semimtl_geo.compare.averages import make_table
from semimtl_geo.compare.comparison import Comparison, Outcome
from semimtl_geo.compare.formats import Line, to_csv, to_latex, to_markdown
from semimtl_geo.compare.paper_tables import TABLES, Table
from semimtl_geo.compare.scoring import REESTIMATED
from semimtl_geo.compare.table import (
    HEADINGS,
    Row,
    counted_classes,
)
from semimtl_geo.report import ExampleScene, panel_figure, write_report
from semimtl_geo.tasks import Task, from_settings
from tiles.files import write_errors, write_text

LEAD: Final = (
    "Every method is the same network and the same training with other settings. Scores are over "
    "whole mosaicked scenes, in the unit of the labels; ΔM is the paper's equation 10, against the "
    "single-task networks."
)
CONTROL: Final = (
    f"Rows with “{REESTIMATED.removeprefix(', ')}” are controls: a single-task network that was "
    "merely given the BatchNorm statistics of a domain that it never saw, without labels."
)


def predicted_tasks(outcomes: Sequence[Outcome]) -> list[Task]:
    """Return all tasks that any of the runs predicts, in their order."""
    settings = {task["name"]: task for outcome in outcomes for task in outcome.tasks}
    tasks = [from_settings(task) for task in settings.values()]
    return sorted(tasks, key=lambda task: task.order)


def example_scenes(
    comparison: Comparison, rows: Sequence[Row], tasks: Sequence[Task]
) -> list[ExampleScene]:
    """Return the scenes that the figures show, each with its labels and all maps that were kept."""
    found = []
    for domain in dict.fromkeys(row.domain for row in rows):
        scenes = comparison.scenario.scenes(comparison.data, domain)
        for image in comparison.shown(domain):
            truth = {task.name: _file(scenes / task.name, image.stem) for task in tasks}
            maps: dict[str, Mapping[str, Path]] = {}
            for method in (row.method for row in rows if row.domain == domain):
                folder = comparison.maps(method, comparison.seeds[0], domain)
                files = {task.name: _file(folder, f"{image.stem}_{task.name}") for task in tasks}
                maps[method] = {name: file for name, file in files.items() if file}
            found.append(
                ExampleScene(
                    domain,
                    image,
                    {name: file for name, file in truth.items() if file},
                    maps,
                    comparison.scenario.hidden(domain),
                )
            )
    return found


def write_results(
    comparison: Comparison, outcomes: Sequence[Outcome], facts: Mapping[str, str]
) -> list[Path]:
    """Write tables, figures and page to the folder of the comparison.

    Args:
        comparison: The comparison.
        outcomes: Outcomes of all runs.
        facts: Facts on the comparison, for the page.

    Returns:
        The files.

    Raises:
        InputError: If one cannot be written.
    """
    scenario = comparison.scenario
    rows, tasks = make_table(outcomes), predicted_tasks(outcomes)
    scenes = example_scenes(comparison, rows, tasks)
    paper = None if scenario.table is None else TABLES.get(scenario.table)
    notes = _notes(comparison, rows)
    files = {
        "table.md": _markdown(scenario.title, rows, paper, notes),
        "table.csv": to_csv(rows, paper.rows if paper else ()),
        "table.tex": _latex(scenario.title, rows, paper, notes),
    }
    for name, text in files.items():
        with write_errors(comparison.out / name):
            write_text(comparison.out / name, text)
    made = [comparison.out / name for name in files]
    for domain in dict.fromkeys(scene.domain for scene in scenes):
        shown = [scene for scene in scenes if scene.domain == domain]
        for name, errors in (("panels", False), ("errors", True)):
            made.append(comparison.out / f"{name}_{domain}.png")
            panel_figure(shown, tasks, made[-1], errors=errors)
    first = [outcome for outcome in outcomes if outcome.run.seed == comparison.seeds[0]]
    curves = {outcome.run.title: outcome.checkpoint.with_name("metrics.csv") for outcome in first}
    made.append(comparison.out / "report.html")
    write_report(
        made[-1],
        title=scenario.title,
        lead=LEAD,
        rows=rows,
        curves={title: file for title, file in curves.items() if file.is_file()},
        scenes=scenes,
        tasks=tasks,
        findings=[],
        facts=facts,
        closing=[_paper_section(paper)] if paper else [],
    )
    return made


def _file(folder: Path, stem: str) -> Path | None:
    """Return the raster with a name, whatever its suffix."""
    files = (folder / f"{stem}{suffix}" for suffix in (".tif", ".tiff", ".png"))
    return next((file for file in files if file.is_file()), None)


def _notes(comparison: Comparison, rows: Sequence[Row]) -> list[str]:
    seeds = len(comparison.seeds)
    notes = counted_classes(rows)
    if seeds > 1:
        notes.append(f"Mean ± standard deviation over {seeds} seeds; ΔM of each seed by itself.")
    else:
        notes.append("One seed: small differences may be chance.")
    if any(row.method.endswith(REESTIMATED) for row in rows):
        notes.append(CONTROL)
    return notes


def _heading(table: Table) -> str:
    return f"Table {table.number} of the paper, as printed"


def _markdown(title: str, rows: Sequence[Row], paper: Table | None, notes: Sequence[str]) -> str:
    parts = [f"# {title}\n", to_markdown(rows), "\n\n".join(notes) + "\n"]
    if paper is not None:
        parts += [f"## {_heading(paper)}\n", to_markdown(paper.rows)]
        parts += ["\n\n".join(paper.notes) + "\n"]
    return "\n".join(parts)


def _latex(title: str, rows: Sequence[Row], paper: Table | None, notes: Sequence[str]) -> str:
    text = to_latex(rows, f"{title}. {' '.join(notes)}")
    if paper is not None:
        text += "\n" + to_latex(paper.rows, f"{_heading(paper)}. {' '.join(paper.notes)}")
    return text


def _paper_section(paper: Table) -> tuple[str, str, str]:
    """Return the section with the paper's figures: heading, text and table."""
    heads = "".join(f'<th scope="col">{heading}</th>' for heading in HEADINGS)
    groups = ""
    for domain in dict.fromkeys(row.domain for row in paper.rows):
        lines: list[Line] = [row for row in paper.rows if row.domain == domain]
        groups += (
            f'<tbody><tr class="group"><th colspan="{len(HEADINGS) + 1}" scope="colgroup">'
            f"{escape(domain)}</th></tr>"
        )
        for line in lines:
            cells = "".join(f"<td>{escape(cell)}</td>" for cell in line.cells())
            groups += f'<tr><th scope="row">{escape(line.method)}</th>{cells}</tr>'
        groups += "</tbody>"
    body = (
        '<div class="scroll card"><table class="quoted"><thead><tr><th scope="col">method</th>'
        f"{heads}</tr></thead>{groups}</table></div>"
    )
    return _heading(paper), escape(" ".join(paper.notes)), body
