"""Table and figure of training data, for those who look at it before they train on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from semimtl_geo.inspection import LayerStatistics, SplitInspection
from semimtl_geo.report.drawing import INK, new_figure, show_classes, show_image, show_ramp
from semimtl_geo.report.example_scene import humanize
from semimtl_geo.report.thumbnails import image_thumbnail, map_thumbnail
from semimtl_geo.tasks import Task, tasks_by_label
from tiles.files import atomic_write, write_errors

EDGE: Final = 500
"""Longer edge of an image in pixels."""

CELL: Final = 2.6
"""Width and height of an image in inches."""

BINS: Final = 64
"""Bars of a histogram."""


def data_table(found: Mapping[str, SplitInspection], tasks: Sequence[Task]) -> str:
    """Return a Markdown table with a row per layer of each domain and split.

    Args:
        found: The inspections, by domain and split.
        tasks: Tasks of the labels.

    Example:
        >>> from semimtl_geo.inspection import inspect_split
        >>> from semimtl_geo.tasks import Depth
        >>> found = {"city_b": inspect_split(Path("data/city_b/train"), [Depth()])}
        >>> print(data_table(found, [Depth()]).splitlines()[3][:37])
        | city_b | height | 2 | 0.1 | float32
    """
    of_labels = tasks_by_label(tasks)
    lines = [
        "| split | layer | files | hectares | type | unknown | image area covered | values |",
        "| --- | --- | ---: | ---: | --- | ---: | ---: | --- |",
    ]
    for split, inspection in found.items():
        for name, layer in inspection.layers.items():
            if not layer.files:
                continue
            types = "/".join(dict.fromkeys(str(file.dtype) for file in layer.files))
            covered = inspection.covered.get(name)
            cells = (
                *(split, name, str(len(layer.files)), f"{layer.hectares:.1f}", types),
                f"{100 * layer.unknown_share:.1f} %",
                "" if covered is None else f"{100 * covered:.0f} %",
                _values(layer, of_labels.get(name)),
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _values(layer: LayerStatistics, task: Task | None) -> str:
    """Describe the known values of a layer in words."""
    if not len(layer.sample):
        return "none is known"
    if task is None:
        bands = layer.percentiles(2, 50, 98)
        each = ", ".join("/".join(f"{value:.3g}" for value in band) for band in bands)
        return f"2nd/50th/98th percentile by band: {each}"
    if task.label_kind == "classes":
        names = [*task.class_colors]
        return ", ".join(
            f"{names[number] if number < len(names) else number} {100 * share:.1f} %"
            for number, share in layer.class_shares().items()
        )
    half, most, nearly_all = layer.percentiles(50, 90, 99)[0]
    low, high = min(f.low for f in layer.files), max(f.high for f in layer.files)
    return (
        f"{low:.4g} to {high:.4g}; 50th/90th/99th percentile {half:.3g}/{most:.3g}/{nearly_all:.3g}"
    )


def data_figure(found: Mapping[str, SplitInspection], tasks: Sequence[Task], path: Path) -> None:
    """Draw a scene of each domain and split with its labels, and the histogram of its colours.

    Args:
        found: The inspections, by domain and split.
        tasks: Tasks of the labels.
        path: The PNG, which is written atomically.
    """
    columns = 2 + len(tasks)
    figure = new_figure(columns * CELL, (len(found) + 0.25) * CELL, dpi=110)
    rows = figure.subplots(len(found), columns, squeeze=False)
    for axes, (split, inspection) in zip(rows, found.items(), strict=True):
        images = inspection.layers["image"]
        if images.files:
            middle = images.files[len(images.files) // 2].path
            shown = np.asarray(image_thumbnail(middle, EDGE).convert("RGBA"))
            show_image(axes[0], shown, f"{split}: {middle.name}", fontsize=7)
            _histogram(axes[1], images)
        else:
            middle = None
        for place, task in zip(axes[2:], tasks, strict=True):
            layer = inspection.layers.get(task.label)
            files = {} if layer is None else {file.path.name: file.path for file in layer.files}
            chosen = None if middle is None else files.get(middle.name)
            place.set_axis_off()
            if chosen is not None:
                made = map_thumbnail(chosen, task, None, EDGE).convert("RGBA")
                show_image(place, np.asarray(made), humanize(task.name), fontsize=7)
    _legends(figure, rows[-1], tasks)
    with write_errors(path), atomic_write(path) as part:
        figure.savefig(part, format="png")


def _histogram(axes: Any, layer: LayerStatistics) -> None:
    """Draw the histogram of each band."""
    sample = layer.sample
    if not len(sample):
        axes.set_axis_off()
        return
    for number, band in enumerate(sample.T[:4], start=1):
        color = ("tab:red", "tab:green", "tab:blue", "tab:gray")[number - 1]
        axes.hist(band, BINS, histtype="step", color=color, label=f"band {number}")
    axes.set_yticks([])
    axes.tick_params(labelsize=6, colors=INK)
    axes.set_box_aspect(1)
    axes.legend(fontsize=6, frameon=False)


def _legends(figure: Any, row: Any, tasks: Sequence[Task]) -> None:
    """Add the legend of each task below the last row."""
    for axes, task in zip(row[2:], tasks, strict=True):
        legend = task.legend()
        if legend.swatches:
            place = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.02), "fontsize": 6}
            show_classes(axes, legend.swatches, ncols=2, **place)
        for ramp in legend.ramps:
            show_ramp(figure, ramp, ramp.unit, ax=axes, shrink=0.8, aspect=25, pad=0.02)
