"""The whole pipeline in minutes: two cities, training, maps of both, scores, and a report."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from semimtl_geo.commands.demonstration_budget import affordable_iterations
from semimtl_geo.commands.sample_maps import MODEL, map_samples
from semimtl_geo.compare import Row, to_markdown
from semimtl_geo.compare.averages import make_table
from semimtl_geo.compare.comparison import Comparison, select_runs
from semimtl_geo.compare.environment import collect_facts
from semimtl_geo.compare.parallel_runs import run_all
from semimtl_geo.compare.scenario import find_scenario
from semimtl_geo.compare.scoring import REESTIMATED
from semimtl_geo.learning.systems import SYSTEMS
from semimtl_geo.mapping.precision import fastest_precision_here
from semimtl_geo.progress import show_progress
from semimtl_geo.report import method_section, panel_figure, write_report
from semimtl_geo.report.results import example_scenes, predicted_tasks
from semimtl_geo.synthetic import write_cities
from tiles.errors import InputError, InvalidValueError
from tiles.files import locked, write_errors, write_text

RECOMMENDED: Final = "recommended"
TRAINED: Final = (RECOMMENDED, "semimtl", "jtl", "stl_seg", "stl_depth")
"""Configurations of ``configs/cities/``."""
PARALLEL_RUNS: Final = 2
SCENES: Final = 20
SIZE: Final = 384
MARK: Final = "demo.txt"
"""Name of the file that marks a folder as made by a demo."""
EPOCHS: Final = 5
TITLE: Final = "Two cities in, two maps of both out"
LEAD: Final = (
    "<strong>City A came with land-cover labels only, city B with heights only</strong>, each from "
    "a sensor of its own. One network was trained on both at once, and maps land cover and heights "
    "in both. Nobody showed it a single height of A or a single land-cover label of B: those were "
    "kept back, to measure how well it does."
)
QGIS: Final = """<p>Drag any of the maps (<code>*.tif</code>) into the window of QGIS. It comes up
in its place and in colour, with class names or metres in the legend: the style (<code>.qml</code>)
beside the map is applied by itself. Keep the two together when you move or copy them.</p>"""


def demo(out: Path, iterations: int | None = None, seed: int = 0) -> None:
    """Make the cities, train, map, score and report; then map real scenes with a packaged model.

    Args:
        out: Folder for all of it.
        iterations: Iterations of training per system; if None those of ``configs/cities/``, or
            fewer on a slow machine, so that the demo takes minutes.
        seed: Seed of the cities and of training.

    Raises:
        InputError: If the folder cannot be used.
    """
    started = time.monotonic()
    if iterations is not None and iterations < EPOCHS:
        fault = f"must be >= {EPOCHS}, got {iterations}"
        raise InvalidValueError("--iterations", fault, f"give {EPOCHS} or more")
    claim_folder(out)
    with locked(out / ".demo.lock", out, "wait until it ends, or choose another folder"):
        _make(out, iterations, seed, started)


def _make(out: Path, iterations: int | None, seed: int, started: float) -> None:
    """Make the demo in its folder; see :func:`demo`."""
    with show_progress("make the cities", "scenes") as progress:
        write_cities(out / "cities", seed=seed, scenes=SCENES, size=SIZE, progress=progress)
    precision = training_precision()
    if iterations is None:
        iterations, wanted = affordable_iterations(fastest_precision_here())
        if iterations < wanted:
            print(f"this machine is slow: {iterations} iterations of training instead of {wanted}")
    overrides = [
        f"--trainer.precision={precision}",
        f"--trainer.max_epochs={EPOCHS}",
        f"--data.iterations={iterations // EPOCHS}",
    ]
    scenario = find_scenario("cities")
    comparison = Comparison(
        scenario, out / "cities", out, (seed,), tuple(overrides), keep_maps=True
    )
    shutil.rmtree(out / "runs", ignore_errors=True)  # a demonstration shows the program as it is
    runs = [replace(run, seed=seed) for run in select_runs(scenario, TRAINED)]
    # The longest first, so that both processes end together.
    outcomes = run_all(runs[::-1], comparison, PARALLEL_RUNS)[::-1]
    rows, tasks = make_table(outcomes), predicted_tasks(outcomes)
    scenes = [
        p
        for p in example_scenes(comparison, rows, tasks)
        if p.image == comparison.shown(p.domain)[0]
    ]
    recommended = next(o for o in outcomes if o.run.name == RECOMMENDED)
    model = out / "semimtl.ckpt"
    with write_errors(model):
        shutil.copy2(recommended.checkpoint, model)
    method = recommended.run.title
    found = findings(rows, method)
    samples = map_samples(out / "samples")
    write_report(
        out / "report.html",
        title=TITLE,
        lead=LEAD,
        rows=rows,
        curves={
            outcome.run.title: outcome.checkpoint.with_name("metrics.csv") for outcome in outcomes
        },
        scenes=scenes,
        tasks=tasks,
        findings=found,
        facts=collect_facts(
            outcomes,
            **{
                "Configuration": f"cities/, seed {seed}, {precision}",
                "From start to report": f"{time.monotonic() - started:.0f} s",
            },
        ),
        opening=[method_section(scenes, tasks)],
        closing=[samples.section, ("Open the maps in QGIS", "", QGIS)],
    )
    panel_figure(scenes, tasks, out / "panels.png")
    _gather(comparison, method, out / "maps")
    print(to_markdown(rows))
    for finding in found:
        print(finding)
    print(f"\nTwo real orthophotos, mapped by the packaged model {MODEL}:\n")
    print(to_markdown(samples.rows))
    print(*samples.lines, sep="\n")
    print(f"maps of the real orthophotos: {out / 'samples'}")
    print(f"\nreport: {out / 'report.html'}")
    print(f"maps:   {out / 'maps'} (open the .tif files in QGIS)")
    print(f"model:  {model} (semimtl-geo map --model {model} RASTER --out DIR)")


def claim_folder(out: Path) -> None:
    """Mark the folder of a demo, whose former content a later demo removes.

    Args:
        out: The folder, which is created.

    Raises:
        InputError: If it holds anything that no demo made.
    """
    mark = out / MARK
    if out.is_dir() and any(out.iterdir()) and not mark.is_file():
        raise InputError(out, "has content that is not of a demo", "choose another folder")
    with write_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        write_text(mark, "Made by semimtl-geo demo, which replaces its content.\n")


def training_precision() -> str:
    """Return ``bf16-mixed`` where that is measured faster on this machine, else ``32-true``."""
    return "bf16-mixed" if fastest_precision_here() == "bfloat16" else "32-true"


def findings(rows: Sequence[Row], method: str) -> list[str]:
    """Return sentences on the tasks that had no labels, wins and losses alike.

    Args:
        rows: The table.
        method: Name of the recommended method.
    """
    table = {(row.domain, row.method): row.scores for row in rows}
    others = [SYSTEMS[name].title for name in ("semimtl", "jtl")]
    sentences = []
    for city, score, what, single, unit, sign in (
        ("city_b", "mIoU", "Land cover of city B", SYSTEMS["stl_seg"].title, "mIoU", 1),
        ("city_a", "RMSE", "Heights of city A", SYSTEMS["stl_depth"].title, "m RMSE", -1),
    ):
        own = table[city, method][score]
        against = []
        for other in (single, single + REESTIMATED, *others):
            value = table[city, other][score]
            ahead = sign * (own - value)
            verdict = "better" if ahead > 0 else "worse"
            against.append(f"{abs(ahead):.2f} {verdict} than {other} ({value:.2f})")
        sentences.append(
            f"{what}, without a label of it in training: {method} reaches {own:.2f} {unit}, "
            f"{'; '.join(against)}."
        )
    sentences.append(
        "This is one short run with one seed: small differences between the multi-task systems may "
        "be chance."
    )
    return sentences


def _gather(comparison: Comparison, method: str, folder: Path) -> None:
    """Collect a method's maps of both cities in one folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for domain in comparison.scenario.evaluate:
        made = comparison.maps(method, comparison.seeds[0], domain)
        for file in made.iterdir():
            file.rename(folder / file.name)
