"""Names of the places to be mapped; this module does not import torch, which takes seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tiles.errors import InvalidValueError
from tiles.reading.addresses import raster_stem
from tiles.reading.array_raster import RasterImage, as_rasters
from tiles.types import RasterName

LONGEST: Final = 200
"""Bytes of a name, to which endings and those of hidden files are added: disks allow 255."""


def name_places(
    rasters: RasterImage
    | Sequence[RasterImage]
    | Mapping[str, RasterImage | Sequence[RasterImage]],
) -> dict[str, list[RasterName]]:
    """Return the files of each place by its name.

    Args:
        rasters: One raster per place, which gives the place its name; or the files by name.

    Raises:
        InvalidValueError: If there is no raster, a name is not part of a file name, or two rasters
            would give maps of the same name.
    """
    if isinstance(rasters, Mapping):
        places = {name: as_rasters(files) for name, files in rasters.items()}
    else:
        places = {}
        for raster in as_rasters(rasters):
            places.setdefault(raster_stem(raster), []).append(raster)
        for files in places.values():
            if len(files) > 1:
                more = [f"{len(files) - 3} more"] if len(files) > 3 else []
                raise InvalidValueError(
                    " and ".join([*map(str, files[:3]), *more]),
                    "would give maps of the same name",
                    "give them other names, map them apart, or merge them if they are of one place",
                )
    for name, files in places.items():
        check_name(name, files)
    if not places:
        raise InvalidValueError("rasters", "must be at least one, got none", "name one")
    return places


def check_name(name: str | None, rasters: Sequence[RasterName], argument: str = "name") -> str:
    """Return the name of a place, which by default is that of its only raster.

    Args:
        name: The name, if one was given.
        rasters: The files of the place.
        argument: Name of the argument in the error message.

    Raises:
        InvalidValueError: If it cannot be part of a file name, or several files have none.
    """
    if not rasters:
        raise InvalidValueError("raster", "none was given", "name one")
    if name is None and len(rasters) > 1:
        fault = "is missing"
        raise InvalidValueError(
            argument, fault, "several files of one place need a name for the map"
        )
    name = raster_stem(rasters[0]) if name is None else name
    if not name or Path(name).name != name or not name.isprintable():
        raise InvalidValueError(
            argument, f"must be a part of a file name, got {name[:LONGEST]!r}", "choose another"
        )
    if len(name.encode()) > LONGEST:
        fault = f"must be <= {LONGEST} bytes, got {name[:50]!r} and more"
        raise InvalidValueError(argument, fault, "give a shorter one")
    return name
