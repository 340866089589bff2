"""Connected areas of a map as polygons, panel by panel."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from tiles.errors import InvalidValueError
from tiles.types import UNKNOWN_CLASS, ProgressCallback
from tiles.vectors.class_raster import ClassRaster
from tiles.vectors.components import Areas
from tiles.vectors.labelling import Sweep
from tiles.vectors.outlines import Outlines

# Noise of outlines, in m and in pixels; right-angled footprints have no shorter steps.
_NOISE_M, _NOISE_PIXELS = 0.5, 1.5


def check_sizes(panel: int, **sizes: float) -> None:
    """Check the width of a panel in pixels, and sizes that must be finite and at least 0."""
    if panel < 1:
        raise InvalidValueError("panel", f"must be >= 1 px, got {panel}", "give 1 px or more")
    for name, size in sizes.items():
        if not 0 <= size < math.inf:
            raise InvalidValueError(name, f"must be >= 0, got {size}", "give 0 or more")


def right_angle_tolerance(source: ClassRaster) -> float:
    """Return the tolerance for right angles, in m."""
    return max(_NOISE_M, _NOISE_PIXELS * source.grid.gsd)


def found_regions(
    sweep: Sweep,
    source: ClassRaster,
    wanted: npt.NDArray[np.bool_],
    min_area: float,
    progress: ProgressCallback | None,
) -> Iterator[tuple[Areas, Outlines, npt.NDArray[Any]]]:
    """Yield areas of wanted classes that are large enough, with outlines and polygons."""
    least = min_area / source.pixel_area
    blanks = np.zeros((0, 2), np.int64)
    for done, areas in enumerate(sweep, start=1):
        # Enclosed areas finish no later than enclosing ones; larger ones fit into no filled hole.
        blank = areas.first[(areas.value == UNKNOWN_CLASS) & (areas.pixels < least)]
        here = np.stack(np.divmod(blank, source.grid.width), axis=1)
        blanks = np.concatenate([blanks, here])
        large = wanted[areas.value] & (areas.pixels >= least)
        count = int(np.count_nonzero(large))
        chosen = areas.merged(np.where(large, np.cumsum(large) - 1, -1).astype(np.int32), count)
        outlines = Outlines(chosen.corners, count, least, blanks)
        yield chosen, outlines, outlines.polygons(source.grid.transform)
        if progress is not None:
            progress(done, sweep.count)
