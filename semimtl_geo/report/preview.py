"""Preview of a mapped place: the image, and each map with its legend or scale below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from matplotlib.patches import Patch
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.enums import Resampling

from semimtl_geo.report.drawing import (
    INK,
    UNKNOWN,
    new_figure,
    show_classes,
    show_image,
    show_ramp,
)
from semimtl_geo.report.example_scene import humanize
from semimtl_geo.report.thumbnails import map_thumbnail
from semimtl_geo.tasks import Task
from tiles.files import atomic_write, write_errors
from tiles.grid import PixelGrid
from tiles.reading.addresses import public_name
from tiles.reading.vrt import warped_vrt

EDGE: Final = 900
"""Longer edge of each image in pixels."""

INCHES: Final = 4.6
"""Longer edge of each image in inches."""

AROUND: Final = 1.1
"""Inches above and below the images."""

BELOW: Final[Mapping[str, Any]] = {
    "loc": "upper center",
    "bbox_to_anchor": (0.5, -0.01),
    "fontsize": 8,
}
"""Place of a legend below an image."""


def write_preview(
    rasters: str | PathLike[str] | Sequence[str | PathLike[str]],
    maps: Mapping[str, Path],
    tasks: Sequence[Task],
    path: Path,
) -> None:
    """Write the preview.

    The image is resampled to the maps' grid, so that all panels show the same ground.

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
    aspect = grid.pixel_size[1] / grid.pixel_size[0]
    inch = INCHES / max(grid.width, grid.height * aspect)
    # At least as wide as a legend.
    width = max(grid.width * inch, 0.6 * INCHES)
    size = (1 + len(shown)) * width, grid.height * aspect * inch + AROUND
    figure = new_figure(*size, dpi=200)
    first, *others = figure.subplots(1, 1 + len(shown))
    more = f" and {len(files) - 1} more" if files[1:] else ""
    title = public_name(files[0]) + more
    show_image(first, _image(files, grid), title, aspect, fontsize=10)
    first.legend(handles=[Patch(**UNKNOWN, label="unknown")], frameon=False, **BELOW)
    _scale_bar(first, grid)
    for axes, task in zip(others, shown, strict=True):
        made = map_thumbnail(maps[task.name], task, None, EDGE).convert("RGBA")
        show_image(axes, np.asarray(made), humanize(task.name), aspect, fontsize=10)
        legend = task.legend()
        if legend.swatches:
            show_classes(axes, legend.swatches, ncols=2, **BELOW)
        for ramp in legend.ramps:
            label = f"{ramp.unit}, clipped at {ramp.high:g}"
            show_ramp(figure, ramp, label, ax=axes, shrink=0.8, aspect=25, pad=0.02, panchor=False)
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
    unknown = np.ma.getmaskarray(read) | ~np.isfinite(read.data)
    known: NDArray[np.bool_] = ~unknown.any(axis=0)
    return np.where(unknown, 0, read.data).astype(np.float32), known


def _scale_bar(axes: Any, grid: PixelGrid) -> None:
    """Draw a scale bar of a round number of metres into the image of a grid."""
    across = grid.width * grid.pixel_size[0]
    unit = 10.0 ** np.floor(np.log10(across / 3))
    length = unit * max(n for n in (1, 2, 5) if n * unit <= across / 3)
    text = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    bar = AnchoredSizeBar(
        axes.transData, length / grid.pixel_size[0], text, "lower left", pad=0.4, sep=3
    )
    bar.size_bar.get_children()[0].set(color=INK, linewidth=2)
    bar.patch.set(alpha=0.8, linewidth=0)
    axes.add_artist(bar)
