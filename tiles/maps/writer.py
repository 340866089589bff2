"""Writing a map: collect its pixels, convert them when they are complete, name the file last."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from os import fspath
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import rasterio
from rasterio.errors import RasterioError

from tiles.errors import InputError
from tiles.files import check_writable
from tiles.grid import PixelGrid
from tiles.maps.cog import CloudOptimizedGeoTiff
from tiles.maps.layers import Layer, band_count
from tiles.maps.map_format import MapFormat
from tiles.maps.work_folder import WorkFolder
from tiles.types import RasterName, Span

DEFAULT_FORMAT: Final = CloudOptimizedGeoTiff()


class MapWriter:
    """Writes one map, which gets its name when it is complete.

    Pixels go to panel files in a hidden folder beside the map. Leaving the context removes that
    folder, unless a later run can continue its work. Nothing else exists before `publish`.

    Args:
        path: The map's file, usually ending in `.tif`.
        layer: Layer of the map.
        grid: Grid of the map.
        tags: Metadata that is stored in the file.
        panels: Columns of each panel; by default one panel has them all.
        settings: All that the pixels depend on. Unfinished work of the same settings is continued
            (:func:`tiles.maps.panel_store.resume`). With None, no work is continued or kept.
        map_format: Format of the file.

    Attributes:
        path: The map's file.
        work_folder: The hidden folder with a file per panel.

    Raises:
        InputError: If the folder cannot be written to, a folder has the name of a file beside the
            map, or another run makes the map.

    Example:
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from tiles.maps import ValueMap
        >>> from tiles.reading import Raster
        >>> layer, grid = ValueMap("zero"), Raster("ortho.tif").grid
        >>> with MapWriter(Path("zero.tif"), layer, grid) as writer:
        ...     with writer.work_folder.panel_file(0) as panel:
        ...         panel.write(np.zeros((96, 96), np.float32), row=0, column=0)
        ...     print(writer.finish())
        zero.tif
    """

    def __init__(
        self,
        path: Path,
        layer: Layer,
        grid: PixelGrid,
        tags: Mapping[str, str] | None = None,
        panels: Sequence[Span] | None = None,
        settings: Mapping[str, Any] | None = None,
        map_format: MapFormat = DEFAULT_FORMAT,
    ) -> None:
        self.path, self._layer, self._grid, self._tags = path, layer, grid, tags or {}
        self._format = map_format
        for sidecar in map_format.sidecars(path):
            if sidecar.is_dir():
                raise InputError(sidecar, "is a folder", "choose another name for the map")
        shape = grid.height, grid.width
        self.work_folder = WorkFolder(path, shape, layer.dtype, panels, settings, band_count(layer))
        self._file, self._published = self.work_folder.finished / path.name, False

    def convert(self) -> None:
        """Write the map and its sidecars in the hidden folder."""
        finished = self.work_folder.finished
        with self.work_folder.write_errors():
            shutil.rmtree(finished, ignore_errors=True)  # left by a run that was killed here
            finished.mkdir()
            pixels = self.work_folder.write_vrt()
            self._format.write(pixels, self._file, self._layer, self._grid, self._tags)

    def publish(self) -> None:
        """Give the finished files their names, the map itself last."""
        with self.work_folder.write_errors():
            for sidecar in self._format.sidecars(self.path):
                finished = self.work_folder.finished / sidecar.name
                if finished.exists():
                    finished.replace(sidecar)
                else:  # it belongs to an older map of this name
                    sidecar.unlink(missing_ok=True)
            self._file.replace(self.path)
        self._published = True

    def finish(self) -> Path:
        """Convert and publish the map.

        Returns:
            The map's file.
        """
        self.convert()
        self.publish()
        return self.path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # After an error another map of the same run may lack its name: then the work of both stays.
        self.work_folder.close(finished=self._published and kind is None)


def check_target(path: Path, sources: Sequence[RasterName]) -> None:
    """Check the file of a map before any work is done.

    Args:
        path: The file.
        sources: Rasters that the map is made from.

    Raises:
        InputError: If the file cannot be written, or is one of the sources.

    Example:
        >>> from pathlib import Path
        >>> check_target(Path("height.tif"), ["ortho.tif"])
        >>> check_target(Path("ortho.tif"), ["ortho.tif"])
        Traceback (most recent call last):
        tiles.errors.InputError: ortho.tif: is an input of the map; choose another name
    """
    check_writable(path)
    for source in sources if path.exists() else ():
        # GDAL also reads sources that are not files, and virtual rasters of other files.
        parts = [fspath(source)]
        with suppress(RasterioError), rasterio.open(fspath(source)) as file:
            parts += file.files
        for part in parts:
            with suppress(OSError, ValueError):
                if path.samefile(part):
                    raise InputError(path, "is an input of the map", "choose another name")
