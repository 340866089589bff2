"""The ground below a surface model of any size, by the simple morphological filter."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tiles.elevation.model import Elevation
from tiles.elevation.scratch import ScratchRaster
from tiles.elevation.smrf import fill, objects, outliers
from tiles.errors import InputError
from tiles.files import Closeable
from tiles.grid import BLOCK
from tiles.reading.resampling import ResamplingWeights, resample, resampling_weights
from tiles.settings import check_range
from tiles.types import Float64Array, Span

# Radius in cells of the largest window; blocks with their overlap then stay below 200 MB.
LARGEST = 64


@dataclass(frozen=True)
class GroundFilter:
    """Settings of the simple morphological filter; the paper's names in brackets.

    Attributes:
        building: Width in metres of the widest building that is to be removed; the largest
            window is as wide (twice the maximum window radius).
        slope: Steepest ground, rise over run (slope).
        threshold: Greatest height over the ground that still counts as ground, in metres
            (elevation threshold).
        scaling: Metres that are added to the threshold per unit of slope (elevation scaling).
        cell: Side of the cells that are filtered, in metres (cell size); pixels if they are
            larger.
    """

    building: float = 40.0
    slope: float = 0.15
    threshold: float = 0.5
    scaling: float = 1.25
    cell: float = 1.0

    def __post_init__(self) -> None:
        """Check that the settings are possible."""
        for name in ("building", "slope", "cell"):
            check_range(name, getattr(self, name), 0, above=True)
        for name in ("threshold", "scaling"):
            check_range(name, getattr(self, name), 0)

    def tags(self) -> dict[str, str]:
        """Tags of heights that are computed with these settings."""
        made = {f"ELEVATION_{name.upper()}": f"{value:g}" for name, value in asdict(self).items()}
        return {"ELEVATION_METHOD": "simple morphological filter (Pingel et al. 2013)", **made}


class Ground(Closeable):
    """The ground below a surface model.

    Cells are groups of whole pixels, about `cell` metres wide. Blocks overlap by the reach of the
    filter, so that the ground does not depend on their size; intermediate results are kept in
    temporary files.

    Args:
        surface: The surface model.
        settings: Settings of the filter.
        folder: Folder of the temporary files.
        block: Cells along a block.
    """

    def __init__(
        self, surface: Elevation, settings: GroundFilter, folder: Path, block: int = BLOCK
    ) -> None:
        self._surface, self._settings, self._block = surface, settings, block
        grid = surface.grid
        width, height = surface.pixel_size
        self._factors = tuple(max(1, round(settings.cell / side)) for side in (height, width))
        sides = self._factors[0] * height, self._factors[1] * width
        self._cell = math.sqrt(sides[0] * sides[1])
        self._radius = math.ceil(settings.building / 2 / self._cell)
        if not 0.75 < sides[0] / sides[1] < 1.33:
            fault = f"has pixels of {width:.3g} x {height:.3g} m, too elongated for the filter"
            raise InputError(surface.name, fault, "warp it to square pixels, or give a DTM")
        if settings.building < 4 * self._cell:
            fault = f"has cells of {self._cell:.3g} m, which cannot show buildings"
            remedy = f"give cells of at most {settings.building / 4:g} m, or a DTM"
            raise InputError(surface.name, fault, remedy)
        if self._radius > LARGEST:
            fault = f"is {settings.building:g} m wide, more than {2 * LARGEST} cells"
            remedy = f"give cells of {settings.building / 2 / LARGEST:.2g} m or more"
            raise InputError("building", fault, remedy)
        self._reach = 4 * self._radius
        self._shape = -(-grid.height // self._factors[0]), -(-grid.width // self._factors[1])
        self._weights = [
            resampling_weights(cells, cells * factor)
            for cells, factor in zip(self._shape, self._factors, strict=True)
        ]
        self._base = 0.0
        self._planes = [
            ScratchRaster(self._shape, kind, folder) for kind in ("<f4", "<f4", "u1", "<f4")
        ]

    @property
    def steps(self) -> int:
        """Number of times that `prepare` calls its argument."""
        return 2 * sum(1 for _ in self._windows(True)) + 2 * sum(1 for _ in self._windows(False))

    def _windows(self, pixels: bool) -> Iterator[tuple[Span, Span]]:
        """Yield windows of cells: flat ones for reading, square ones for filtering."""
        high, wide = (
            (max(1, self._block // self._factors[0]), max(1, 8 * self._block // self._factors[1]))
            if pixels
            else (self._block, self._block)
        )
        for row in range(0, self._shape[0], high):
            for column in range(0, self._shape[1], wide):
                ends = min(row + high, self._shape[0]), min(column + wide, self._shape[1])
                yield (row, ends[0]), (column, ends[1])

    def prepare(self, step: Callable[[], None]) -> None:
        """Find the ground.

        Args:
            step: Called after each part of the work.
        """
        low, provisional, bare, ground = self._planes
        lowest = math.inf
        for window in self._windows(True):
            made = self._minimum(*window)
            lowest = np.fmin(lowest, np.nanmin(made, initial=math.inf))
            low.write(made, window)
            step()
        if not lowest < math.inf:
            raise InputError(self._surface.name, "has no known pixel", "check its nodata value")
        # Heights above the lowest cell are small and therefore exact in float32.
        self._base = float(lowest)
        for window in self._windows(False):
            heights, flags = self._filter(low, window)
            provisional.write(heights, window)
            bare.write(flags, window)
            step()
        correction = low  # reuses the file of `low`
        for window in self._windows(True):
            correction.write(self._correct(provisional, bare, window), window)
            step()
        for window in self._windows(False):
            wide, inner = self._around(window, self._reach)
            found = correction.read(wide)
            bound = self._settings.threshold + self._settings.scaling * self._settings.slope
            filled = np.clip(fill(found, np.zeros(found.shape), self._reach), -bound, bound)
            ground.write(provisional.read(window) + filled[inner], window)
            step()

    def _around(self, window: tuple[Span, Span], margin: int) -> tuple[tuple[Span, Span], Any]:
        """Return a window with a clipped margin, and the slices of the window in it."""
        wide = tuple(
            (max(start - margin, 0), min(stop + margin, size))
            for (start, stop), size in zip(window, self._shape, strict=True)
        )
        inner = tuple(
            slice(start - first, stop - first)
            for (start, stop), (first, _) in zip(window, wide, strict=True)
        )
        return (wide[0], wide[1]), inner

    def _pixels(self, window: tuple[Span, Span]) -> tuple[Span, Span]:
        """Return the pixels of a window of cells."""
        grid = self._surface.grid
        rows, columns = (
            (start * factor, min(stop * factor, size))
            for (start, stop), factor, size in zip(
                window, self._factors, (grid.height, grid.width), strict=True
            )
        )
        return rows, columns

    def _cells(self, values: npt.NDArray[Any], empty: float) -> npt.NDArray[Any]:
        """Return pixels [H, W] by cells [h, factor, w, factor], padded with `empty`."""
        down, along = self._factors
        missing = [(0, -values.shape[0] % down), (0, -values.shape[1] % along)]
        if missing != [(0, 0), (0, 0)]:
            values = np.pad(values, missing, constant_values=empty)
        return values.reshape(values.shape[0] // down, down, values.shape[1] // along, along)

    def _minimum(self, rows: Span, columns: Span) -> Float64Array:
        """Find the lowest pixel of each cell (step 1); cells without any stay unknown."""
        heights = self._surface.heights(*self._pixels((rows, columns)))
        heights[np.isnan(heights)] = np.inf
        lowest: Float64Array = self._cells(heights, np.inf).min(axis=1).min(axis=-1)
        lowest[np.isinf(lowest)] = np.nan
        return lowest

    def _filter(
        self, plane: ScratchRaster, window: tuple[Span, Span]
    ) -> tuple[Float64Array, npt.NDArray[Any]]:
        """Compute the ground of all cells and the mask of bare ones (steps 2 and 3)."""
        # Margin: two cells for outliers, two radii for objects, and the interpolation.
        wide, inner = self._around(window, 2 + 2 * self._radius + self._reach)
        low = plane.read(wide) - self._base
        pits = outliers(low, self._cell)
        low[pits] = np.nan
        slope = self._settings.slope
        found, opened, eroded = objects(low, self._radius, self._cell, slope)
        gaps = found | np.isnan(low)
        filled = fill(np.where(gaps, np.nan, low), opened, self._reach)
        # Ground is never above the surface, nor steeper than allowed.
        least = eroded - slope * self._radius * self._cell
        filled = np.where(gaps, np.fmin(np.fmax(filled, least), low), filled)
        # Far from known cells no ground is needed, and a plane would be a guess.
        filled = np.where(np.isnan(opened), np.nan, filled)
        return filled[inner], ~gaps[inner]

    def _correct(
        self, plane: ScratchRaster, bare: ScratchRaster, window: tuple[Span, Span]
    ) -> Float64Array:
        """Return the heights of bare cells above the minimum surface.

        The minimum of a cell lies below its ground, because of noise and slope. The mean of the
        pixels that step 4 classifies as ground corrects this.
        """
        rows, columns = self._pixels(window)
        above = self._surface.heights(rows, columns) - self._base
        ground, tolerance = self._sample(plane, rows, columns)
        above -= ground
        near = np.abs(above) <= tolerance
        above[~near] = 0.0
        count = self._cells(near, 0).sum(axis=1, dtype=np.int32).sum(axis=-1)
        total = self._cells(above, 0).sum(axis=1).sum(axis=-1)
        usable = (count > 0) & (bare.read(window) > 0)
        made: Float64Array = np.where(usable, total / np.maximum(count, 1), np.nan)
        return made

    def at(self, rows: Span, columns: Span) -> tuple[Float64Array, Float64Array]:
        """Interpolate the ground in a window of pixels.

        Args:
            rows: First row, and one past the last.
            columns: First column, and one past the last.

        Returns:
            Ground float64 [H, W] in metres, NaN where nothing is near; and how far above or below
            it a pixel counts as ground (step 4: threshold and scaling times the ground's slope).
        """
        ground, tolerance = self._sample(self._planes[-1], rows, columns)
        return ground + self._base, tolerance

    def _sample(
        self, plane: ScratchRaster, rows: Span, columns: Span
    ) -> tuple[Float64Array, Float64Array]:
        row, column = (
            weights.source_range(*span)
            for weights, span in zip(self._weights, (rows, columns), strict=True)
        )
        wide, _ = self._around((row, column), 1)
        cells = plane.read(wide)
        rise = [
            np.gradient(cells, self._cell, axis=axis) if size > 1 else np.zeros(cells.shape)
            for axis, size in enumerate(cells.shape)
        ]
        slope = np.nan_to_num(np.hypot(*rise))
        down, along = (
            np.arange(*span) // factor - first
            for span, factor, (first, _) in zip((rows, columns), self._factors, wide, strict=True)
        )
        tolerance = self._settings.threshold + self._settings.scaling * slope
        weights: list[ResamplingWeights] = [
            axis.local(*span, first, stop - first)
            for axis, span, (first, stop) in zip(self._weights, (rows, columns), wide, strict=True)
        ]
        known = torch.from_numpy(~np.isnan(cells))
        made, found = resample(torch.from_numpy(cells[None]), known, weights[0], weights[1])
        ground: Float64Array = made[0].numpy()
        if not bool(found.all()):
            ground[~found.numpy()] = np.nan
        return ground, tolerance[np.ix_(down, along)]

    def close(self) -> None:
        """Close the temporary files."""
        for plane in self._planes:
            plane.close()
