"""The protocol of file formats in which maps are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tiles.grid import PixelGrid
from tiles.maps.layers import Layer


class MapFormat(Protocol):
    """A file format in which maps are written.

    :class:`tiles.maps.MapWriter` collects pixels, continues interrupted work and gives files their
    final names; a format only converts finished pixels.

    Example:
        >>> from pathlib import Path
        >>> import numpy as np, rasterio.shutil
        >>> from tiles.maps import MapWriter, PercentMap
        >>> from tiles.reading import Raster
        >>> class Png:
        ...     def sidecars(self, path):
        ...         return []
        ...     def write(self, pixels, target, layer, grid, tags):
        ...         rasterio.shutil.copy(pixels, target, driver="PNG")
        >>> layer, grid = PercentMap("certainty"), Raster("ortho.tif").grid
        >>> with MapWriter(Path("certainty.png"), layer, grid, map_format=Png()) as writer:
        ...     with writer.work_folder.panel_file(0) as panel:
        ...         panel.write(np.zeros((96, 96), np.uint8), row=0, column=0)
        ...     print(writer.finish())
        certainty.png
    """

    def sidecars(self, path: Path) -> Sequence[Path]:
        """Return the paths of all files that may lie beside a map and belong to it.

        Args:
            path: The map's file.
        """
        ...

    def write(
        self,
        pixels: Path,
        target: Path,
        layer: Layer,
        grid: PixelGrid,
        tags: Mapping[str, str],
    ) -> None:
        """Write a map and its sidecars.

        Args:
            pixels: Virtual raster of the pixels, without georeference. It is a temporary file that
                may be changed.
            target: File to write, in an empty folder. Sidecars are named as by `sidecars(target)`.
            layer: Layer of the map.
            grid: Grid of the map.
            tags: Metadata to store in the file.

        Raises:
            OSError: If the disk is full, or another error of the operating system or of GDAL.
        """
        ...
