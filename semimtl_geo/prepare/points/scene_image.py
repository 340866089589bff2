"""The image of a place: orthophotos, or the colours of the returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from rasterio.warp import transform_bounds

from semimtl_geo.prepare.points.point_file import overlap
from semimtl_geo.prepare.rasters.resampling import resampled, to_values, value_layers, windows
from tiles.errors import InputError, InvalidValueError
from tiles.grid import PixelGrid
from tiles.reading.band_names import find_bands
from tiles.reading.raster import Raster
from tiles.reading.source import Source
from tiles.types import BoolArray, Float32Array

USED: Final = ("red", "green", "nir")
"""Bands that land-cover classification uses."""


@dataclass(frozen=True)
class SceneImage:
    """An image on the grid of a place.

    Attributes:
        values: float32 [C, H, W] in units of the image.
        known: bool [H, W].
        names: Names of the bands.
        dtype: Type in which the image is stored.
        bands: Indices of red, green and nir among the bands, as far as they are there.
    """

    values: Float32Array
    known: BoolArray
    names: Sequence[str]
    dtype: np.dtype[Any]
    bands: dict[str, int]

    def band(self, name: str) -> Float32Array:
        """Return a band, float32 [H, W] and NaN where unknown."""
        return np.where(self.known, self.values[self.bands[name]], np.float32(np.nan))


class Orthophotos:
    """All orthophotos of a survey.

    Args:
        files: The rasters.
        names: Names of their bands in order; from the files if empty.

    Raises:
        InputError: If one cannot be read.
    """

    def __init__(self, files: Sequence[Path], names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._grids: dict[Path, PixelGrid] = {}
        for file in files:
            with Raster(file) as raster:
                if len(raster.bands) < max(3, len(names)):
                    fault = f"has {len(raster.bands)} bands, which is too few for an orthophoto"
                    raise InputError(file, fault, "remove it from the folder")
                self._grids[file] = raster.grid

    def read(self, grid: PixelGrid) -> SceneImage | None:
        """Read the orthophotos of a place.

        Returns:
            The image on the grid; None if no orthophoto lies there.

        Raises:
            InputError: If a file cannot be read, or its bands have no names.
        """
        files = [
            file
            for file, own in self._grids.items()
            if overlap(transform_bounds(own.crs, grid.crs, *own.bounds), grid.bounds)
        ]
        if not files:
            return None
        names, bands = self._bands_of(files[0])
        with Source(files, list(range(1, len(names) + 1))) as source:
            layers = value_layers(source.name, source.grid, len(names), source.read)
            read = resampled(layers, grid)
            values = np.zeros((len(names), grid.height, grid.width), np.float32)
            known = np.zeros((grid.height, grid.width), bool)
            for rows, columns in windows(grid):
                place = slice(*rows), slice(*columns)
                values[:, *place], known[place] = to_values(read(rows, columns))
            return SceneImage(values, known, names, source.dtype, bands)

    def _bands_of(self, path: Path) -> tuple[tuple[str, ...], dict[str, int]]:
        """Return the names of the bands, and the indices of those that are used."""
        if self._names:
            return self._names, index_bands(self._names)
        with rasterio.open(path) as file:
            found = {name: find_bands(file, [name]) for name in (*USED, "blue")}
            bands = {name: number[0] - 1 for name, number in found.items() if number}
            names = [text or f"band {number}" for number, text in enumerate(file.descriptions, 1)]
        for name, index in bands.items():
            names[index] = name
        if "red" not in bands:
            fault = "does not say which of its bands is red"
            raise InputError(path, fault, "name its bands: --bands nir,red,green")
        return tuple(names), bands


def index_bands(names: Sequence[str]) -> dict[str, int]:
    """Return the indices of the bands that are used.

    Raises:
        InvalidValueError: If red is not among them.

    Example:
        >>> index_bands(["nir", "red", "green"])
        {'red': 1, 'green': 2, 'nir': 0}
    """
    if "red" not in names:
        fault = "must name red, which separates vegetation from other ground"
        raise InvalidValueError(f"--bands {','.join(names)}", fault, "name all bands in order")
    return {name: list(names).index(name) for name in USED if name in names}
