"""Error maps: images of where and how much a map is wrong."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio import Affine
from rasterio.enums import Resampling

from semimtl_geo.report.thumbnails import paletted, small_shape
from semimtl_geo.tasks import Task
from tiles.reading.vrt import warped_vrt


def error_map(made: Path, truth: Path, task: Task, high: float | None, edge: int) -> Image.Image:
    """Draw the errors of a map; they are transparent where the map or the label is unknown.

    Args:
        made: The map.
        truth: Labels. If they are georeferenced they are resampled to the map's grid.
        task: Task of the map.
        high: The value at the top of the ramp of values, see :meth:`Task.colorize_error`.
        edge: Longer edge of the image in pixels; rasters are never enlarged.
    """
    prediction, target, known = _pair(made, truth, edge)
    return paletted(task.colorize_error(prediction, target, known, high))


def _pair(
    made: Path, truth: Path, edge: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
    """Read the same pixels of map and label, and the mask of those known in both."""
    with ExitStack() as files:
        sources = [files.enter_context(rasterio.open(path)) for path in (made, truth)]
        first = sources[0]
        height, width = small_shape(first, edge)
        if all(source.crs is not None for source in sources):
            # Both are read alike, so that the same pixels are compared if they have one grid.
            grid = {
                "crs": first.crs,
                "transform": first.transform
                @ Affine.scale(first.width / width, first.height / height),
                "width": width,
                "height": height,
                "resampling": Resampling.nearest,
            }
            sources = [files.enter_context(warped_vrt(source, **grid)) for source in sources]
        pairs = []
        for source in sources:
            data = source.read(1, out_shape=(height, width), resampling=Resampling.nearest)
            mask = source.read_masks(1, out_shape=(height, width), resampling=Resampling.nearest)
            pairs.append((data, (mask > 0) & np.isfinite(data)))
    (prediction, predicted), (target, labelled) = pairs
    return prediction, target, predicted & labelled
