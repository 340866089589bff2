"""Files of laser returns: coordinates in metres, classes, intensities and colours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

import laspy
import numpy as np
import pyproj
from laspy.errors import LaspyException
from pyproj.aoi import AreaOfInterest
from pyproj.database import query_crs_info, query_utm_crs_info
from pyproj.enums import PJType
from pyproj.exceptions import CRSError, ProjError

from tiles.errors import InputError, input_errors
from tiles.types import BoolArray, Float32Array, Float64Array, UInt8Array

CHUNK: Final = 1_000_000
"""Points that are read at a time."""

GROUND: Final = 2
LOW_NOISE: Final = 7
OVERLAP: Final = 12
HIGH_NOISE: Final = 18
"""Classes of the LAS specification, version 1.4 R15, table 17."""

Bounds = tuple[float, float, float, float]
"""West, south, east, north."""


def overlap(one: Bounds, other: Bounds) -> bool:
    """Return whether two extents in one CRS share an area."""
    return one[0] < other[2] and one[2] > other[0] and one[1] < other[3] and one[3] > other[1]


@dataclass(frozen=True)
class Returns:
    """Laser returns, N of them.

    Attributes:
        x: Eastings in metres, float64 [N].
        y: Northings in metres, float64 [N].
        z: Elevations in metres, float64 [N].
        classes: Classes of the LAS specification, uint8 [N].
        later: Whether a return is not the first of its pulse, bool [N].
        intensity: Intensities in units of the sensor, float32 [N].
        colors: Colours in 0..255, float32 [C, N], in the order of :attr:`PointFile.bands`.
    """

    x: Float64Array
    y: Float64Array
    z: Float64Array
    classes: UInt8Array
    later: BoolArray
    intensity: Float32Array
    colors: Float32Array

    def select(self, chosen: BoolArray) -> Returns:
        """Return the chosen returns, bool [N]."""
        kept = (value[..., chosen] for value in vars(self).values())
        return Returns(*kept)


class PointFile:
    """A LAS, LAZ or COPC file.

    Args:
        path: The file.
        crs: Coordinate reference system if the file names none.

    Attributes:
        path: The file.
        crs: Horizontal coordinate reference system.
        height_unit: Metres per unit of elevation. Without a vertical system in the file, a system
            in feet has elevations in feet.
        bands: Names of the colours: red, green, blue and perhaps nir; empty if there are none.

    Raises:
        InputError: If the file cannot be read, or no CRS is known.
    """

    def __init__(self, path: Path, crs: str | None = None) -> None:
        self.path = path
        with self._open() as reader, self._errors():
            header = reader.header
            self._bounds: Bounds = (*header.mins[:2].tolist(), *header.maxs[:2].tolist())
            self.points = int(header.point_count)
            dimensions = set(header.point_format.dimension_names)
            stored = self._stored_crs(header)
        if not self.points:
            raise InputError(path, "holds no points", "remove it")
        self.bands = tuple(name for name in ("red", "green", "blue", "nir") if name in dimensions)
        self.crs, self.height_unit = _horizontal(path, stored, crs)

    def _open(self) -> AbstractContextManager[Any]:
        with self._errors():
            reader: AbstractContextManager[Any] = laspy.open(self.path)
            return reader

    def _errors(self) -> AbstractContextManager[None]:
        # lazrs reports damaged compression as RuntimeError, laspy damaged headers as ValueError.
        faults = (LaspyException, OSError, RuntimeError, ValueError)
        return input_errors(self.path, "cannot be read as laser points", "fetch it again", *faults)

    def _stored_crs(self, header: Any) -> pyproj.CRS | None:
        try:
            return header.parse_crs()  # type: ignore[no-any-return]  # laspy is not typed
        except CRSError as error:
            fault = f"its coordinate reference system cannot be understood ({error})"
            raise InputError(self.path, fault, "give it as --points-crs") from error

    def bounds_in(self, crs: pyproj.CRS) -> Bounds:
        """Return the extent in another CRS."""
        if crs == self.crs:
            return self._bounds
        west, south, east, north = _transformer(self.crs, crs).transform_bounds(*self._bounds)
        return west, south, east, north

    @cached_property
    def _color_unit(self) -> float:
        """Colour values per step of 8 bits: many files hold 8 bits in their 16-bit fields."""
        with self._open() as reader, self._errors():
            chunk = reader.read_points(CHUNK)
        highest = max(int(np.asarray(chunk[band]).max()) for band in self.bands)
        return 1.0 if highest <= 255 else 257.0

    def read(self, crs: pyproj.CRS, bounds: Bounds) -> Iterator[Returns]:
        """Read the returns of a place.

        Noise, withheld points, and points left over in the overlap of strips (class 12, or their
        flag) are left out.

        Args:
            crs: Projected CRS in metres.
            bounds: West, south, east and north in this CRS.

        Yields:
            Returns of up to a million points.

        Raises:
            InputError: If the file is damaged.
        """
        transformer = None if crs == self.crs else _transformer(self.crs, crs)
        with self._open() as reader, self._errors():
            for chunk in reader.chunk_iterator(CHUNK):
                x, y = np.asarray(chunk.x), np.asarray(chunk.y)
                if transformer is not None:
                    x, y = transformer.transform(x, y)
                west, south, east, north = bounds
                inside = (x >= west) & (x < east) & (y > south) & (y <= north)
                if inside.any():
                    yield self._returns(chunk, x, y).select(inside & _usable(chunk))

    def _returns(self, chunk: Any, x: Float64Array, y: Float64Array) -> Returns:
        colors = np.stack([np.asarray(chunk[band]) for band in self.bands]) if self.bands else None
        unit = self._color_unit if self.bands else 1.0
        return Returns(
            x=x,
            y=y,
            z=np.asarray(chunk.z) * self.height_unit,
            classes=np.asarray(chunk.classification).astype(np.uint8),
            later=np.asarray(chunk.return_number) > 1,
            intensity=np.asarray(chunk.intensity).astype(np.float32),
            colors=np.zeros((0, len(x)), np.float32)
            if colors is None
            else (colors / unit).astype(np.float32),
        )


@cache  # creating a transformer takes longer than reading a header
def _transformer(source: pyproj.CRS, target: pyproj.CRS) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(source, target, always_xy=True)


def _usable(chunk: Any) -> BoolArray:
    """Return which points are neither noise, nor withheld, nor left over in overlaps of strips."""
    classes = np.asarray(chunk.classification)
    usable: BoolArray = ~np.isin(classes, (LOW_NOISE, OVERLAP, HIGH_NOISE))
    for flag in ("withheld", "overlap"):  # formats 0 to 5 have no flag of overlaps
        if flag in set(chunk.point_format.dimension_names):
            usable &= ~np.asarray(chunk[flag]).astype(bool)
    return usable


def _horizontal(
    path: Path, stored: pyproj.CRS | None, given: str | None
) -> tuple[pyproj.CRS, float]:
    """Return the horizontal CRS, and the metres per unit of elevation."""
    if stored is None:
        if given is None:
            fault = "names no coordinate reference system"
            raise InputError(path, fault, "give it as --points-crs, such as EPSG:2154")
        try:
            stored = pyproj.CRS.from_user_input(given)
        except CRSError as error:
            fault = "is not a coordinate reference system that PROJ knows"
            raise InputError(
                f"--points-crs {given}", fault, "give one such as EPSG:2154"
            ) from error
    parts = {part.is_vertical: part for part in stored.sub_crs_list} if stored.is_compound else {}
    horizontal = (parts.get(False) or stored).to_2d()
    axes = (parts.get(True) or horizontal).axis_info
    unit = float(axes[0].unit_conversion_factor) if axes else 1.0
    geographic = horizontal.is_geographic and True not in parts
    return horizontal, 1.0 if geographic else unit


def metric_crs(file: PointFile) -> pyproj.CRS:
    """Return the projected CRS in metres in which the scenes of a file are written.

    It is the file's own if that is in metres; else the one of the same name without its unit,
    such as NAD83 / Kentucky Single Zone for NAD83 / Kentucky Single Zone (ftUS); else UTM.

    Raises:
        InputError: If PROJ knows none.
    """
    crs = file.crs
    if crs.is_projected and crs.axis_info[0].unit_conversion_factor == 1.0:
        return crs
    if crs.is_projected:
        name = re.sub(r"\s*\(ft(US)?\)$", "", crs.name)
        for info in query_crs_info(auth_name="EPSG", pj_types=PJType.PROJECTED_CRS):
            if info.name == name and name != crs.name:
                return pyproj.CRS.from_authority(info.auth_name, info.code)
    try:
        west, south, east, north = file.bounds_in(pyproj.CRS("EPSG:4326"))
    except ProjError as error:
        fault = f"its coordinates cannot be placed on earth ({error})"
        raise InputError(file.path, fault, "give --crs, such as EPSG:25832") from error
    x, y = (west + east) / 2, (south + north) / 2
    found = query_utm_crs_info("WGS 84", AreaOfInterest(x, y, x, y))
    if not found:
        raise InputError(file.path, "lies in no UTM zone", "give --crs, such as EPSG:3031")
    return pyproj.CRS.from_authority(found[0].auth_name, found[0].code)
