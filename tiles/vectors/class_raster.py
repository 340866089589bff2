"""Reading of a map of classes, and of their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from tiles.errors import InputError, errors_of
from tiles.files import Closeable
from tiles.reading.raster import Raster
from tiles.types import UNKNOWN_CLASS, RasterName, Span


class ClassRaster(Closeable):
    """A map of classes opened for reading.

    Args:
        path: A raster with one uint8 band.
        classes: Names of the classes 0, 1, ...; by default those in the file's auxiliary file.

    Attributes:
        name: The file.
        grid: Grid of the raster.
        names: Names of the classes, None if nothing names them.
        pixel_area: In m².
    """

    def __init__(self, path: RasterName, classes: Sequence[str] | None = None) -> None:
        self._raster = Raster(path)
        try:
            self.name, self.grid = self._raster.name, self._raster.grid
            if len(self._raster.bands) != 1:
                self._refuse(f"has {len(self._raster.bands)} bands")
            kind = self._raster.dtype
            if kind != np.uint8:
                self._refuse(f"has values of type {kind}")
            self.names = list(classes) if classes is not None else category_names(path)
            with errors_of(self.name):
                width, height = self.grid.pixel_size
        except BaseException:
            self._raster.close()
            raise
        self.pixel_area = width * height

    def _refuse(self, fault: str) -> None:
        raise InputError(self.name, f"is not a class map: it {fault}", "give one band of uint8")

    def label(self, number: int) -> str:
        """Return the name of a class."""
        return str(number) if self.names is None else self.names[number]

    def read(self, rows: Span, columns: Span) -> npt.NDArray[np.uint8]:
        """Read the classes [H, W] of a window, 255 where unknown."""
        values, known = self._raster.read(rows, columns)
        classes: npt.NDArray[np.uint8] = np.where(known, values[0], np.uint8(UNKNOWN_CLASS))
        if self.names is not None:
            wrong = classes[(classes >= len(self.names)) & (classes != UNKNOWN_CLASS)]
            if wrong.size:
                fault = f"has pixels of class {wrong[0]}, but names for {len(self.names)} classes"
                raise InputError(self.name, fault, "give a name for each class")
        return classes

    def close(self) -> None:
        """Close the file."""
        self._raster.close()


def category_names(path: RasterName) -> list[str] | None:
    """Return the class names in GDAL's auxiliary file of a raster, None if there are none."""
    auxiliary = Path(f"{path}.aux.xml")
    if not auxiliary.is_file():
        return None
    try:
        # The parser opens no other file or address, and limits the expansion of entities.
        root = ET.fromstring(auxiliary.read_bytes())  # noqa: S314
    except (OSError, ET.ParseError) as error:
        fault = f"cannot be read ({error})"
        raise InputError(auxiliary, fault, "delete it, or write it again with the map") from error
    found = root.findall("PAMRasterBand[@band='1']/CategoryNames/Category")
    return [(category.text or "").strip() for category in found] or None


def class_number(source: ClassRaster, wanted: int | str) -> int:
    """Return the number of a class.

    Args:
        source: The map.
        wanted: The class's number, or its name (case does not matter).
    """
    names = source.names
    if isinstance(wanted, int):
        if 0 <= wanted < (UNKNOWN_CLASS if names is None else len(names)):
            return wanted
        raise InputError(source.name, f"has no class {wanted}", "give the number of a class")
    number = find_class(source, wanted)
    if number is None:
        what = "no class names" if names is None else f"the classes {', '.join(names)}"
        fault = f"has no class called {wanted}, but {what}"
        raise InputError(source.name, fault, "say which class it is, by name or number")
    return number


def find_class(source: ClassRaster, name: str) -> int | None:
    """Return the number of a class by its name in any case, None if there is none."""
    folded = [known.casefold() for known in source.names or ()]
    return folded.index(name.casefold()) if name.casefold() in folded else None
