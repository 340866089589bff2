"""Figure of example scenes: images, labels, and the maps of each method, or their errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from semimtl_geo.report.drawing import INK, new_figure, show_classes, show_image, show_ramp
from semimtl_geo.report.error_maps import error_map
from semimtl_geo.report.example_scene import EDGE, HIDDEN, ExampleScene, humanize, methods
from semimtl_geo.report.thumbnails import image_thumbnail, map_thumbnail, ramp_maxima
from semimtl_geo.tasks import Task
from tiles.files import atomic_write, write_errors

DPI: Final = 120
CELL: Final = 2.1
"""Width of an image and its margins in inches."""
ROW: Final = 2.6
"""Height of a row in inches."""
HEAD: Final = 0.4
"""Height of the name of a domain in inches."""
SIDE: Final = 0.6
"""Width of the name of a task in inches."""
FEW: Final = 10
"""Classes that one column of a legend has room for."""


def panel_figure(
    scenes: Sequence[ExampleScene], tasks: Sequence[Task], path: Path, *, errors: bool = False
) -> None:
    """Write a figure of example scenes as PNG.

    Each scene has one row per task: image or legend, labels, and the map of each method.

    Args:
        scenes: The scenes.
        tasks: The mapped tasks.
        path: The PNG, which is written atomically.
        errors: Show the errors of each map instead of the map.

    Example:
        >>> from semimtl_geo.report import ExampleScene
        >>> from semimtl_geo.tasks import Depth
        >>> maps = {"SemiMTL": {"height": Path("height.tif")}}
        >>> scene = ExampleScene("city_a", Path("ortho.tif"), {}, maps, hidden=["height"])
        >>> panel_figure([scene], [Depth()], Path("panels.png"))
    """
    columns = 2 + max((len(methods(scenes, task)) for task in tasks), default=0)
    width, height = SIDE + columns * CELL, len(scenes) * (HEAD + len(tasks) * ROW)
    figure = new_figure(width, height, DPI)
    top_values = ramp_maxima(scenes, tasks)
    parts = figure.subfigures(len(scenes), 1, squeeze=False)[:, 0]
    for scene, part in zip(scenes, parts, strict=True):
        part.suptitle(humanize(scene.domain), x=0.01, ha="left", size=15, weight="bold", color=INK)
        rows = part.subfigures(len(tasks), 1, squeeze=False)[:, 0]
        for number, (task, row) in enumerate(zip(tasks, rows, strict=True)):
            hidden = task.name in scene.hidden
            row.set_facecolor("#fdf1dc" if hidden else "#f3f4f4")
            side, *cells = row.subplots(1, 1 + columns, width_ratios=[SIDE] + columns * [CELL])
            for axes in (side, *cells):
                axes.set_axis_off()
            style: dict[str, Any] = {"rotation": 90, "ha": "center", "va": "center"}
            name = side.text(0.3, 0.5, humanize(task.name), size=11, weight="bold", **style)
            note = side.text(0.9, 0.5, HIDDEN if hidden else "", color="#9a5b00", size=8.5, **style)
            for text in (name, note):
                text.set_in_layout(False)
            if number == 0:
                _show(cells[0], "image", image_thumbnail(scene.image, EDGE))
            elif number == 1:
                _legend(row, cells[0], tasks, top_values, errors)
            high = top_values.get(task.name)
            truth = scene.truth.get(task.name)
            if truth:
                _show(cells[1], "truth", map_thumbnail(truth, task, high, EDGE))
            for axes, method in zip(cells[2:], methods(scenes, task), strict=False):
                file = scene.maps.get(method, {}).get(task.name)
                if file and errors and truth:
                    _show(axes, method, error_map(file, truth, task, high, EDGE))
                elif file and not errors:
                    _show(axes, method, map_thumbnail(file, task, high, EDGE))
    with write_errors(path), atomic_write(path) as part:
        figure.savefig(part, format="png")


def _show(axes: Any, name: str, made: Image.Image) -> None:
    """Show an image under its name; long names of methods are broken into two lines."""
    title = name.replace(", ", ",\n")
    show_image(axes, np.asarray(made.convert("RGBA")), title, fontsize=9, loc="left")


def _legend(
    row: Any, axes: Any, tasks: Sequence[Task], top_values: Mapping[str, float], errors: bool
) -> None:
    """Draw the legend of all tasks in place of a second copy of the image."""
    highs = [(task, top_values.get(task.name)) for task in tasks]
    legends = [task.error_legend(h) if errors else task.legend(h) for task, h in highs]
    classes = {name: color for legend in legends for name, color in legend.swatches.items()}
    ramps = [ramp for legend in legends for ramp in legend.ramps]
    many = len(classes) > FEW
    if classes:
        style = {"fontsize": 6 if many else 8.5, "ncols": 2 if many else 1}
        show_classes(axes, classes, loc="upper left", borderaxespad=0, **style)
    for number, ramp in enumerate(ramps):
        bar = axes.inset_axes((0.05, 0.2 + 0.25 * number, 0.9, 0.06))
        bar.set_in_layout(False)
        show_ramp(row, ramp, f"{humanize(ramp.name)} ({ramp.unit})", cax=bar)
