"""Types and constants that all packages share: arrays, pixel ranges, callbacks, nodata values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Final, Literal

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
"""Numbers of bands, from 1, or their names."""

Span = tuple[int, int]
"""Range of rows or columns: the first, and one past the last."""

ProgressCallback = Callable[[int, int], None]
"""Function that takes the amount of work that is done, and the total amount."""

LabelKind = Literal["classes", "values"]
"""Whether a label raster holds class indices or real values."""

UNKNOWN_CLASS: Final = 255
"""Class index of pixels whose class is unknown, in label rasters, batches and maps."""

VALUE_NODATA: Final = -9999.0
"""Nodata value of rasters of real values, such as heights; arrays and batches have NaN instead."""

LOWEST_HEIGHT: Final = -1000.0
"""Metres below which a value is no height on earth, but stands for an unknown pixel."""

WHITE_TAG: Final = "SEMIMTL_WHITE"
"""Tag of a prepared orthophoto: the value of the original that became 255."""
