"""A user's own orthophotos: bands of one file, or of several that lie over one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import numpy as np
import rasterio
from rasterio import Affine

from semimtl_geo.prepare.own.schema import FolderSettings, ImageSettings
from semimtl_geo.prepare.rasters.resampling import resampled, to_values, value_layers
from semimtl_geo.prepare.rasters.scene_writer import write_image
from tiles.errors import InputError
from tiles.files import Closeable
from tiles.grid import PixelGrid
from tiles.reading.overlay import Overlay
from tiles.reading.raster import Raster, all_known
from tiles.reading.source import Source
from tiles.types import WHITE_TAG, BoolArray, Float32Array, Span

MAX_SCALE_ERROR: Final = 0.05
"""Largest relative difference between a unit of the CRS and a metre on the ground. Survey grids
stay below it; Web Mercator, away from the equator, does not."""


class ImageStack(Closeable):
    """An orthophoto and the files whose bands are written after its own.

    Args:
        image: The orthophoto.
        stack: Files of each entry of ``image: {stack: ...}``.
        settings: Bands, names and white.

    Attributes:
        image: The orthophoto, opened for reading.

    Raises:
        InputError: If a file cannot be read, lacks a band, or is of another type.
    """

    def __init__(
        self, image: Path, stack: Sequence[Sequence[Path]], settings: ImageSettings
    ) -> None:
        self._settings = settings
        bands = [settings.bands, *(more.bands for more in settings.stack)]
        with ExitStack() as opened:
            self.image = opened.enter_context(Raster(image, settings.bands))
            self._parts: list[Raster | Source] = [self.image]
            for files, numbers in zip(stack, bands[1:], strict=True):
                more = opened.enter_context(Source(files, numbers))
                self._parts.append(more)
                if more.dtype != self.image.dtype:
                    fault = f"has values of {more.dtype}, but {image} of {self.image.dtype}"
                    raise InputError(more.name, fault, "convert them to one type")
            self._files = opened.pop_all()
        paths = [image, *(files[0] for files in stack)]
        self._names: list[str] = []
        for path, part in zip(paths, self._parts, strict=True):
            with rasterio.open(path) as file:
                self._names += [
                    file.descriptions[band - 1] or f"band {band}" for band in part.bands
                ]
        # Of several files, some may not cover the whole orthophoto.
        with rasterio.open(image) as file:
            self._all_known = not stack and all_known(file) and self.image.dtype.kind != "f"

    def write(self, target: Path, grid: PixelGrid, tags: Mapping[str, str]) -> None:
        """Write all bands on a grid; a pixel is known where those of all files are.

        Args:
            target: The file.
            grid: The grid.
            tags: Tags of the file.

        Raises:
            InputError: If a file is damaged.
        """
        settings = self._settings
        dtype, gain = self.image.dtype, 1.0
        if settings.white is not None:
            dtype, gain = np.dtype(np.uint8), 255 / settings.white
            if self.image.dtype.kind in "iu" and self.image.dtype.itemsize > 1:
                tags = {**tags, WHITE_TAG: f"{settings.white:g}"}
        layers = [_layers(part, gain) for part in self._parts]
        whole = layers[0] if len(layers) == 1 else _stacked(layers, grid)
        masked = not self._all_known or grid.crs != self.image.grid.crs
        write_image(target, whole, grid, dtype, settings.names or self._names, masked, tags)

    def close(self) -> None:
        """Close the files."""
        self._files.close()


def target_grid(path: Path, image: Raster, settings: FolderSettings) -> PixelGrid:
    """Return the grid to write a scene on.

    Args:
        path: The orthophoto.
        image: The orthophoto, opened for reading.
        settings: Ground sampling distance and CRS to write.

    Raises:
        InputError: If the unit of its CRS is not a metre on the ground, which training assumes.
    """
    if settings.crs is None:
        grid = _north_up(image.grid_at(settings.gsd))
    else:
        with Source(path, settings.image.bands, settings.crs) as projected:
            grid = _north_up(projected.grid_at(settings.gsd))
    steps = abs(grid.transform.a), abs(grid.transform.e)
    ratios = [step / size for step, size in zip(steps, grid.pixel_size, strict=True)]
    if any(abs(ratio - 1) > MAX_SCALE_ERROR for ratio in ratios):
        fault = (
            f"would be written in {grid.crs.to_string()}, whose unit is not a metre on the ground"
        )
        remedy = "give a projected one in scenes.yaml, such as crs: EPSG:25832"
        raise InputError(image.name, fault, remedy)
    return grid


def _north_up(grid: PixelGrid) -> PixelGrid:
    """Return the grid of the same pixels whose first one is the north-western one."""
    t, (west, _, _, north) = grid.transform, grid.bounds
    transform = Affine(abs(t.a), 0, west, 0, -abs(t.e), north)
    return PixelGrid(grid.crs, transform, grid.width, grid.height)


def _layers(part: Raster | Source, gain: float) -> Overlay:
    """Return the values of a file times a factor, and whether they are known."""

    def read(rows: Span, columns: Span) -> tuple[Float32Array, BoolArray]:
        values, known = part.read(rows, columns)
        return values if gain == 1 else values * np.float32(gain), known

    return value_layers(part.name, part.grid, len(part.bands), read)


def _stacked(parts: Sequence[Overlay], grid: PixelGrid) -> Overlay:
    """Return the layers of several files on one grid."""
    readers = [resampled(part, grid) for part in parts]

    def read(rows: Span, columns: Span) -> tuple[Float32Array, BoolArray]:
        made = [to_values(reader(rows, columns)) for reader in readers]
        values = np.concatenate([values for values, _ in made])
        return values, np.logical_and.reduce([known for _, known in made])

    count = sum(len(part.bands) - 1 for part in parts)
    return value_layers(parts[0].name, grid, count, read)
