"""Figure of example scenes: images, labels, and the maps of each method, or their errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from semimtl_geo.report.error_maps import error_map
from semimtl_geo.report.thumbnails import (
    HIDDEN,
    ExampleScene,
    display_name,
    image_thumbnail,
    map_thumbnail,
    methods,
    tops,
)
from semimtl_geo.tasks import Task
from semimtl_geo.tasks.coloring import Ramp
from tiles.files import atomic_write

DPI: Final = 120
CELL: Final = 2.0
"""Edge of an image in inches."""
EDGE: Final = 420
"""Longest edge of an image in pixels."""
GAP: Final = 0.12
CAPTION: Final = 0.26
HEAD: Final = 0.48
SIDE: Final = 0.55
LINE: Final = 0.165
FEW: Final = 10
"""Classes that one column of a key has room for."""


def panel_size(panels: Sequence[ExampleScene], tasks: Sequence[Task]) -> tuple[int, int]:
    """Return the width and height of the image of :func:`panel_figure` in pixels.

    Example:
        >>> from semimtl_geo.tasks import Depth
        >>> width, height = panel_size([], [Depth()])
        >>> width > height
        True
    """
    columns = 2 + max((len(methods(panels, task)) for task in tasks), default=0)
    width = SIDE + columns * (CELL + GAP) + GAP
    height = GAP + len(panels) * (HEAD + len(tasks) * (CELL + CAPTION + 2 * GAP))
    return round(width * DPI), round(height * DPI)


def panel_figure(
    panels: Sequence[ExampleScene], tasks: Sequence[Task], path: Path, *, errors: bool = False
) -> None:
    """Write a figure of example scenes as PNG.

    Each scene has one row per task: image or legend, labels, and the map of each method.

    Args:
        panels: The scenes.
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
    width, height = panel_size(panels, tasks)
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    top_values = tops(panels, tasks)
    canvas = _canvas(figure)
    top = GAP
    for panel in panels:
        _text(figure, GAP, top + HEAD / 2, display_name(panel.domain), size=15, weight="bold")
        top += HEAD
        for number, task in enumerate(tasks):
            hidden = task.name in panel.hidden
            _row(figure, top, hidden, display_name(task.name))
            cells: list[tuple[str, Image.Image | None]] = []
            cells.append(
                ("image", image_thumbnail(panel.image, EDGE)) if number == 0 else ("", None)
            )
            high = top_values.get(task.name)
            truth = panel.truth.get(task.name)
            cells.append(("truth", map_thumbnail(truth, task, high, EDGE) if truth else None))
            for name in methods(panels, task):
                file = panel.maps.get(name, {}).get(task.name)
                made = None
                if file and errors and truth:
                    made = error_map(file, truth, task, high, EDGE)
                elif file and not errors:
                    made = map_thumbnail(file, task, high, EDGE)
                cells.append((name, made))
            for column, (name, made) in enumerate(cells):
                left = SIDE + column * (CELL + GAP)
                if made is not None:
                    above = top + GAP + CAPTION - 0.03
                    _text(figure, left, above, _wrap(name), size=9, va="bottom")
                    _show(canvas, made, left, top + GAP + CAPTION)
            if number == 1:
                _keys(figure, SIDE, top + GAP + CAPTION, tasks, top_values, errors)
            top += CELL + CAPTION + 2 * GAP
    FigureCanvasAgg(figure)
    with atomic_write(path) as part:
        figure.savefig(part, format="png")


def _canvas(figure: Figure) -> Any:
    """Add axes that measure the whole figure in inches from its upper left corner."""
    wide, high = figure.get_size_inches()
    canvas = figure.add_axes((0, 0, 1, 1))
    canvas.set_axis_off()
    canvas.set_autoscale_on(False)
    canvas.set(xlim=(0, wide), ylim=(high, 0))
    return canvas


def _show(canvas: Any, made: Image.Image, left: float, top: float) -> None:
    """Place an image at the top of a cell, as large as possible."""
    wide, high = (CELL * edge / max(made.size) for edge in made.size)
    left += (CELL - wide) / 2
    canvas.imshow(
        np.asarray(made.convert("RGBA")),
        extent=(left, left + wide, top + high, top),
        aspect="auto",
        interpolation="antialiased",
    )


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Any:
    """Add axes at a place given in inches from the figure's upper left corner."""
    wide, high = figure.get_size_inches()
    return figure.add_axes((left / wide, 1 - (top + height) / high, width / wide, height / high))


def _wrap(name: str) -> str:
    """Break long names of methods into two lines."""
    return name.replace(", ", ",\n")


def _text(figure: Figure, left: float, top: float, text: str, **style: Any) -> None:
    wide, high = figure.get_size_inches()
    # A dollar sign in a name is not mathematics.
    defaults: dict[str, Any] = {"va": "center", "parse_math": False, "color": "#1b2430"}
    figure.text(left / wide, 1 - top / high, text, **(defaults | style))


def _row(figure: Figure, top: float, hidden: bool, name: str) -> None:
    """Draw the background and the label of one row."""
    wide, high = figure.get_size_inches()
    tall = CELL + CAPTION + 1.5 * GAP
    color = "#fdf1dc" if hidden else "#f3f4f4"
    corner = (GAP / wide, 1 - (top + tall) / high)
    # Drawn below the axes, whose order is 0.
    figure.add_artist(Rectangle(corner, 1 - 2 * GAP / wide, tall / high, color=color, zorder=-1))
    side: dict[str, Any] = {"rotation": 90, "ha": "center"}
    middle = top + tall / 2
    if hidden:
        _text(figure, 0.25, middle, name, size=11, weight="bold", **side)
        _text(figure, 0.43, middle, HIDDEN, size=8.5, color="#9a5b00", **side)
    else:
        _text(figure, 0.33, middle, name, size=11, weight="bold", **side)


def _keys(
    figure: Figure,
    left: float,
    top: float,
    tasks: Sequence[Task],
    top_values: Mapping[str, float],
    errors: bool,
) -> None:
    """Draw the legend in place of a second copy of the image."""
    for task in tasks:
        high = top_values.get(task.name)
        legend = task.error_legend(high) if errors else task.legend(high)
        entries = legend.swatches
        columns = 1 if len(entries) <= FEW else 2
        rows, line = -(-len(entries) // columns), LINE if columns == 1 else 0.8 * LINE
        for number, (name, color) in enumerate(entries.items()):
            across, down = divmod(number, rows)
            where = left + across * (CELL + GAP) / 2, top + down * line
            # Two columns leave room for small letters.
            _swatch(figure, *where, name, color, size=8.5 if columns == 1 else 6)
        top += rows * line
        for ramp in legend.ramps:
            _bar(figure, left, top + 0.25, ramp)
            top += 0.7


def _swatch(
    figure: Figure, left: float, top: float, name: str, color: Sequence[int], size: float = 8.5
) -> None:
    box = _axes(figure, left + 0.02, top, 0.14, 0.11)
    box.set_facecolor([channel / 255 for channel in color])
    box.set_xticks([])
    box.set_yticks([])
    for spine in box.spines.values():
        spine.set(linewidth=0.6, color="#7a838c")
    _text(figure, left + 0.24, top + 0.055, name, size=size)


def _bar(figure: Figure, left: float, top: float, ramp: Ramp) -> None:
    bar = _axes(figure, left + 0.02, top, CELL - 0.2, 0.13)
    stops = np.linspace(0, 1, len(ramp.colors))
    shares = np.linspace(0, 1, 256)
    channels = [np.interp(shares, stops, channel) for channel in zip(*ramp.colors, strict=True)]
    shades = np.rint(np.transpose(channels)).astype(np.uint8)[None]
    bar.imshow(shades, aspect="auto", extent=(0, ramp.high, 0, 1))
    bar.set_yticks([])
    ticks = (0, ramp.high / 2, ramp.high)
    bar.set_xticks(ticks, [f"{value:g}" for value in ticks])
    bar.tick_params(labelsize=8, length=2, color="#7a838c")
    bar.set_title(f"{display_name(ramp.name)} ({ramp.unit})", size=8.5, loc="left", pad=3)
