"""The whole way in minutes: two cities, training, maps of both, scores, and a report."""

from __future__ import annotations

import multiprocessing
import os
import platform
import queue
import shutil
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from semimtl_geo.cities import write_cities
from semimtl_geo.compare import Row, make_row, to_markdown, with_gains
from semimtl_geo.evaluation import evaluate
from semimtl_geo.mapping import Mapper
from semimtl_geo.progress import Display, progress_bar
from semimtl_geo.report import Panel, write_report
from semimtl_geo.systems import SYSTEMS
from semimtl_geo.training import packaged_config, train
from tiles.errors import InputError

METHOD: Final = "semimtl"
LANES: Final = ((METHOD,), ("jtl", "stl_seg", "stl_depth"))
"""Systems trained one after another, the lanes side by side: two single-threaded runs use two cores
better than one run with two threads does."""

SCENES: Final = 20
SIZE: Final = 384
EPOCHS: Final = 5
REESTIMATED: Final = ", statistics re-estimated"
UNLABELLED: Final = {"city_a": "height", "city_b": "landcover"}

Say = Callable[[str, str, int, int], None]


@dataclass(frozen=True)
class Outcome:
    """What one system left.

    Attributes:
        system: Its name.
        rows: Its scores on both cities.
        checkpoint: Its network.
        seconds: Its training took.
    """

    system: str
    rows: list[Row]
    checkpoint: Path
    seconds: float


class _Report(Callback):
    """Tells how far training is."""

    def __init__(self, system: str, say: Say) -> None:
        self.system, self.say = system, say

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any
    ) -> None:
        total = int(trainer.estimated_stepping_batches)
        self.say(f"train {SYSTEMS[self.system].title}", "iterations", trainer.global_step, total)


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
    outcomes = _train_and_map(out, iterations, seed, precision)
    rows = with_gains(
        [row for outcome in outcomes for row in outcome.rows],
        baselines=[SYSTEMS["stl_seg"].title, SYSTEMS["stl_depth"].title],
    )
    rows.sort(key=lambda row: row.domain)
    shutil.copy2(outcomes[0].checkpoint, out / f"{METHOD}.ckpt")
    found = findings(rows)
    mapper = Mapper.load(out / f"{METHOD}.ckpt")
    facts = {
        "Machine": f"{_processor()}, {os.cpu_count()} cores"
        + (f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""),
        "Date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "Versions": ", ".join(
            f"{name} {version(name)}" for name in ("semimtl-geo", "torch", "torchgeo", "rasterio")
        ),
        "Seed": str(seed),
        "Precision of training": precision,
        "Training": "; ".join(
            f"{SYSTEMS[outcome.system].title} {outcome.seconds:.0f} s" for outcome in outcomes
        ),
        "From start to report": f"{time.monotonic() - started:.0f} s",
    }
    write_report(
        out / "report.html",
        rows=rows,
        curves={
            SYSTEMS[outcome.system].title: outcome.checkpoint.with_name("metrics.csv")
            for outcome in outcomes
        },
        panels=[_panel(out, city, folder, outcomes) for city, folder in cities.items()],
        tasks=mapper.card.tasks,
        findings=found,
        facts=facts,
    )
    print(to_markdown(rows))
    for finding in found:
        print(finding)
    print(f"\nreport: {out / 'report.html'}")
    print(f"maps:   {out / 'maps'} (open the .tif files in QGIS)")
    print(f"model:  {out / METHOD}.ckpt (semimtl-geo map {out / METHOD}.ckpt RASTER --out DIR)")


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


def _train_and_map(out: Path, iterations: int | None, seed: int, precision: str) -> list[Outcome]:
    """Run the lanes in processes of their own, and show how far they are."""
    context = multiprocessing.get_context("spawn")
    with (
        context.Manager() as manager,
        ProcessPoolExecutor(len(LANES), mp_context=context) as pool,
        Display() as display,
    ):
        messages = manager.Queue()
        lanes: list[Future[list[Outcome]]] = [
            pool.submit(_run_lane, lane, out, iterations, seed, precision, messages)
            for lane in LANES
        ]
        while not all(lane.done() for lane in lanes):
            if any(lane.done() and lane.exception() for lane in lanes):
                for process in multiprocessing.active_children():
                    process.terminate()
                break
            try:
                display.show(*messages.get(timeout=0.5))
            except queue.Empty:
                continue
        return [outcome for lane in lanes for outcome in lane.result()]


def _run_lane(
    systems: Sequence[str],
    out: Path,
    iterations: int | None,
    seed: int,
    precision: str,
    messages: queue.Queue[tuple[str, str, int, int]],
) -> list[Outcome]:
    """Train, map and score systems one after another, in this process."""
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // len(LANES)))
    warnings.filterwarnings("ignore", module="lightning")

    def say(*message: Any) -> None:
        messages.put(message)

    outcomes = []
    for system in systems:
        started = time.monotonic()
        folder = out / "runs" / system
        shutil.rmtree(folder, ignore_errors=True)
        args = [
            f"--config={packaged_config(f'cities/{system}.yaml')}",
            f"--data.root={out / 'cities'}",
            f"--data.seed={seed}",
            f"--seed_everything={seed}",
            f"--out={folder}",
            f"--trainer.max_epochs={EPOCHS}",
            f"--trainer.precision={precision}",
            "--trainer.enable_progress_bar=false",
            "--trainer.enable_model_summary=false",
        ]
        if iterations is not None:
            args.append(f"--data.iterations={iterations // EPOCHS}")
        checkpoint = train(args, [_Report(system, say)])
        seconds = time.monotonic() - started
        outcomes.append(Outcome(system, _score(system, checkpoint, out, say), checkpoint, seconds))
    return outcomes


def maps_folder(out: Path, method: str) -> Path:
    """Where the maps of a row of the table are: those of the method itself in ``maps/``."""
    if method == SYSTEMS[METHOD].title:
        return out / "maps"
    return out / "baselines" / method.replace(", ", "_").replace(" ", "_")


def _score(system: str, checkpoint: Path, out: Path, say: Say) -> list[Row]:
    """Map the test scenes of both cities, and compare with the truth."""
    mapper = Mapper.load(checkpoint)
    title = SYSTEMS[system].title
    rows = []
    for city in UNLABELLED:
        # A network that never saw the city: as it stands, and with the city's statistics, so that
        # nobody takes their effect for a method's.
        variants: dict[str, str | None] = {title: city}
        if city not in mapper.card.domains:
            variants = {title: mapper.card.domains[0], title + REESTIMATED: None}
        for method, domain in variants.items():
            scores = evaluate(
                mapper,
                out / "cities" / city / "test",
                maps_folder(out, method),
                domain,
                progress=lambda done, total, method=method, city=city: say(
                    f"map {city}, {method}", "scenes", done, total
                ),
            )
            rows.append(make_row(city, method, scores))
    return rows


def findings(rows: Sequence[Row]) -> list[str]:
    """What the table says of the tasks that had no labels, also where the method does not win.

    Args:
        rows: The table.
    """
    table = {(row.domain, row.method): row.scores for row in rows}
    method, joint = SYSTEMS[METHOD].title, SYSTEMS["jtl"].title
    sentences = []
    for city, score, what, single, unit, better in (
        ("city_b", "mIoU", "Land cover of city B", SYSTEMS["stl_seg"].title, "mIoU", 1),
        ("city_a", "RMSE", "Heights of city A", SYSTEMS["stl_depth"].title, "m RMSE", -1),
    ):
        values = {
            name: table[city, name][score] for name in (method, joint, single, single + REESTIMATED)
        }
        listed = ", ".join(f"{name} {value:.2f}" for name, value in values.items())
        sentences.append(f"{what} (no labels of it in training), {unit}: {listed}.")
        for other in (single, single + REESTIMATED, joint):
            ahead = better * (values[method] - values[other])
            verdict = "better" if ahead > 0 else "worse"
            if other != single or ahead <= 0:
                sentences.append(
                    f"{method} is {abs(ahead):.2f} {unit} {verdict} than {other} there."
                )
    sentences.append(
        "This is one short run with one seed: small differences between the multi-task systems may "
        "be chance."
    )
    return sentences


def _panel(out: Path, city: str, folder: Path, outcomes: Sequence[Outcome]) -> Panel:
    """The first test scene of a city, with every map of it."""
    image = min((folder / "test" / "image").glob("*.tif"))
    tasks = ("landcover", "height")
    methods = [row.method for o in outcomes for row in o.rows if row.domain == city]
    maps = {}
    for method in methods:
        files = {task: maps_folder(out, method) / f"{image.stem}_{task}.tif" for task in tasks}
        maps[method] = {task: file for task, file in files.items() if file.is_file()}
    truth = {task: folder / "test" / task / image.name for task in tasks}
    return Panel(city, image, truth, maps, [UNLABELLED[city]])


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
