"""A user's own label rasters: classes by value or colour."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from semimtl_geo.prepare.own.schema import FolderSettings
from semimtl_geo.prepare.rasters.colour_code import ColourCode, unmatched_remark
from semimtl_geo.prepare.rasters.raw_raster import RawRaster
from tiles.errors import InputError
from tiles.reading.source import Source
from tiles.types import UNKNOWN_CLASS, Color, Span, UInt8Array


class ClassRasters(Source):
    """Rasters of land cover, opened for reading as if they were one.

    Args:
        paths: Rasters of values (one band) or of colours (three bands).
        settings: Values and colours of the classes.

    Attributes:
        remark: Remark for the summary; empty if there is none.

    Raises:
        InputError: If the raster has another number of bands, or values without any class.
    """

    def __init__(self, paths: Sequence[Path], settings: FolderSettings) -> None:
        super().__init__(paths, classes=True)
        self.remark = ""
        self._code: ColourCode | None = None
        try:
            if len(self.bands) == 3:
                self._code = self._colour_code(paths, settings)
            elif len(self.bands) != 1:
                fault = f"must have one band of values or three of colour, has {len(self.bands)}"
                raise InputError(self.name, fault, "give a raster of classes alone")
            # Texts are values of polygons.
            classes = {
                value: number for value, number in settings.class_of_value if isinstance(value, int)
            }
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
        self._numbers = np.array([classes[int(value)] for value in self._values], np.uint8)

    def _colour_code(self, paths: Sequence[Path], settings: FolderSettings) -> ColourCode:
        unknown = [color for color in settings.unknown if isinstance(color, tuple)]
        code = _colour_table(tuple(entry.color for entry in settings.classes), tuple(unknown))
        unmatched = [
            _unmatched_pixels(path, path.stat().st_mtime_ns, self.bands, code) for path in paths
        ]
        self.remark = unmatched_remark(sum(unmatched))
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
        return np.where(known, self._numbers[index], np.uint8(UNKNOWN_CLASS))


@lru_cache(1)
def _colour_table(colors: tuple[Color, ...], unknown: tuple[Color, ...]) -> ColourCode:
    return ColourCode(colors, unknown)


@lru_cache
def _unmatched_pixels(path: Path, changed: int, bands: tuple[int, ...], code: ColourCode) -> int:
    """Check a raster of colours once, though it may lie at many orthophotos.

    Args:
        path: The raster.
        changed: Time of its last change; another state of it is checked again.
        bands: Numbers of the bands of red, green and blue.
        code: Colours of the classes.

    Returns:
        Number of pixels whose colour is that of no class.

    Raises:
        InputError: If it is no label image.
    """
    with RawRaster(path, str(path), bands) as raster:
        return code.check(raster, "give each class its colour in scenes.yaml")
