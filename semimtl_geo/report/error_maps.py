"""Where a map is wrong, and by how much, as small pictures."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio import Affine
from rasterio.enums import Resampling

from semimtl_geo.report.thumbnails import NOTHING, paletted, round_up, shades, small_shape
from semimtl_geo.tasks import Segmentation, Task
from tiles.reading.warp import warped

VERDICTS: Final = {"right class": (226, 230, 233), "wrong class": (200, 24, 40)}
ERROR_RAMP: Final = (
    (255, 250, 240),
    (253, 212, 158),
    (252, 141, 89),
    (215, 48, 31),
    (127, 0, 0),
)
"""From no error to a large one."""


def error_top(high: float) -> float:
    """The error at the top of the ramp: half of the largest value shown."""
    return round_up(high / 2)


def error_picture(made: Path, truth: Path, task: Task, high: float, edge: int) -> Image.Image:
    """The errors of a map; transparent where it or the truth is unknown.

    Args:
        made: The map.
        truth: Its truth. If it is georeferenced it is brought onto the map's grid.
        task: What they show.
        high: The error at the top of the ramp; of no meaning for classes.
        edge: The longer edge of the picture, in pixels; rasters are never enlarged.
    """
    said, right, known = _pair(made, truth, edge)
    if isinstance(task, Segmentation):
        known &= (right >= 0) & (right < len(task.classes)) & (said < len(task.classes))
        return paletted(np.where(known, said != right, NOTHING), list(VERDICTS.values()))
    error = np.abs(np.where(known, said, 0).astype(np.float64) - np.where(known, right, 0))
    index = np.rint((error / high).clip(0, 1) * (NOTHING - 1))
    return paletted(np.where(known, index, NOTHING), shades(ERROR_RAMP))


def _pair(
    made: Path, truth: Path, edge: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_]]:
    """The same pixels of both, and which are known in both."""
    with ExitStack() as files:
        sources = [files.enter_context(rasterio.open(path)) for path in (made, truth)]
        first = sources[0]
        height, width = small_shape(first, edge)
        if all(source.crs is not None for source in sources):
            # Both in the same way, so that where they are of one grid the same pixels are taken.
            grid = {
                "crs": first.crs,
                "transform": first.transform
                @ Affine.scale(first.width / width, first.height / height),
                "width": width,
                "height": height,
                "resampling": Resampling.nearest,
            }
            sources = [files.enter_context(warped(source, **grid)) for source in sources]
        pairs = []
        for source in sources:
            data = source.read(1, out_shape=(height, width), resampling=Resampling.nearest)
            mask = source.read_masks(1, out_shape=(height, width), resampling=Resampling.nearest)
            pairs.append((data, (mask > 0) & np.isfinite(data)))
    (said, there), (right, known) = pairs
    return said, right, there & known
