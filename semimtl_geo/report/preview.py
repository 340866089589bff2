"""Preview of a mapped place: the image, and each map with its legend or scale below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Final

import matplotlib.colors
import numpy as np
import rasterio
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.enums import Resampling

from semimtl_geo.report.thumbnails import display_name, map_thumbnail
from semimtl_geo.tasks import Task
from semimtl_geo.tasks.coloring import Ramp
from tiles.files import atomic_write, write_errors
from tiles.grid import PixelGrid
from tiles.reading.vrt import warped_vrt
from tiles.types import Color

EDGE: Final = 900
"""Longer edge of each image in pixels."""

INCHES: Final = 4.6
"""Longer edge of each image in inches."""

GAP, HEAD, FOOT = 0.2, 0.4, 1.0
"""Inches between the images, above them, and below them."""

INK: Final = "#1b2430"


def write_preview(
    rasters: str | PathLike[str] | Sequence[str | PathLike[str]],
    maps: Mapping[str, Path],
    tasks: Sequence[Task],
    path: Path,
) -> None:
    """Write the preview.

    The image is shown on the maps' grid, so that what lies above one another is one place.

    Args:
        rasters: The orthophoto, or the files of one place.
        maps: The maps, by task name; all of one grid.
        tasks: Tasks of the maps.
        path: The PNG, which is written atomically.
    """
    files = [rasters] if isinstance(rasters, str | PathLike) else list(rasters)
    shown = [task for task in tasks if task.name in maps]
    grid = _small_grid(maps[shown[0].name])
    # Degrees of longitude are shorter than degrees of latitude.
    stretch = grid.pixel_size[1] / grid.pixel_size[0]
    inch = INCHES / max(grid.width, grid.height * stretch)
    # At least as wide as a legend.
    wide, high = max(grid.width * inch, 0.6 * INCHES), grid.height * inch * stretch
    columns = 1 + len(shown)
    size = (GAP + columns * (wide + GAP), HEAD + high + FOOT)
    figure = Figure(figsize=size, dpi=200, facecolor="white")
    for number in range(columns):
        left = GAP + number * (wide + GAP)
        axes = _axes(figure, left, HEAD, wide, high)
        below = _axes(figure, left, HEAD + high + 0.08, wide, FOOT - 0.12)
        if number == 0:
            title = Path(files[0]).name + (f" and {len(files) - 1} more" if files[1:] else "")
            _show(axes, _image(files, grid), title, stretch)
            _distance(below, grid, wide / inch)
            continue
        task = shown[number - 1]
        made = map_thumbnail(maps[task.name], task, None, EDGE)
        _show(axes, np.asarray(made.convert("RGBA")), display_name(task.name), stretch)
        legend = task.legend()
        if legend.swatches:
            _swatches(below, legend.swatches)
        for ramp in legend.ramps:
            _ramp(figure, left, HEAD + high + 0.2, wide, ramp)
    FigureCanvasAgg(figure)
    with write_errors(path), atomic_write(path) as part:
        figure.savefig(part, format="png")


def _small_grid(path: Path) -> PixelGrid:
    """Return the grid of a map, coarsened so that the figure holds all of it."""
    with rasterio.open(path) as source:
        factor = max(1.0, max(source.shape) / EDGE)
        width, height = (max(1, round(n / factor)) for n in (source.width, source.height))
        t, x, y = source.transform, source.width / width, source.height / height
        transform = Affine(t.a * x, t.b * y, t.c, t.d * x, t.e * y, t.f)
        return PixelGrid(source.crs, transform, width, height)


def _image(files: Sequence[str | PathLike[str]], grid: PixelGrid) -> NDArray[np.uint8]:
    """Return the first three bands of the images as red, green, blue and alpha ``[H, W, 4]``."""
    values = np.zeros((3, grid.height, grid.width), np.float32)
    known = np.zeros(values.shape[1:], bool)
    stretch = False
    for file in files:
        with rasterio.open(file) as source:
            bands = [1, 2, 3] if source.count >= 3 else [1, 1, 1]
            stretch |= source.dtypes[0] != "uint8"
            if (source.crs, *source.bounds) == (grid.crs, *grid.bounds):  # Reads overviews.
                part, mask = _read(source, bands, out_shape=values.shape)
            else:
                place = {"crs": grid.crs, "transform": grid.transform}
                size = {"width": grid.width, "height": grid.height}
                with warped_vrt(source, resampling=Resampling.average, **place, **size) as moved:
                    part, mask = _read(moved, bands)
        new = mask & ~known  # As in the maps, the first raster that knows a pixel counts.
        values[:, new] = part[:, new]
        known |= mask
    low, high = (0.0, 255.0)
    if stretch and known.any():
        low, high = np.percentile(values[:, known], (1, 99))
    bright = 255 * ((values - low) / max(high - low, 1e-9)).clip(0, 1)
    return np.dstack([*np.rint(bright), np.where(known, 255, 0)]).astype(np.uint8)


def _read(
    source: Any, bands: Sequence[int], **settings: Any
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Read bands ``[3, H, W]`` and the mask of known pixels."""
    read = source.read(bands, masked=True, resampling=Resampling.average, **settings)
    unknown: NDArray[np.bool_] = np.asarray(np.ma.getmaskarray(read).any(axis=0))
    return read.filled(0).astype(np.float32), ~unknown


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Any:
    """Add axes at a place given in inches from the figure's upper left corner."""
    wide, high = figure.get_size_inches()
    axes = figure.add_axes((left / wide, 1 - (top + height) / high, width / wide, height / high))
    axes.set_axis_off()
    return axes


def _show(axes: Any, image: NDArray[np.uint8], title: str, stretch: float) -> None:
    """Return an image of pixels that are not square, given their height over their width.

    What is transparent is hatched, so that nobody takes it for a class.
    """
    height, width = image.shape[:2]
    corner = (-0.5, -0.5)
    unknown = Rectangle(corner, width, height, facecolor="#dcdfe2", edgecolor="#b4bac0", zorder=0)
    unknown.set(hatch="////", linewidth=0)
    axes.add_patch(unknown)
    axes.imshow(image, interpolation="antialiased", zorder=1, aspect=stretch)
    # A dollar sign in a name is not mathematics.
    axes.set_title(title, fontsize=10, color=INK, pad=6, parse_math=False)


def _swatches(axes: Any, colors: Mapping[str, Color]) -> None:
    patches = [
        Patch(facecolor=(r / 255, g / 255, b / 255), edgecolor="#888", label=name)
        for name, (r, g, b) in colors.items()
    ]
    axes.legend(handles=patches, loc="upper center", ncols=2, frameon=False, fontsize=8)


def _ramp(figure: Figure, left: float, top: float, width: float, ramp: Ramp) -> None:
    colors = matplotlib.colors.LinearSegmentedColormap.from_list(
        "ramp", [tuple(channel / 255 for channel in color) for color in ramp.colors]
    )
    axes = _axes(figure, left + 0.1 * width, top, 0.8 * width, 0.14)
    axes.set_axis_on()
    scale = ScalarMappable(matplotlib.colors.Normalize(0, ramp.high), colors)
    bar = figure.colorbar(scale, cax=axes, orientation="horizontal")
    bar.set_label(f"{ramp.unit}; {ramp.high:g} and more are one colour", fontsize=8)
    bar.ax.tick_params(labelsize=8)


def _distance(axes: Any, grid: PixelGrid, pixels: float) -> None:
    """Draw a scale bar of a round number of metres.

    Args:
        axes: Axes to draw on.
        grid: Grid of the image.
        pixels: Width of the axes in pixels of the grid.
    """
    across = pixels * grid.pixel_size[0]
    unit = 10.0 ** np.floor(np.log10(across / 3))
    length = unit * max(n for n in (1, 2, 5) if n * unit <= across / 3)
    share = length / across
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.plot([0.5 - share / 2, 0.5 + share / 2], [0.82, 0.82], color=INK, linewidth=2)
    text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    axes.text(0.5, 0.72, text, ha="center", va="top", fontsize=8, color=INK)
    hatch = Patch(facecolor="#dcdfe2", edgecolor="#b4bac0", hatch="////", label="unknown")
    axes.legend(handles=[hatch], loc="lower center", frameon=False, fontsize=8)
