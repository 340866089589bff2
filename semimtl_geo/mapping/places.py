"""Places to be mapped: each is one raster, or several files that give one map."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semimtl_geo.mapping.input_bands import find_input
from semimtl_geo.mapping.settings import MapSettings
from semimtl_geo.networks.model_card import ModelCard
from tiles.errors import InputError, InvalidValueError, unmarked_nodata
from tiles.grid import BLOCK, PixelGrid
from tiles.reading.addresses import is_address, resolve_addresses
from tiles.reading.raster import HIGHEST_COLOUR, LOWEST_COLOUR
from tiles.reading.source import Source
from tiles.settings import check_range
from tiles.types import BandSelection, RasterName

DESCRIPTIONS = ("_maps.qlr", "_maps.stac.json")
"""Endings of the files that describe the maps of a place together: for QGIS, and for catalogues."""

COARSE_FACTOR = 2.0
"""Warn of rasters whose pixels are more than this many times as large as the network's."""

COARSEST_FACTOR = 50.0
"""Refuse rasters whose pixels are more than this many times as large as the network's."""

DARK_SHARE = 1 / 8
"""Warn of integers that are nowhere larger than this share of the value that is scaled to 1."""

SAMPLES = 8
"""Windows along each axis that are read to see how bright a raster is."""


class RasterWarning(UserWarning):
    """Category of warnings that a raster is not what the network was trained on."""


class DarkRasterWarning(RasterWarning):
    """Category of the warning that a raster seems to have fewer bits than its type.

    Example:
        >>> import warnings
        >>> warnings.simplefilter("error", DarkRasterWarning)  # refuse such rasters
    """


class CoarseRasterWarning(RasterWarning):
    """Category of the warning that a raster is too coarse for the network to map it well.

    Example:
        >>> import warnings
        >>> warnings.simplefilter("error", CoarseRasterWarning)  # refuse such rasters
    """


@dataclass(frozen=True)
class Place:
    """The files of one place, which give one map, after a first look at them.

    Attributes:
        name: First part of the names of its maps.
        rasters: Paths of the files, the uppermost first.
        bands: Numbers of the bands that the network wants, in its order.
        scale: Value in the rasters that is scaled to 1.
        columns: Columns of the grid that the files share.
        network_grid: The grid that the network sees.
    """

    name: str
    rasters: tuple[RasterName, ...]
    bands: tuple[int, ...]
    scale: float
    columns: int
    network_grid: PixelGrid


def resolve_places(
    places: Mapping[str, Sequence[RasterName]], card: ModelCard, settings: MapSettings
) -> dict[str, list[RasterName]]:
    """Return the places with rasters that GDAL reads for tile services and STAC Items.

    Args:
        places: Files and addresses by the name of the place.
        card: Settings of the network.
        settings: Settings of mapping.

    Raises:
        InputError: If a server does not answer, or an address lacks what it needs.
    """
    rasters = [raster for files in places.values() for raster in files]
    if settings.resolution is not None:
        if not any(map(is_address, rasters)):
            fault = "applies only to tile services, and none is given"
            raise InvalidValueError("resolution", fault, "leave it out")
        check_range("resolution", settings.resolution, 0, above=True)
    gsd = card.gsd if settings.resolution is None else settings.resolution
    bands = card.bands if settings.bands is None else settings.bands
    return {
        name: resolve_addresses(files, settings.area, gsd, bands) for name, files in places.items()
    }


def inspect_places(
    places: Mapping[str, Sequence[RasterName]],
    card: ModelCard,
    bands: BandSelection | None = None,
    crs: str | None = None,
    white: float | None = None,
    stacklevel: int = 2,
) -> list[Place]:
    """Look at all rasters before the first is worked on.

    Args:
        places: Files by the name of the place.
        card: Settings of the network.
        bands: Bands that the network wants, see :func:`find_input`.
        crs: Coordinate reference system to read the rasters in.
        white: Value that is scaled to 1, see :func:`find_input`.
        stacklevel: Line that warnings name, counted as by :func:`warnings.warn`: 2 is the caller's.

    Returns:
        The places in the same order.

    Raises:
        InputError: If a raster cannot be used.
    """
    inspected = []
    for name, rasters in places.items():
        numbers, scale = find_input(rasters, card, bands, white)
        with Source(rasters, numbers, crs) as source:
            seen = source.grid_at(card.gsd)
            check_coarseness(source.name, source.grid, card.gsd, stacklevel + 1)
            if white is None:
                check_brightness(source, scale, stacklevel + 1)
            used, width = tuple(source.bands), source.grid.width
            place = Place(name, tuple(rasters), used, scale, width, seen)
        inspected.append(place)
    return inspected


def check_coarseness(name: str, grid: PixelGrid, gsd: float | None, stacklevel: int = 2) -> None:
    """Issue a :class:`CoarseRasterWarning` for pixels much larger than the network's.

    Args:
        name: Name of the raster.
        grid: Grid of the place.
        gsd: Ground sampling distance in metres that the network was trained at.
        stacklevel: Line that the warning names, as above.

    Raises:
        InputError: If they are so large that nothing can be seen.
    """
    if gsd is None or max(grid.pixel_size) <= COARSE_FACTOR * gsd:
        return
    if max(grid.pixel_size) > COARSEST_FACTOR * gsd:
        fault = f"has pixels of {max(grid.pixel_size):.3g} m, the network wants {gsd:.3g} m"
        raise InputError(name, fault, "give an orthophoto")
    text = (
        f"{name}: pixels of {max(grid.pixel_size):.3g} m, the network was trained on {gsd:.3g} m; "
        "maps of such coarse images are unreliable"
    )
    warnings.warn(text, CoarseRasterWarning, stacklevel=stacklevel)


def check_brightness(source: Source, white: float, stacklevel: int = 2) -> None:
    """Look at some windows for values that cannot be colours as the network wants them.

    Args:
        source: The rasters of a place.
        white: Value that is scaled to 1.
        stacklevel: Line that a warning names, as above.

    Raises:
        InputError: If real numbers are far from 0 to white.
    """
    dtype = np.dtype(source.dtype)
    if dtype.itemsize == 1:
        return
    windows = [values for values in _some_windows(source) if values.size]
    if not windows:
        return
    if dtype.kind == "f":
        lowest = float(min(values.min() for values in windows))
        bright = float(np.percentile(np.concatenate([v.ravel() for v in windows]), 99))
        if lowest < LOWEST_COLOUR * white:
            raise InputError(source.name, *unmarked_nodata(f"values of {lowest:g}", lowest))
        if bright > HIGHEST_COLOUR * white:
            fault = f"has real numbers up to {bright:g}, which are read as 0 to {white:g}"
            raise InputError(source.name, fault, "give the value of white, such as --white 255")
        return
    brightest = float(max(values.max() for values in windows))
    if 0 < brightest <= DARK_SHARE * white:
        bits = int(brightest).bit_length()
        text = (
            f"{source.name}: its values seem to have {bits} bits: none of those looked at exceeds "
            f"{brightest:.0f}, but {white:.0f} counts as white; if the map is poor, give the value "
            f"of white, such as --white {2**bits - 1}"
        )
        warnings.warn(text, DarkRasterWarning, stacklevel=stacklevel)


def _some_windows(source: Source) -> Iterator[NDArray[Any]]:
    """Yield the known pixels of windows that are evenly spread, ``[bands, n]``."""
    for row, column in product(range(SAMPLES), repeat=2):
        windows = []
        for number, length in ((row, source.grid.height), (column, source.grid.width)):
            start = max(0, (2 * number + 1) * length // (2 * SAMPLES) - BLOCK // 16)
            windows.append((start, min(length, start + BLOCK // 8)))
        values, known = source.read(windows[0], windows[1])
        yield values[:, known]


def map_paths(
    places: Sequence[Place], folder: Path, layers: Sequence[str]
) -> dict[str, dict[str, Path]]:
    """Return the files of all maps by place and layer.

    Args:
        places: The places.
        folder: Folder of the maps.
        layers: Names of the maps of each place.

    Raises:
        InputError: If a map would overwrite one of the rasters, or a folder has the name of a file
            that describes a place.
    """
    for place in places:
        for ending in DESCRIPTIONS:
            if (file := folder / f"{place.name}{ending}").is_dir():
                raise InputError(file, "is a folder", "remove or rename it")
    files = {
        place.name: {layer: folder / f"{place.name}_{layer}.tif" for layer in layers}
        for place in places
    }
    paths = {path.absolute() for made in files.values() for path in made.values()}
    for raster in (raster for place in places for raster in place.rasters):
        if Path(raster).absolute() in paths:
            raise InputError(raster, "would be overwritten by a map", "choose another folder")
    return files
