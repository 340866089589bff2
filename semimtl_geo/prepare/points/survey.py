"""A laser survey with its images: all layers of a place, by rules that are the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np
import pyproj

from semimtl_geo.prepare.points.cells import Cells, gather
from semimtl_geo.prepare.points.elevation import (
    close_pits,
    fill_gaps,
    terrain_under,
    without_masts,
)
from semimtl_geo.prepare.points.land_cover import (
    BUILDING_CODE,
    LOW,
    TREE,
    VEGETATION_CODES,
    classify,
    vegetation_ratio,
    vegetation_threshold,
)
from semimtl_geo.prepare.points.point_file import PointFile, overlap
from semimtl_geo.prepare.points.registration import measure_offset
from semimtl_geo.prepare.points.scene_image import Orthophotos, SceneImage, index_bands
from tiles.errors import InputError
from tiles.grid import PixelGrid
from tiles.types import Float32Array, UInt8Array

SAMPLES: Final = 4
"""Scenes from which the rules of a survey are derived, evenly chosen."""


@dataclass(frozen=True)
class SceneLayers:
    """The layers of a scene.

    Attributes:
        image: The image.
        land_cover: Indices of the classes, uint8 [H, W]; 255 where unknown.
        heights: Heights above ground in metres, float32 [H, W]; NaN where unknown.
        offset: Metres eastward and northward by which the laser must be moved to lie on the image;
            None if the scene does not show it.
    """

    image: SceneImage
    land_cover: UInt8Array
    heights: Float32Array
    offset: tuple[float, float] | None


@dataclass(frozen=True)
class _Rules:
    """Rules of land cover that are the same in all scenes of a survey."""

    threshold: float
    coded: bool


@dataclass(frozen=True)
class _Measured:
    """Elevations, returns and image in the cells of a place."""

    cells: Cells
    image: SceneImage
    surface: Float32Array
    terrain: Float32Array

    @cached_property
    def heights(self) -> Float32Array:
        """Surface minus terrain, at least 0 m."""
        heights: Float32Array = np.maximum(self.surface - self.terrain, 0)
        return heights


class Survey:
    """Files of points of one place, with the orthophotos that belong to them.

    Args:
        files: The files of points.
        orthophotos: The orthophotos; where none lies, the colours of the returns are the image.
        scenes: Grids of the scenes, from a few of which the rules are derived.
        gsd: Width of a pixel in metres.
        reach: Distance in metres up to which terrain is interpolated, as under buildings.
        shift: Metres eastward and northward by which the returns are moved.
    """

    def __init__(
        self,
        files: Sequence[PointFile],
        orthophotos: Orthophotos,
        scenes: Sequence[PixelGrid],
        gsd: float,
        reach: float,
        shift: tuple[float, float],
    ) -> None:
        self._files, self._orthophotos, self._scenes = files, orthophotos, scenes
        self._gsd, self._reach, self._shift = gsd, reach, shift
        # A cell depends on the cells within reach; the last scene read is kept for the rules.
        self._margin = round(reach / gsd)
        self._measure = lru_cache(maxsize=1)(self._measure_place)

    def read(self, scene: PixelGrid) -> SceneLayers:
        """Make the layers of a scene; its neighbours are read, too, so that there are no seams.

        Raises:
            InputError: If a file is damaged, or there is no image.
        """
        measured, rules = self._measure(scene), self._rules
        cells, heights = measured.cells, measured.heights
        closed = np.maximum(close_pits(measured.surface, self._gsd) - measured.terrain, 0)
        classes = classify(
            cells,
            heights,
            closed,
            measured.terrain,
            measured.image,
            rules.threshold,
            rules.coded,
            self._gsd,
        )
        # Closing everywhere would fill narrow streets.
        heights = np.where(classes == TREE, closed, without_masts(heights, self._gsd))
        offset = measure_offset(
            cells.intensity, measured.image.band("red"), measured.heights < LOW, self._gsd
        )
        start = self._margin
        inside = slice(start, start + scene.height), slice(start, start + scene.width)
        image = measured.image
        cropped = SceneImage(
            image.values[:, *inside],
            image.known[inside],
            image.names,
            image.dtype,
            image.bands,
        )
        return SceneLayers(cropped, classes[inside], heights[inside], offset)

    @cached_property
    def _rules(self) -> _Rules:
        """Rules derived from a few scenes."""
        count = min(SAMPLES, len(self._scenes))
        chosen = [self._scenes[number * len(self._scenes) // count] for number in range(count)]
        ratios, coded = [], False
        for scene in chosen:
            measured = self._measure(scene)
            ratio = vegetation_ratio(measured.cells, measured.image)
            ratios.append(ratio[(measured.heights < LOW) & np.isfinite(ratio)])
            codes = (*VEGETATION_CODES, BUILDING_CODE)
            coded = coded or bool(np.isin(measured.cells.classes, codes).any())
        low = np.concatenate(ratios)
        return _Rules(vegetation_threshold(low) if low.size else 0.0, coded)

    def _measure_place(self, scene: PixelGrid) -> _Measured:
        margin = self._margin
        grid = scene.window(-margin, -margin, scene.width + 2 * margin, scene.height + 2 * margin)
        west, south, east, north = grid.bounds
        reach = max(map(abs, self._shift))
        bounds = west - reach, south - reach, east + reach, north + reach
        crs = pyproj.CRS.from_user_input(grid.crs)
        files = [file for file in self._files if overlap(file.bounds_in(crs), bounds)]
        image = self._orthophotos.read(grid)
        bands = files[0].bands if image is None else ()
        if image is None and any(file.bands != bands for file in files):
            fault = f"has other colours than {files[0].path.name}"
            odd = next(file for file in files if file.bands != bands)
            raise InputError(odd.path, fault, "put orthophotos beside the points")
        chunks = (chunk for file in files for chunk in file.read(crs, bounds))
        cells = gather(chunks, grid, len(bands), self._shift)
        if image is None:
            image = _colors(files[0], cells, self._gsd)
        return _Measured(
            cells,
            image,
            fill_gaps(cells.surface, self._gsd),
            terrain_under(cells.ground, self._gsd, self._reach),
        )


def _colors(file: PointFile, cells: Cells, gsd: float) -> SceneImage:
    """Return the colours of the returns as an image."""
    if not file.bands:
        fault = "has no colours, and no orthophoto lies there"
        raise InputError(file.path, fault, "put an orthophoto into the folder")
    values = fill_gaps(cells.colors, gsd)
    known = np.isfinite(values[0])
    return SceneImage(
        np.where(known, values, 0), known, file.bands, np.dtype(np.uint8), index_bands(file.bands)
    )
