"""Maps of the sample scenes by a packaged model, with scores and a section for a report."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

from semimtl_geo.compare import Row, make_row
from semimtl_geo.mapping.evaluation import evaluate
from semimtl_geo.mapping.mapper import Mapper
from semimtl_geo.progress import show_progress
from semimtl_geo.report import ExampleScene, scene_section
from semimtl_geo.report.gallery import Section
from semimtl_geo.samples import sample_scenes
from tiles.files import write_errors

MODEL: Final = "towns"
HEADING: Final = "Real orthophotos"


@dataclass(frozen=True)
class SampleMaps:
    """Scores of the sample scenes, and the section of a report that shows their maps.

    Attributes:
        rows: Scores of each scene.
        section: Section of a report with scores and maps.
        lines: Sources and licences of the scenes, a line for each.
    """

    rows: list[Row]
    section: Section
    lines: list[str]


def map_samples(out: Path) -> SampleMaps:
    """Map the sample scenes with the packaged model, as ``semimtl-geo map`` would each of them.

    Args:
        out: Folder for copies of the images and for their maps; its former content is removed.

    Raises:
        InputError: If the folder cannot be written to.
    """
    shutil.rmtree(out, ignore_errors=True)
    with write_errors(out):
        out.mkdir(parents=True)
    mapper = Mapper.load(MODEL)
    tasks, scenes = mapper.card.tasks, sample_scenes()
    rows, shown = [], []
    with show_progress("map real orthophotos", "scenes") as progress:
        for done, scene in enumerate(scenes, start=1):
            with write_errors(out / scene.image.name):
                shutil.copyfile(scene.image, out / scene.image.name)
            place = scene.town.capitalize()
            rows.append(make_row(place, MODEL, evaluate(mapper, scene.folder, out)))
            maps = {task.name: out / f"{scene.image.stem}_{task.name}.tif" for task in tasks}
            shown.append(ExampleScene(place, scene.image, scene.labels, {MODEL: maps}, hidden=()))
            progress(done, len(scenes))
    lines = [f"{scene.town.capitalize()}: {scene.attribution}." for scene in scenes]
    description = mapper.card.description
    text = (
        "These two scenes come with the package, and so does the model that mapped them, "
        f"<code>{MODEL}</code>. It was trained on other scenes of the same towns, with labels of "
        "both tasks that were made by rule from laser returns and are not always right. "
        f"<code>semimtl-geo map --model {MODEL} ORTHO.tif --out DIR</code> maps an orthophoto of "
        "your own; as there, BatchNorm statistics were re-estimated on each image. "
        f"{' '.join(map(escape, lines))}"
    )
    if description is not None:
        text += f"</p><p><strong>Limits of the model.</strong> {escape(description.limits)}"
    return SampleMaps(rows, scene_section(HEADING, text, rows, shown, tasks), lines)
