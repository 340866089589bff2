"""A user's own label rasters: classes by value or colour, heights by scale and offset."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from semimtl_geo.prepare.own.schema import FolderSettings
from semimtl_geo.prepare.rasters.colour_code import ColourCode, unmatched_remark
from semimtl_geo.prepare.rasters.raw_raster import RawRaster
from semimtl_geo.prepare.summary import HeightHistogram
from tiles.errors import InputError
from tiles.reading.raster import Raster
from tiles.types import UNKNOWN_CLASS, BoolArray, Span, UInt8Array

LOWEST_HEIGHT: Final = -100.0
HIGHEST_HEIGHT: Final = 1000.0
"""Heights above ground, in metres, outside of which values are an undeclared nodata."""

MAX_LOW_HEIGHT: Final = 25.0
MAX_MEDIAN_HEIGHT: Final = 60.0
"""If the 5 % quantile or the median, in metres, is higher, the raster is a surface model: heights
above ground include ground, at 0."""

METRES: Final = ("", "m", "metre", "metres", "meter", "meters")


class ClassFile(Raster):
    """Raster of land cover, opened for reading.

    Args:
        path: Raster of values (one band) or of colours (three bands).
        settings: Values and colours of the classes.

    Attributes:
        remark: Remark for the summary; empty if there is none.

    Raises:
        InputError: If the raster has another number of bands, or values without any class.
    """

    def __init__(self, path: Path, settings: FolderSettings) -> None:
        super().__init__(path)
        self.remark = ""
        self._code: ColourCode | None = None
        try:
            if len(self.bands) == 3:
                self._code = self._colour_code(path, settings)
            elif len(self.bands) != 1:
                fault = f"must have one band of values or three of colour, has {len(self.bands)}"
                raise InputError(self.name, fault, "give a raster of classes alone")
            classes = dict(settings.class_of_value)
            classes |= {
                value: UNKNOWN_CLASS for value in settings.unknown if isinstance(value, int)
            }
            if self._code is None and not classes:
                remedy = "give each class its values in scenes.yaml"
                raise InputError(self.name, "has values, but no class has any", remedy)
        except BaseException:
            self.close()
            raise
        self._values = np.array(sorted(classes), np.int64)
        self._classes = np.array([classes[int(value)] for value in self._values], np.uint8)

    def _colour_code(self, path: Path, settings: FolderSettings) -> ColourCode:
        unknown = [color for color in settings.unknown if isinstance(color, tuple)]
        code = ColourCode([entry.color for entry in settings.classes], unknown)
        with RawRaster(path, self.name, self.bands) as raster:
            unmatched = code.check(raster, "give each class its colour in scenes.yaml")
        self.remark = unmatched_remark(unmatched)
        return code

    def read_classes(self, rows: Span, columns: Span) -> UInt8Array:
        """Read a window.

        Returns:
            Classes, uint8 [H, W], 255 where unknown.

        Raises:
            InputError: If a value is that of no class.
        """
        values, known = self.read(rows, columns)
        if self._code is not None:
            return np.where(known, self._code.decode(values), np.uint8(UNKNOWN_CLASS))
        index = np.clip(np.searchsorted(self._values, values[0]), 0, self._values.size - 1)
        unmatched = known & (self._values[index] != values[0])
        if unmatched.any():
            value = values[0][unmatched][0]
            fault = f"has the value {value:g}, which scenes.yaml gives no class"
            raise InputError(self.name, fault, "add it to the values of a class, or to unknown")
        return np.where(known, self._classes[index], np.uint8(UNKNOWN_CLASS))


class HeightFile(Raster):
    """Raster of heights above ground, opened for reading.

    Args:
        path: Raster of one band.
        settings: Scale, offset and nodata of the band.

    Raises:
        InputError: If the raster has more bands, or a unit other than the metre and no scale.
    """

    def __init__(self, path: str | PathLike[str], settings: FolderSettings) -> None:
        super().__init__(path)
        try:
            if len(self.bands) != 1:
                fault = f"must have one band of heights, has {len(self.bands)} bands"
                raise InputError(self.name, fault, "give the heights alone")
            band = self.bands[0] - 1
            self._scale, self._offset = settings.height.scale, settings.height.offset
            if self._scale is None:
                unit = (self._file.units[band] or "").strip().lower()
                if unit not in METRES:
                    remedy = "give height: {scale: metres per unit} in scenes.yaml"
                    raise InputError(self.name, f"its heights are in {unit!r}", remedy)
                self._scale = self._file.scales[band]
                self._offset += self._file.offsets[band]
        except BaseException:
            self.close()
            raise
        self._nodata = settings.height.nodata
        if self._nodata is not None and self.dtype.kind == "f":  # the file holds it rounded
            self._nodata = float(np.asarray(self._nodata).astype(self.dtype))

    def read_heights(self, rows: Span, columns: Span) -> tuple[Any, BoolArray]:
        """Read a window.

        Returns:
            Heights in metres, float64 [1, H, W], and known pixels, bool [H, W].

        Raises:
            InputError: If a height is impossible.
        """
        values, known = self.read(rows, columns)
        if self._nodata is not None:
            known = known & (values[0] != self._nodata)
        heights = np.where(known, values, 0) * np.float64(self._scale or 1.0) + self._offset
        possible = (heights[0] >= LOWEST_HEIGHT) & (heights[0] <= HIGHEST_HEIGHT)
        impossible = known & ~possible
        if impossible.any():
            value = values[0][impossible][0]
            fault = f"has {int(impossible.sum())} px of {value:g}, which is an impossible height"
            remedy = "if it means unknown, give height: {nodata: ...} in scenes.yaml"
            raise InputError(self.name, fault, remedy)
        return heights, known


class OverlapCheck:
    """Check that a label raster has known pixels where its orthophoto lies.

    Args:
        name: Name of the label raster in messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._any_known = False

    def add(self, known: npt.NDArray[Any]) -> None:
        """Take in the known classes or heights of one window, of shape [N]."""
        self._any_known |= known.size > 0

    def finish(self) -> None:
        """Raise an :class:`InputError` if there was no known pixel."""
        if not self._any_known:
            fault = "has no known pixel where the orthophoto lies"
            raise InputError(self._name, fault, "check its georeference and its nodata")


class HeightCheck(OverlapCheck):
    """Check that heights are known and above ground, not above sea level.

    Args:
        name: Name of the raster of heights in messages.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._histogram = HeightHistogram()

    def add(self, known: npt.NDArray[Any]) -> None:
        """Take in the known heights of one window in metres, of shape [N]."""
        super().add(known)
        self._histogram.add(known)

    def finish(self) -> None:
        """Raise an :class:`InputError` if the heights are none above ground."""
        super().finish()
        low, median = self._histogram.quantiles([0.05, 0.5])
        if low > MAX_LOW_HEIGHT or median > MAX_MEDIAN_HEIGHT:
            fault = (
                f"has a median height of {median:.0f} m and a 5 % quantile of {low:.0f} m, so it "
                "is a surface model, not heights above ground"
            )
            raise InputError(self._name, fault, "compute these with semimtl-geo ndsm")
