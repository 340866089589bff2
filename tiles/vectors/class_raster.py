"""Reading of maps: classes with their names, and heights on the same grid."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt
import pyproj

from tiles.errors import InputError, errors_of, unmarked_nodata
from tiles.files import Closeable
from tiles.grid import PIXEL_TOLERANCE, PixelGrid
from tiles.reading.raster import Raster
from tiles.types import LOWEST_HEIGHT, UNKNOWN_CLASS, RasterName, Span

# Greatest relative difference of areas on the map from those on the ground.
_AREA_ERROR = 0.02


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


def metres_per_unit(grid: PixelGrid, name: str) -> float:
    """Return the metres per unit of the map's CRS, which must preserve areas within 2 %.

    Raises:
        InputError: If it does not, or its unit is the degree.
    """
    west, south, east, north = grid.bounds
    crs = pyproj.CRS.from_user_input(grid.crs)
    fault = None
    longitude, latitude = (west + east) / 2, (south + north) / 2
    if crs.is_geographic:
        fault = "has coordinates in degrees, in which areas cannot be measured"
    elif crs.is_projected:
        project = pyproj.Proj(crs)
        longitude, latitude = project(longitude, latitude, inverse=True)
        scale = float(project.get_factors(longitude, latitude).areal_scale)
        if not abs(scale - 1) <= _AREA_ERROR:  # also if it is NaN
            fault = f"has a projection that shows areas {scale:.3g} times as large"
    if fault and not (math.isfinite(longitude) and math.isfinite(latitude)):
        fault = "has coordinates outside the domain of its CRS"
        raise InputError(name, fault, "assign the right one")
    if fault:
        zone = min(60, max(1, int((longitude + 180) // 6) + 1))
        utm = f"EPSG:{32600 + zone if latitude >= 0 else 32700 + zone}"
        raise InputError(name, fault, f"warp it, for example with gdalwarp -t_srs {utm} -r near")
    return float(grid.pixel_size[0] / abs(grid.transform.a))


@contextmanager
def heights_on(path: RasterName, source: ClassRaster) -> Generator[Any, None, None]:
    """Open heights that lie on the grid of a map.

    Yields:
        A function from rows and columns to float32 [H, W], NaN where unknown.

    Raises:
        InputError: There are several bands, or the grids differ.
    """
    with Raster(path) as raster:
        if len(raster.bands) != 1:
            fault = f"has {len(raster.bands)} bands, but a map of heights has one"
            raise InputError(raster.name, fault, "give one band of heights in metres")
        if difference := _difference(raster.grid, source.grid):
            fault = f"{difference} than {source.name}"
            raise InputError(raster.name, fault, "warp it to the very same grid")

        def read(rows: Span, columns: Span) -> npt.NDArray[np.float32]:
            values, known = raster.read(rows, columns)
            heights: npt.NDArray[np.float32] = values[0].astype(np.float32)
            lowest = float(heights[known].min(initial=0))
            if lowest < LOWEST_HEIGHT:
                faulty = unmarked_nodata(f"heights of {lowest:g} m", lowest)
                raise InputError(raster.name, *faulty)
            return np.where(known, heights, np.float32(np.nan))

        yield read


def _difference(one: PixelGrid, other: PixelGrid) -> str | None:
    """Describe the difference of two grids, if there is one."""
    if one.crs != other.crs:
        return "has another coordinate reference system"
    if (one.width, one.height) != (other.width, other.height):
        return f"has another size ({one.width} x {one.height} px)"
    ends = zip(_ends(one), _ends(other), 2 * (other.transform.a, other.transform.e), strict=True)
    if any(abs(a - b) > PIXEL_TOLERANCE * abs(size) for a, b, size in ends):
        return "has its pixels at other places"
    return None


def _ends(grid: PixelGrid) -> tuple[float, float, float, float]:
    """Return the coordinates of the outer corners of the first and of the last pixel."""
    t = grid.transform
    return t.c, t.f, t.c + grid.width * t.a, t.f + grid.height * t.e
