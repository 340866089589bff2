"""The whole way in minutes: two cities, training, maps of both, scores, and a report."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import torch

from semimtl_geo.cities import write_cities
from semimtl_geo.compare import Row, to_markdown, with_gains
from semimtl_geo.lanes import REESTIMATED, Job, Outcome, run_lanes
from semimtl_geo.mapping import Mapper
from semimtl_geo.progress import progress_bar
from semimtl_geo.report import Panel, write_report
from semimtl_geo.systems import SYSTEMS
from semimtl_geo.training import packaged_config
from tiles.errors import InputError

METHOD: Final = "semimtl"
LANES: Final = ((METHOD,), ("jtl", "stl_seg", "stl_depth"))
SCENES: Final = 20
SIZE: Final = 384
EPOCHS: Final = 5
UNLABELLED: Final = {"city_a": "height", "city_b": "landcover"}
"""What each city has no labels of in ``configs/cities/``."""


def demo(out: Path, iterations: int | None = None, seed: int = 0) -> None:
    """Make the cities, train, map, score and report.

    Args:
        out: Folder for all of it.
        iterations: Of training per system; those of ``configs/cities/`` if None.
        seed: Of the cities and of training.

    Raises:
        InputError: If the folder cannot be used.
    """
    started = time.monotonic()
    if iterations is not None and iterations < EPOCHS:
        raise InputError("--iterations", f"{iterations} is too few", f"give {EPOCHS} or more")
    with progress_bar("make the cities", "scenes") as progress:
        cities = write_cities(
            out / "cities", seed=seed, scenes=SCENES, size=SIZE, progress=progress
        )
    precision = faster_precision()
    overrides = [
        f"--data.seed={seed}",
        f"--seed_everything={seed}",
        f"--trainer.precision={precision}",
    ]
    if iterations is not None:
        overrides += [
            f"--trainer.max_epochs={EPOCHS}",
            f"--data.iterations={iterations // EPOCHS}",
        ]
    job = Job("cities", out / "cities", out, tuple(overrides))
    outcomes = run_lanes(LANES, list(UNLABELLED), job)
    rows = with_gains(
        [row for outcome in outcomes for row in outcome.rows],
        baselines=[SYSTEMS["stl_seg"].title, SYSTEMS["stl_depth"].title],
    )
    rows.sort(key=lambda row: row.domain)
    model = out / f"{METHOD}.ckpt"
    shutil.copy2(outcomes[0].checkpoint, model)
    shutil.rmtree(out / "maps", ignore_errors=True)
    job.maps(SYSTEMS[METHOD].title).rename(out / "maps")
    found = findings(rows)
    write_report(
        out / "report.html",
        rows=rows,
        curves={
            SYSTEMS[outcome.system].title: outcome.checkpoint.with_name("metrics.csv")
            for outcome in outcomes
        },
        panels=[_panel(job, city, folder, rows) for city, folder in cities.items()],
        tasks=Mapper.load(model).card.tasks,
        findings=found,
        facts=_facts(outcomes, seed, precision, time.monotonic() - started),
    )
    print(to_markdown(rows))
    for finding in found:
        print(finding)
    print(f"\nreport: {out / 'report.html'}")
    print(f"maps:   {out / 'maps'} (open the .tif files in QGIS)")
    print(f"model:  {model} (semimtl-geo map {model} RASTER --out DIR)")


def faster_precision() -> str:
    """``bf16-mixed`` where that is at least a tenth faster than float32 on this machine."""
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    layer = torch.nn.Conv2d(64, 64, 3, padding=1)
    images = torch.rand(4, 64, 32, 32)

    def seconds(enabled: bool) -> float:
        times = []
        for _ in range(8):
            start = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                layer(images).float().mean().backward()
            times.append(time.perf_counter() - start)
        return min(times)

    return "bf16-mixed" if seconds(enabled=True) < 0.9 * seconds(enabled=False) else "32-true"


def findings(rows: Sequence[Row]) -> list[str]:
    """What the table says of the tasks that had no labels, also where the method does not win.

    Args:
        rows: The table.
    """
    table = {(row.domain, row.method): row.scores for row in rows}
    method, joint = SYSTEMS[METHOD].title, SYSTEMS["jtl"].title
    sentences = []
    for city, score, what, single, unit, sign in (
        ("city_b", "mIoU", "Land cover of city B", SYSTEMS["stl_seg"].title, "mIoU", 1),
        ("city_a", "RMSE", "Heights of city A", SYSTEMS["stl_depth"].title, "m RMSE", -1),
    ):
        own = table[city, method][score]
        against = []
        for other in (single, single + REESTIMATED, joint):
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


def _panel(job: Job, city: str, folder: Path, rows: Sequence[Row]) -> Panel:
    """The first test scene of a city, with every map of it."""
    image = min((folder / "test" / "image").glob("*.tif"))
    maps: dict[str, dict[str, Path]] = {}
    for row in rows:
        if row.domain == city:
            title = SYSTEMS[METHOD].title
            made = job.out / "maps" if row.method == title else job.maps(row.method)
            files = {task: made / f"{image.stem}_{task}.tif" for task in ("landcover", "height")}
            maps[row.method] = {task: file for task, file in files.items() if file.is_file()}
    truth = {task: folder / "test" / task / image.name for task in ("landcover", "height")}
    return Panel(city, image, truth, maps, [UNLABELLED[city]])


def _facts(
    outcomes: Sequence[Outcome], seed: int, precision: str, seconds: float
) -> dict[str, str]:
    packages = ("semimtl-geo", "torch", "torchgeo", "rasterio")
    return {
        "Machine": f"{_processor()}, {os.cpu_count()} cores"
        + (f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""),
        "Date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "Versions": ", ".join(f"{name} {version(name)}" for name in packages),
        "Configuration": f"{packaged_config('cities').name}/, seed {seed}, {precision}",
        "Training": "; ".join(
            f"{SYSTEMS[outcome.system].title} {outcome.seconds:.0f} s" for outcome in outcomes
        ),
        "From start to report": f"{seconds:.0f} s",
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
