"""GDAL virtual rasters (VRT) over the pixels of an unfinished map."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tiles.types import Span

# GDAL warns about rasters without a geotransform; the map's own replaces this one.
_PLACEHOLDER = "<GeoTransform>0, 1, 0, 0, 0, -1</GeoTransform>"
_GDAL_TYPES = {"uint8": "Byte", "float32": "Float32"}


def write_raw_vrt(
    path: Path, pixels: Path, shape: tuple[int, int], dtype: np.dtype[Any], bands: int = 1
) -> None:
    """Write a virtual raster that reads a file of plain pixels, row by row.

    Args:
        path: The virtual raster to write.
        pixels: File of pixels in the same folder, in the byte order of this machine.
        shape: Rows and columns.
        dtype: Type of the pixels, uint8 or float32.
        bands: Number of bands, which lie one after the other in each row.
    """
    order = {"little": "LSB", "big": "MSB"}[sys.byteorder]
    row = shape[1] * dtype.itemsize
    contents = [
        f'<SourceFilename relativeToVRT="1">{pixels.name}</SourceFilename>'
        f"<ImageOffset>{band * row}</ImageOffset><PixelOffset>{dtype.itemsize}</PixelOffset>"
        f"<LineOffset>{bands * row}</LineOffset><ByteOrder>{order}</ByteOrder>"
        for band in range(bands)
    ]
    _write(path, shape, dtype, contents, ' subClass="VRTRawRasterBand"')


def write_column_vrt(
    path: Path,
    rasters: Sequence[Path],
    columns: Sequence[Span],
    shape: tuple[int, int],
    dtype: np.dtype[Any],
    bands: int = 1,
) -> None:
    """Write a virtual raster that shows rasters side by side.

    Args:
        path: The virtual raster to write.
        rasters: Rasters in the same folder, each as high as the result.
        columns: Columns of the result that each raster fills.
        shape: Rows and columns of the result.
        dtype: Type of the pixels, uint8 or float32.
        bands: Number of bands.
    """
    contents = [
        "".join(
            f'<SimpleSource><SourceFilename relativeToVRT="1">{raster.name}</SourceFilename>'
            f'<SourceBand>{band}</SourceBand><SrcRect xOff="0" yOff="0" xSize="{stop - start}" '
            f'ySize="{shape[0]}"/><DstRect xOff="{start}" yOff="0" xSize="{stop - start}" '
            f'ySize="{shape[0]}"/></SimpleSource>'
            for raster, (start, stop) in zip(rasters, columns, strict=True)
        )
        for band in range(1, bands + 1)
    ]
    _write(path, shape, dtype, contents)


def _write(
    path: Path,
    shape: tuple[int, int],
    dtype: np.dtype[Any],
    contents: Sequence[str],
    options: str = "",
) -> None:
    """Write a virtual raster from the content of each band."""
    bands = "".join(
        f'<VRTRasterBand dataType="{_GDAL_TYPES[dtype.name]}" band="{band}"{options}>{content}'
        "</VRTRasterBand>"
        for band, content in enumerate(contents, start=1)
    )
    path.write_text(
        f'<VRTDataset rasterXSize="{shape[1]}" rasterYSize="{shape[0]}">{_PLACEHOLDER}{bands}'
        "</VRTDataset>",
        encoding="utf-8",
    )
