"""Rasters as small images in their colours."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import Resampling

from semimtl_geo.report.example_scene import EDGE, ExampleScene
from semimtl_geo.tasks import Task
from semimtl_geo.tasks.coloring import TRANSPARENT, IndexedColors, round_up


def image_thumbnail(path: Path, edge: int) -> Image.Image:
    """Return the first three bands of an orthophoto as a figure, transparent where unknown."""
    with rasterio.open(path) as source:
        bands = [1, 2, 3] if source.count >= 3 else [1, 1, 1]
        shape = small_shape(source, edge)
        data = source.read(bands, out_shape=(3, *shape), masked=True, resampling=Resampling.average)
    unknown = np.ma.getmaskarray(data) | ~np.isfinite(data.data)
    known = ~unknown.any(axis=0)
    values = np.moveaxis(data.data, 0, -1)
    if values.dtype != np.uint8:
        low, high = np.percentile(values[known], (1, 99)) if known.any() else (0, 1)
        stretched = (values.astype(np.float64) - low) / max(high - low, 1e-9)
        values = (255 * np.nan_to_num(stretched).clip(0, 1)).astype(np.uint8)
    if known.all():
        return Image.fromarray(np.ascontiguousarray(values))
    return Image.fromarray(np.dstack([values, np.where(known, 255, 0).astype(np.uint8)]))


def map_thumbnail(path: Path, task: Task, high: float | None, edge: int) -> Image.Image:
    """Return a label raster or map in its colours, transparent where unknown.

    Args:
        path: The raster.
        task: Task of the raster.
        high: The value at the top of the colour ramp; the task's own if None.
        edge: Longer edge of the image in pixels; rasters are never enlarged.

    Returns:
        A paletted image.
    """
    resampling = Resampling[task.layer().overviews.lower()]
    data, known = read_small(path, edge, resampling)
    return paletted(task.colorize(data, known, high))


def paletted(colors: IndexedColors) -> Image.Image:
    """Convert palette indices to an image, transparent where unknown."""
    made = Image.fromarray(colors.indices)
    palette = [int(channel) for color in colors.palette for channel in color]
    # The palette must include the transparent entry.
    made.putpalette(palette + [0] * (3 * 256 - len(palette)))
    made.info["transparency"] = TRANSPARENT
    return made


def ramp_maxima(scenes: Sequence[ExampleScene], tasks: Sequence[Task]) -> dict[str, float]:
    """Return the maximum of each real-valued task's colour ramp, shared by all scenes."""
    result: dict[str, float] = {}
    for task in tasks:
        if task.full_scale is not None:
            pairs = [
                read_small(p.truth[task.name], EDGE, Resampling.average)
                for p in scenes
                if task.name in p.truth
            ]
            # A percentile, so that single tall objects do not compress the colour range.
            highest = [
                float(np.percentile(data[known], 99.5)) for data, known in pairs if known.any()
            ]
            result[task.name] = round_up(max(highest, default=0.0)) or task.full_scale
    return result


def data_uri(made: Image.Image) -> str:
    """Encode an image as text that a page can embed."""
    buffer = io.BytesIO()
    if made.mode == "P":
        made.save(buffer, "PNG", transparency=TRANSPARENT, optimize=True)
        kind = "png"
    elif made.mode == "RGB":
        made.save(buffer, "JPEG", quality=86, optimize=True)
        kind = "jpeg"
    else:
        made.save(buffer, "WEBP", quality=86)
        kind = "webp"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def read_small(
    path: Path, edge: int, resampling: Resampling
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Read decimated values and the mask of known ones."""
    with rasterio.open(path) as source:
        data = source.read(
            1, out_shape=small_shape(source, edge), masked=True, resampling=resampling
        )
    return data.data, ~np.ma.getmaskarray(data) & np.isfinite(data.data)


def small_shape(source: rasterio.DatasetReader, edge: int) -> tuple[int, int]:
    """Return rows and columns of a raster, scaled so that the longer edge is at most `edge`."""
    factor = max(1.0, max(source.shape) / edge)
    return max(1, round(source.height / factor)), max(1, round(source.width / factor))
