"""A user's own label rasters: classes by value or colour, heights by scale and offset."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from semimtl_geo.prepare.own.schema import Config
from semimtl_geo.prepare.rasters.colour_code import ColourCode
from semimtl_geo.prepare.rasters.raw_raster import Picture
from semimtl_geo.prepare.summary import HeightTally
from tiles.errors import InputError
from tiles.reading.raster import Raster
from tiles.types import UNKNOWN_CLASS, BoolArray, Span, UInt8Array

LOWEST, HIGHEST = -100.0, 1000.0
"""Nothing stands so far below or above the ground; what does is an undeclared nodata."""
GROUND, MIDDLE = 25.0, 60.0
"""If one pixel in 20 at most is lower than that, or half of them are higher, no ground is seen."""

METRES: Final = ("", "m", "metre", "metres", "meter", "meters")


class ClassFile(Raster):
    """Land cover, opened for reading.

    Args:
        path: A raster of values (one band) or of colours (three).
        config: What they mean.

    Attributes:
        remark: What is odd about it.

    Raises:
        InputError: It is neither.
    """

    def __init__(self, path: Path, config: Config) -> None:
        super().__init__(path)
        self.remark = ""
        self._some = False
        self._code: ColourCode | None = None
        try:
            if len(self.bands) == 3:
                self._code = self._colours(path, config)
            elif len(self.bands) != 1:
                fault = f"has {len(self.bands)} bands, neither one of values nor three of colour"
                raise InputError(self.name, fault, "give it as classes alone")
        except BaseException:
            self.close()
            raise
        table = {v: number for number, entry in enumerate(config.classes) for v in entry.values}
        table |= {value: UNKNOWN_CLASS for value in config.unknown if isinstance(value, int)}
        if self._code is None and not table:
            self.close()
            remedy = "give each class its values in scenes.yaml"
            raise InputError(self.name, "has values, but no class has any", remedy)
        self._keys = np.array(sorted(table), np.int64)
        self._numbers = np.array([table[int(key)] for key in self._keys], np.uint8)

    def _colours(self, path: Path, config: Config) -> ColourCode:
        unknown = [value for value in config.unknown if isinstance(value, tuple)]
        code = ColourCode([entry.color for entry in config.classes], unknown)
        with Picture(path, self.name, self.bands) as picture:
            strange = code.check(picture, "give each class its colour in scenes.yaml")
        self.remark = f"{strange} px had a colour of no class" if strange else ""
        return code

    def classes(self, rows: Span, columns: Span) -> UInt8Array:
        """Classes [H, W] of a window, 255 where unknown.

        Raises:
            InputError: A value has no class.
        """
        values, known = self.read(rows, columns)
        if self._code is not None:
            return np.where(known, self._code.decode(values), np.uint8(UNKNOWN_CLASS))
        place = np.clip(np.searchsorted(self._keys, values[0]), 0, self._keys.size - 1)
        strange = known & (self._keys[place] != values[0])
        if strange.any():
            value = values[0][strange][0]
            fault = f"has the value {value:g}, which scenes.yaml gives no class"
            raise InputError(self.name, fault, "add it to the values of a class, or to unknown")
        return np.where(known, self._numbers[place], np.uint8(UNKNOWN_CLASS))

    def check(self, known: npt.NDArray[Any] | None) -> None:
        """Check that anything was found, as `scenes.write_landcover` calls it."""
        self._some = _check_some(self, self._some, known)


class HeightFile(Raster):
    """Heights above ground, opened for reading.

    Args:
        path: A raster of one band.
        config: Its scale, offset, and what means unknown.

    Raises:
        InputError: It has more bands, or a unit other than the metre.
    """

    def __init__(self, path: str | PathLike[str], config: Config) -> None:
        super().__init__(path)
        try:
            if len(self.bands) != 1:
                fault = f"has {len(self.bands)} bands, but heights are one"
                raise InputError(self.name, fault, "give the heights alone")
            band = self.bands[0] - 1
            self._scale, self._offset = config.scale, config.offset
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
        self._nodata = config.nodata
        if self._nodata is not None and self.dtype.kind == "f":  # as it was rounded in the file
            self._nodata = float(np.asarray(self._nodata).astype(self.dtype))
        self._some = False
        self._tally = HeightTally()

    def heights(self, rows: Span, columns: Span) -> tuple[Any, BoolArray]:
        """Heights [1, H, W] of a window in metres, and which are known.

        Raises:
            InputError: A height is none.
        """
        values, known = self.read(rows, columns)
        if self._nodata is not None:
            known = known & (values[0] != self._nodata)
        made = np.where(known, values, 0) * np.float64(self._scale or 1.0) + self._offset
        absurd = known & ~((made[0] >= LOWEST) & (made[0] <= HIGHEST))
        if absurd.any():
            fault = f"has {int(absurd.sum())} px of {values[0][absurd][0]:g}, which is no height"
            remedy = "if it means unknown, give height: {nodata: ...} in scenes.yaml"
            raise InputError(self.name, fault, remedy)
        return made, known

    def check(self, known: npt.NDArray[Any] | None) -> None:
        """Check that heights are above ground, as `scenes.write_height` calls it."""
        self._some = _check_some(self, self._some, known)
        if known is not None:
            self._tally.add(known)
            return
        low, middle = self._tally.quantiles([0.05, 0.5])
        if low > GROUND or middle > MIDDLE:
            fault = (
                f"has heights of {middle:.0f} m in the middle and {low:.0f} m at the foot (5 %), "
                "so it is a surface model, not heights above ground"
            )
            raise InputError(self.name, fault, "make these with semimtl-geo ndsm")


def _check_some(raster: Raster, some: bool, known: npt.NDArray[Any] | None) -> bool:
    if known is not None:
        return some or known.size > 0
    if not some:
        fault = "has no known pixel where the orthophoto lies"
        raise InputError(raster.name, fault, "check its georeference and its nodata")
    return some
