"""Places to be mapped: each is one raster, or several files that give one map."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from semimtl_geo.mapping.input_bands import find_input
from semimtl_geo.networks.model_card import ModelCard
from tiles.errors import InputError
from tiles.grid import BLOCK, PixelGrid
from tiles.reading.source import Source
from tiles.types import BandSelection, RasterName

COARSE_FACTOR = 2.0
"""Warn of rasters whose pixels are more than this many times as large as the network's."""


DARK_SHARE = 1 / 8
"""Warn of integers that are nowhere larger than this share of the value that stands for 1."""

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
        scale: Value in the rasters that stands for 1.
        columns: Columns of the grid that the files share.
    """

    name: str
    rasters: tuple[RasterName, ...]
    bands: tuple[int, ...]
    scale: float
    columns: int


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
        white: Value that stands for 1, see :func:`find_input`.
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
            source.grid_at(card.gsd)  # raises an error if its pixels have no size in metres
            warn_if_coarse(source.name, source.grid, card.gsd, stacklevel + 1)
            if white is None:
                warn_if_dark(source, scale, stacklevel + 1)
            place = Place(name, tuple(rasters), tuple(source.bands), scale, source.grid.width)
        inspected.append(place)
    return inspected


def warn_if_coarse(name: str, grid: PixelGrid, gsd: float | None, stacklevel: int = 2) -> None:
    """Issue a :class:`CoarseRasterWarning` for pixels much larger than the network's.

    Args:
        name: Name of the raster.
        grid: Grid of the place.
        gsd: Ground sampling distance in metres that the network was trained at.
        stacklevel: Line that the warning names, as above.
    """
    if gsd is None or max(grid.pixel_size) <= COARSE_FACTOR * gsd:
        return
    text = (
        f"{name}: pixels of {max(grid.pixel_size):.3g} m, the network was trained on {gsd:.3g} m; "
        "maps of so coarse an image are a guess"
    )
    warnings.warn(text, CoarseRasterWarning, stacklevel=stacklevel)


def warn_if_dark(source: Source, white: float, stacklevel: int = 2) -> None:
    """Issue a :class:`DarkRasterWarning` for integers of more than 8 bits that are all small.

    Args:
        source: The rasters of a place, of which some windows are read.
        white: Value that stands for 1.
        stacklevel: Line that the warning names, as above.
    """
    if np.dtype(source.dtype).kind not in "iu" or np.dtype(source.dtype).itemsize == 1:
        return
    brightest = 0.0
    for row, column in product(range(SAMPLES), repeat=2):
        windows = []
        for number, length in ((row, source.grid.height), (column, source.grid.width)):
            start = max(0, (2 * number + 1) * length // (2 * SAMPLES) - BLOCK // 16)
            windows.append((start, min(length, start + BLOCK // 8)))
        values, known = source.read(windows[0], windows[1])
        if known.any():
            brightest = max(brightest, float(values[:, known].max()))
    if 0 < brightest <= DARK_SHARE * white:
        bits = int(brightest).bit_length()
        text = (
            f"{source.name}: its values seem to have {bits} bits: none of those looked at exceeds "
            f"{brightest:.0f}, but {white:.0f} counts as white; if the map is poor, give the value "
            f"of white, such as --white {2**bits - 1}"
        )
        warnings.warn(text, DarkRasterWarning, stacklevel=stacklevel)


def check_not_overwritten(
    places: Sequence[Place], folder: Path, layers: Sequence[str]
) -> dict[str, dict[str, Path]]:
    """Return the files of all maps by place and layer.

    Args:
        places: The places.
        folder: Folder of the maps.
        layers: Names of the maps of each place.

    Raises:
        InputError: If a map would overwrite one of the rasters.
    """
    files = {
        place.name: {layer: folder / f"{place.name}_{layer}.tif" for layer in layers}
        for place in places
    }
    paths = {path.absolute() for made in files.values() for path in made.values()}
    for raster in (raster for place in places for raster in place.rasters):
        if Path(raster).absolute() in paths:
            raise InputError(raster, "would be overwritten by a map", "choose another folder")
    return files
