"""One picture of a mapped orthophoto: the image, and each map with its legend or scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Final

import matplotlib.colors
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from semimtl_geo.report.pictures import photo, picture, spoken
from semimtl_geo.tasks import Depth, Segmentation, Task
from tiles.styles import RAMP

EDGE: Final = 900
"""The longer edge of each picture, in pixels."""


def write_preview(
    raster: str | PathLike[str], maps: Mapping[str, Path], tasks: Sequence[Task], path: Path
) -> None:
    """Write the picture.

    Args:
        raster: The orthophoto.
        maps: The maps, by task name.
        tasks: What they show.
        path: A PNG; written aside and renamed.
    """
    shown = [task for task in tasks if task.name in maps]
    figure = Figure(figsize=(5 * (1 + len(shown)), 6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    first, *others = np.atleast_1d(figure.subplots(1, 1 + len(shown)))
    _show(first, photo(Path(raster), EDGE), Path(raster).name)
    for axes, task in zip(others, shown, strict=True):
        high = task.scale if isinstance(task, Depth) else 1.0
        _show(axes, picture(maps[task.name], task, high, EDGE), spoken(task.name))
        if isinstance(task, Segmentation):
            _legend(axes, task)
        elif isinstance(task, Depth):
            ramp = matplotlib.colors.LinearSegmentedColormap.from_list(
                "ramp", [tuple(channel / 255 for channel in color) for color in RAMP]
            )
            scale = ScalarMappable(matplotlib.colors.Normalize(0, high), ramp)
            bar = figure.colorbar(scale, ax=axes, orientation="horizontal", shrink=0.8, pad=0.02)
            bar.set_label(task.unit)
    aside = path.with_name(f".{path.name}.part")
    try:
        figure.savefig(aside, format="png")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _show(axes: Any, made: Any, title: str) -> None:
    axes.imshow(np.asarray(made.convert("RGBA")), interpolation="antialiased")
    axes.set_title(title, fontsize=11)
    axes.set_axis_off()


def _legend(axes: Any, task: Segmentation) -> None:
    patches = [
        Patch(facecolor=(r / 255, g / 255, b / 255), edgecolor="#888", label=name)
        for name, (r, g, b) in zip(task.classes, task.colors, strict=True)
    ]
    axes.legend(
        handles=patches, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3, frameon=False
    )
