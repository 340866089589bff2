"""Maps as Cloud Optimized GeoTIFFs that QGIS opens with class names, colours and units."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.shutil
from rasterio.windows import Window

from tiles.grid import BLOCK, PixelGrid
from tiles.maps.layers import ClassMap, Layer
from tiles.maps.statistics import BandStatistics
from tiles.maps.threads import run_interruptibly

# Blocks of the map that are read at once for its statistics.
_BLOCKS_PER_READ = 16


class CloudOptimizedGeoTiff:
    """Format of maps: a Cloud Optimized GeoTIFF, styles for QGIS and others, and GDAL's sidecar.

    It implements :class:`tiles.maps.MapFormat`.

    Example:
        >>> from pathlib import Path
        >>> [file.name for file in CloudOptimizedGeoTiff().sidecars(Path("height.tif"))]
        ['height.qml', 'height.sld', 'height.tif.aux.xml']
    """

    def sidecars(self, path: Path) -> Sequence[Path]:
        """Return the paths of the styles, and of the auxiliary file, which may be GDAL's own."""
        styles = path.with_suffix(".qml"), path.with_suffix(".sld")
        return *styles, path.with_name(f"{path.name}.aux.xml")

    def write(
        self,
        pixels: Path,
        target: Path,
        layer: Layer,
        grid: PixelGrid,
        tags: Mapping[str, str],
    ) -> None:
        """Write the GeoTIFF and its sidecars; see :meth:`tiles.maps.MapFormat.write`."""
        counts = _describe(pixels, layer, grid, tags)
        options = {
            "driver": "COG",
            "COMPRESS": "DEFLATE",
            # Real values hardly compress: in half of the time, files become 3 % larger.
            "LEVEL": 1 if layer.dtype == "float32" else 6,
            "PREDICTOR": layer.predictor,
            "BLOCKSIZE": BLOCK,
            "OVERVIEW_RESAMPLING": layer.overviews,
            "BIGTIFF": "IF_SAFER",
            "NUM_THREADS": "ALL_CPUS",
        }
        run_interruptibly([partial(_copy, pixels, target, options)])
        _check_complete(target)
        style, sld, auxiliary = self.sidecars(target)
        style.write_text(layer.style(), encoding="utf-8")
        sld.write_text(layer.sld(), encoding="utf-8")
        if (text := layer.auxiliary(counts)) is not None:
            auxiliary.write_text(text, encoding="utf-8")


def _copy(pixels: Path, target: Path, options: Mapping[str, Any]) -> None:
    """Convert a raster."""
    # GDAL would compress overviews once more, for a temporary file.
    with rasterio.Env(COG_TMP_COMPRESSION="NONE"):
        rasterio.shutil.copy(pixels, target, **options)


def _describe(
    pixels: Path, layer: Layer, grid: PixelGrid, tags: Mapping[str, str]
) -> Sequence[int]:
    """Add georeference and all metadata to a virtual raster of plain pixels.

    Returns:
        Number of pixels of each class of a map of classes.
    """
    counts = np.zeros(layer.channels, np.int64)
    with rasterio.open(pixels, "r+") as file:
        file.crs, file.transform, file.nodata = grid.crs, grid.transform, layer.nodata
        if (table := layer.colormap()) is not None:
            file.write_colormap(1, table)
        file.update_tags(**tags)
        for band, description in enumerate(layer.descriptions, start=1):
            file.set_band_description(band, description)
            file.set_band_unit(band, layer.unit)
            file.update_tags(band, **_statistics(file, band, layer, counts))
    return counts.tolist()


def _statistics(
    file: Any, band: int, layer: Layer, counts: npt.NDArray[np.int64]
) -> dict[str, str]:
    """Return the STATISTICS_* tags of a band of an open raster, and count pixels of classes."""
    statistics, stride = BandStatistics(), _BLOCKS_PER_READ * BLOCK
    for top in range(0, file.height, BLOCK):
        for left in range(0, file.width, stride):
            width, height = min(stride, file.width - left), min(BLOCK, file.height - top)
            values = file.read(band, window=Window(left, top, width, height))
            for start in range(0, width, BLOCK):
                block = values[:, start : start + BLOCK]
                known = block[block != layer.nodata]
                statistics.add(known)
                if isinstance(layer, ClassMap):
                    counts += np.bincount(known, minlength=len(counts))
    return statistics.tags(file.width * file.height)


def _check_complete(path: Path) -> None:
    """Check that all blocks are in the file: GDAL may not report that the disk was full."""
    with path.open("r+b") as raw, rasterio.open(path) as file:
        os.fsync(raw.fileno())
        for level in range(-1, len(file.overviews(1))):
            options = {"OVERVIEW_LEVEL": level} if level >= 0 else {}
            with rasterio.open(path, **options) as view:
                shape = [-(-pixels // BLOCK) for pixels in (view.width, view.height)]
            for x, y in product(*map(range, shape)):
                item = {"dm": "TIFF", "bidx": 1, "ovr": level if level >= 0 else None}
                offset = int(file.get_tag_item(f"BLOCK_OFFSET_{x}_{y}", **item) or 0)
                size = int(file.get_tag_item(f"BLOCK_SIZE_{x}_{y}", **item) or 0)
                # GDAL writes the size before each block, and repeats the last 4 bytes behind it.
                raw.seek(max(offset - 4, 0))
                start = raw.read(4)
                raw.seek(max(offset + size - 4, 0))
                end = raw.read(8)
                if start != size.to_bytes(4, "little") or len(end) < 8 or end[:4] != end[4:]:
                    raise OSError(errno.ENOSPC, "the file is incomplete, the disk may be full")
