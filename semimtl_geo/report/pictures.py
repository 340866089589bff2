"""Rasters as small pictures: for the page as data URIs, and all together as one PNG."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import Resampling

from semimtl_geo.tasks import Depth, Segmentation, Task
from tiles.styles import RAMP

HIDDEN: Final = "labels never seen in training"
NOTHING: Final = 255
"""The palette's entry for unknown pixels: transparent."""

DPI: Final = 120
CELL: Final = 2.0
"""Edge of one picture of the figure, in inches."""
GAP: Final = 0.12
CAPTION: Final = 0.26
HEAD: Final = 0.48
SIDE: Final = 0.55


@dataclass(frozen=True)
class Panel:
    """One scene, its truth, and the maps of it.

    Attributes:
        domain: Where it is.
        image: The orthophoto.
        truth: Label rasters, by task name.
        maps: Map rasters, by method and task name.
        hidden: Names of the tasks whose labels the training never saw in this domain.
    """

    domain: str
    image: Path
    truth: Mapping[str, Path]
    maps: Mapping[str, Mapping[str, Path]]
    hidden: Sequence[str]


def spoken(name: str) -> str:
    """A name as in running text: ``city_a`` is City A, ``landcover`` is land cover."""
    if name == "landcover":
        return "land cover"
    words = name.split("_")
    return " ".join(map(str.capitalize, words)) if len(words) > 1 and name.islower() else name


def methods(panels: Sequence[Panel], task: Task) -> list[str]:
    """The methods that mapped a task in any of the panels, in the order of their first panel."""
    found = (name for panel in panels for name, maps in panel.maps.items() if task.name in maps)
    return list(dict.fromkeys(found))


def photo(path: Path, edge: int) -> Image.Image:
    """An orthophoto's first three bands as red, green and blue; transparent where unknown."""
    with rasterio.open(path) as source:
        bands = [1, 2, 3] if source.count >= 3 else [1, 1, 1]
        shape = _shape(source, edge)
        data = source.read(bands, out_shape=(3, *shape), masked=True, resampling=Resampling.average)
    known = ~np.ma.getmaskarray(data).any(axis=0)
    values = np.moveaxis(data.data, 0, -1)
    if values.dtype != np.uint8:
        low, high = np.percentile(values[known], (1, 99)) if known.any() else (0, 1)
        stretched = (values.astype(np.float64) - low) / max(high - low, 1e-9)
        values = (255 * np.nan_to_num(stretched).clip(0, 1)).astype(np.uint8)
    if known.all():
        return Image.fromarray(np.ascontiguousarray(values))
    return Image.fromarray(np.dstack([values, np.where(known, 255, 0).astype(np.uint8)]))


def picture(path: Path, task: Task, high: float, edge: int) -> Image.Image:
    """A label raster or map in its colours; transparent where unknown.

    Args:
        path: The raster.
        task: What it shows.
        high: The value at the top of the colour ramp; of no meaning for classes.
        edge: The longer edge of the picture, in pixels; rasters are never enlarged.

    Returns:
        A paletted picture.
    """
    if isinstance(task, Segmentation):
        data, known = _read(path, edge, Resampling.mode)
        known &= (data >= 0) & (data < len(task.classes))
        index = np.where(known, data, NOTHING)
        colors = [tuple(color) for color in task.colors]
    else:
        data, known = _read(path, edge, Resampling.average)
        share = np.where(known, data, 0) / high
        index = np.where(known, np.rint(share.clip(0, 1) * (NOTHING - 1)), NOTHING)
        stops = np.linspace(0, NOTHING - 1, len(RAMP))
        channels = [
            np.interp(np.arange(NOTHING), stops, channel) for channel in zip(*RAMP, strict=True)
        ]
        colors = [tuple(color) for color in np.rint(np.transpose(channels)).astype(int).tolist()]
    made = Image.fromarray(index.astype(np.uint8))
    palette = [int(channel) for color in colors for channel in color]
    # The palette must reach the transparent entry.
    made.putpalette(palette + [0] * (3 * 256 - len(palette)))
    made.info["transparency"] = NOTHING
    return made


def tops(panels: Sequence[Panel], tasks: Sequence[Task]) -> dict[str, float]:
    """The value at the top of each real-valued task's colour ramp, the same in all panels."""
    result: dict[str, float] = {}
    for task in tasks:
        if isinstance(task, Depth):
            pairs = [
                _read(p.truth[task.name], 420, Resampling.average)
                for p in panels
                if task.name in p.truth
            ]
            # A steeple or a crane shall not darken everything else.
            highest = [
                float(np.percentile(data[known], 99.5)) for data, known in pairs if known.any()
            ]
            result[task.name] = _round_up(max(highest, default=0.0)) or task.scale
    return result


def data_uri(made: Image.Image) -> str:
    """A picture as text that a page can hold."""
    buffer = io.BytesIO()
    if made.mode == "P":
        made.save(buffer, "PNG", transparency=NOTHING, optimize=True)
        kind = "png"
    elif made.mode == "RGB":
        made.save(buffer, "JPEG", quality=86, optimize=True)
        kind = "jpeg"
    else:
        made.save(buffer, "WEBP", quality=86)
        kind = "webp"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def panel_size(panels: Sequence[Panel], tasks: Sequence[Task]) -> tuple[int, int]:
    """Width and height of :func:`panel_figure`'s picture, in pixels."""
    columns = 2 + max((len(methods(panels, task)) for task in tasks), default=0)
    width = SIDE + columns * (CELL + GAP) + GAP
    height = GAP + len(panels) * (HEAD + len(tasks) * (CELL + CAPTION + 2 * GAP))
    return round(width * DPI), round(height * DPI)


def panel_figure(panels: Sequence[Panel], tasks: Sequence[Task], path: Path) -> None:
    """Write all panels side by side as one PNG, for a README.

    Per panel and task a row: image or key, truth, and the map of each method.

    Args:
        panels: The scenes.
        tasks: What was mapped.
        path: The picture; written aside and renamed.
    """
    width, height = panel_size(panels, tasks)
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
    top_values = tops(panels, tasks)
    top = GAP
    for panel in panels:
        _text(figure, GAP, top + HEAD / 2, spoken(panel.domain), size=15, weight="bold")
        top += HEAD
        for number, task in enumerate(tasks):
            hidden = task.name in panel.hidden
            _row(figure, top, hidden, spoken(task.name))
            cells: list[tuple[str, Image.Image | None]] = []
            cells.append(("image", photo(panel.image, 420)) if number == 0 else ("", None))
            files = {"truth": panel.truth.get(task.name)} | {
                name: panel.maps.get(name, {}).get(task.name) for name in methods(panels, task)
            }
            for name, file in files.items():
                made = picture(file, task, top_values.get(task.name, 1.0), 420) if file else None
                cells.append((name, made))
            for column, (name, made) in enumerate(cells):
                left = SIDE + column * (CELL + GAP)
                if made is not None:
                    _text(figure, left, top + GAP + CAPTION / 2, _wrap(name), size=9)
                    shown = _axes(figure, left, top + GAP + CAPTION, CELL, CELL)
                    shown.imshow(np.asarray(made.convert("RGBA")), interpolation="antialiased")
                    shown.set_axis_off()
            if number == 1:
                _keys(figure, SIDE, top + GAP + CAPTION, tasks, top_values)
            top += CELL + CAPTION + 2 * GAP
    aside = path.with_name(f".{path.name}.part")
    try:
        FigureCanvasAgg(figure)
        figure.savefig(aside, format="png")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _read(path: Path, edge: int, resampling: Resampling) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Decimated values, and which of them are known."""
    with rasterio.open(path) as source:
        data = source.read(1, out_shape=_shape(source, edge), masked=True, resampling=resampling)
    return data.data, ~np.ma.getmaskarray(data) & np.isfinite(data.data)


def _shape(source: rasterio.DatasetReader, edge: int) -> tuple[int, int]:
    factor = max(1.0, max(source.shape) / edge)
    return max(1, round(source.height / factor)), max(1, round(source.width / factor))


def _round_up(value: float) -> float:
    """The next number with one digit, or fifths of it: a top that is easy to read."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** np.floor(np.log10(value))
    return float(unit * np.ceil(5 * value / unit) / 5)


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Any:
    """Axes at a place given in inches from the figure's upper left corner."""
    wide, high = figure.get_size_inches()
    return figure.add_axes((left / wide, 1 - (top + height) / high, width / wide, height / high))


def _wrap(name: str) -> str:
    """Long names of methods in two lines."""
    return name.replace(", ", ",\n")


def _text(figure: Figure, left: float, top: float, text: str, **style: Any) -> None:
    wide, high = figure.get_size_inches()
    # A name may hold a dollar sign, which is not mathematics.
    defaults: dict[str, Any] = {"va": "center", "parse_math": False, "color": "#1b2430"}
    figure.text(left / wide, 1 - top / high, text, **(defaults | style))


def _row(figure: Figure, top: float, hidden: bool, name: str) -> None:
    """The ground and the label of one row."""
    wide, high = figure.get_size_inches()
    tall = CELL + CAPTION + 1.5 * GAP
    color = "#fdf1dc" if hidden else "#f3f4f4"
    corner = (GAP / wide, 1 - (top + tall) / high)
    # Below the axes, which are at 0.
    figure.add_artist(Rectangle(corner, 1 - 2 * GAP / wide, tall / high, color=color, zorder=-1))
    side: dict[str, Any] = {"rotation": 90, "ha": "center"}
    middle = top + tall / 2
    if hidden:
        _text(figure, 0.25, middle, name, size=11, weight="bold", **side)
        _text(figure, 0.43, middle, HIDDEN, size=8.5, color="#9a5b00", **side)
    else:
        _text(figure, 0.33, middle, name, size=11, weight="bold", **side)


def _keys(
    figure: Figure, left: float, top: float, tasks: Sequence[Task], top_values: Mapping[str, float]
) -> None:
    """What the colours mean, in place of a second copy of the image."""
    line = 0.165
    for task in tasks:
        if isinstance(task, Segmentation):
            for name, color in zip(task.classes, task.colors, strict=True):
                box = _axes(figure, left + 0.02, top, 0.14, 0.11)
                box.set_facecolor([channel / 255 for channel in color])
                box.set_xticks([])
                box.set_yticks([])
                for spine in box.spines.values():
                    spine.set(linewidth=0.6, color="#7a838c")
                _text(figure, left + 0.24, top + 0.055, name, size=8.5)
                top += line
        elif isinstance(task, Depth):
            top += 0.25
            bar = _axes(figure, left + 0.02, top, CELL - 0.2, 0.13)
            stops = np.linspace(0, 1, len(RAMP))
            shares = np.linspace(0, 1, 256)
            colors = [np.interp(shares, stops, channel) for channel in zip(*RAMP, strict=True)]
            high = top_values[task.name]
            ramp = np.rint(np.transpose(colors)).astype(np.uint8)[None]
            bar.imshow(ramp, aspect="auto", extent=(0, high, 0, 1))
            bar.set_yticks([])
            bar.set_xticks([0, high / 2, high], [f"{v:g}" for v in (0, high / 2, high)])
            bar.tick_params(labelsize=8, length=2, color="#7a838c")
            bar.set_title(f"{spoken(task.name)} ({task.unit})", size=8.5, loc="left", pad=3)
            top += 0.45
