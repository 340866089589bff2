"""A user's own heights: rasters of heights above ground, or surface minus terrain."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np

from semimtl_geo.prepare.own.schema import ElevationFiles, HeightSettings
from tiles.elevation import FilledElevation
from tiles.elevation.height_reference import HeightReferenceCheck
from tiles.elevation.model import METRES, Elevation, band_units
from tiles.elevation.terrain import Terrain
from tiles.errors import InputError
from tiles.files import Closeable
from tiles.reading.source import Source
from tiles.types import BoolArray, Span

LOWEST_HEIGHT: Final = -100.0
HIGHEST_HEIGHT: Final = 1000.0
"""Heights above ground, in metres, outside of which values are an undeclared nodata."""


class HeightRasters(Source):
    """Rasters of heights above ground, opened for reading as if they were one.

    Args:
        paths: The rasters.
        settings: Band, scale, offset and nodata of the heights.

    Raises:
        InputError: If the rasters have more bands, or a unit other than the metre and no scale.
    """

    def __init__(self, paths: Sequence[Path], settings: HeightSettings) -> None:
        bands = None if settings.band is None else [settings.band]
        super().__init__(paths, bands, nodata=settings.nodata)
        try:
            if len(self.bands) != 1:
                fault = f"must have one band of heights, has {len(self.bands)} bands"
                remedy = "give the heights alone, or say height: {band: ...} in scenes.yaml"
                raise InputError(self.name, fault, remedy)
            self._scale, self._offset = settings.scale, settings.offset
            if self._scale is None:
                self._scale, offset, unit = band_units(paths, bands)
                self._offset += offset
                if unit.strip().lower() not in METRES:
                    remedy = "give height: {scale: metres per unit} in scenes.yaml"
                    raise InputError(self.name, f"its heights are in {unit!r}", remedy)
        except BaseException:
            self.close()
            raise

    def read_heights(self, rows: Span, columns: Span) -> tuple[Any, BoolArray]:
        """Read a window.

        Returns:
            Heights in metres, float64 [1, H, W], and known pixels, bool [H, W].

        Raises:
            InputError: If a height is impossible.
        """
        values, known = self.read(rows, columns)
        heights = np.where(known, values, 0) * np.float64(self._scale) + self._offset
        possible = (heights[0] >= LOWEST_HEIGHT) & (heights[0] <= HIGHEST_HEIGHT)
        impossible = known & ~possible
        if impossible.any():
            value = values[0][impossible][0]
            fault = f"has {int(impossible.sum())} px of {value:g}, which is an impossible height"
            remedy = "if it means unknown, give height: {nodata: ...} in scenes.yaml"
            raise InputError(self.name, fault, remedy)
        return heights, known


class HeightDifference(Closeable):
    """Heights above ground as the difference of a surface and a terrain model.

    The terrain model is resampled bilinearly to the grid of the surface model, after its holes have
    been filled (:class:`tiles.elevation.FilledElevation`). Heights below 0 become 0: the bottom of
    a pit is ground.

    Args:
        surface: Files of the surface model.
        terrain: Files of the terrain model.
        settings: Bands, scale and nodata of the models, and the width of holes.

    Attributes:
        name: Name in messages.
        grid: Grid of the surface model.

    Raises:
        InputError: If a model cannot be read or is not in metres, or both do not match.
    """

    def __init__(
        self, surface: Sequence[Path], terrain: Sequence[Path], settings: HeightSettings
    ) -> None:
        models = settings.models
        with ExitStack() as stack:
            self._surface = stack.enter_context(_model(surface, models["surface"], settings))
            ground = stack.enter_context(_model(terrain, models["terrain"], settings))
            self._terrain = Terrain(FilledElevation(ground, settings.holes), self._surface)
            self._files = stack.pop_all()
        self._terrain_name = ground.name
        self.name, self.grid = self._surface.name, self._surface.grid
        self._check = HeightReferenceCheck()

    def read_heights(self, rows: Span, columns: Span) -> tuple[Any, BoolArray]:
        """Read a window.

        Returns:
            Heights in metres, float64 [1, H, W], and known pixels, bool [H, W].

        Raises:
            InputError: If a height of a model is impossible.
        """
        heights = self._surface.heights(rows, columns) - self._terrain.heights(rows, columns)
        self._check.add(heights)
        known = ~np.isnan(heights)
        return np.where(known, np.maximum(heights, 0), 0)[None], known

    def check_order(self) -> None:
        """Check that most of the surface that was read does not lie below the terrain.

        Raises:
            InputError: If it does: the models have other height references or units.
        """
        self._check.refuse(self.name, self._terrain_name)

    def close(self) -> None:
        """Close the files."""
        self._files.close()


def _model(files: Sequence[Path], model: ElevationFiles, settings: HeightSettings) -> Elevation:
    bands = None if model.band is None else [model.band]
    return Elevation(files, bands, settings.scale, settings.nodata)
