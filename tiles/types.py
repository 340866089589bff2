"""Names that all rooms share: array types, pixel ranges, callbacks, markers of unknown pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Final

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]
UInt8Array = npt.NDArray[np.uint8]
Int32Array = npt.NDArray[np.int32]
Int64Array = npt.NDArray[np.int64]
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]

Color = tuple[int, int, int]
"""Red, green and blue, each 0 to 255."""

RasterName = str | PathLike[str]
"""Path of a file, or anything else that GDAL opens, such as a URL."""

BandSelection = Sequence[int | str]
"""Bands by their numbers, from 1, or by their names."""

Span = tuple[int, int]
"""First row (or column) of a range, and one past its last."""

ProgressCallback = Callable[[int, int], None]
"""Function that is called with how much is done, and with how much there is to do."""

UNKNOWN_CLASS: Final = 255
"""Class of a pixel whose class nobody knows, in label rasters, batches and maps."""

VALUE_NODATA: Final = -9999.0
"""Nodata value of rasters of heights and other real values; arrays and batches have NaN instead."""
