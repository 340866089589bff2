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


def write_raw_vrt(path: Path, pixels: Path, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
    """Write a virtual raster that reads a file of plain pixels, row by row.

    Args:
        path: The virtual raster to write.
        pixels: File of pixels in the same folder, in the byte order of this machine.
        shape: Rows and columns.
        dtype: Type of the pixels, uint8 or float32.
    """
    order = {"little": "LSB", "big": "MSB"}[sys.byteorder]
    content = (
        f'<SourceFilename relativeToVRT="1">{pixels.name}</SourceFilename>'
        f"<ByteOrder>{order}</ByteOrder>"
    )
    _write(path, shape, dtype, content, ' subClass="VRTRawRasterBand"')


def write_column_vrt(
    path: Path,
    rasters: Sequence[Path],
    columns: Sequence[Span],
    shape: tuple[int, int],
    dtype: np.dtype[Any],
) -> None:
    """Write a virtual raster that shows rasters side by side.

    Args:
        path: The virtual raster to write.
        rasters: Rasters in the same folder, each as high as the result.
        columns: Columns of the result that each raster fills.
        shape: Rows and columns of the result.
        dtype: Type of the pixels, uint8 or float32.
    """
    sources = "".join(
        f'<SimpleSource><SourceFilename relativeToVRT="1">{raster.name}</SourceFilename>'
        f'<SourceBand>1</SourceBand><SrcRect xOff="0" yOff="0" xSize="{stop - start}" '
        f'ySize="{shape[0]}"/><DstRect xOff="{start}" yOff="0" xSize="{stop - start}" '
        f'ySize="{shape[0]}"/></SimpleSource>'
        for raster, (start, stop) in zip(rasters, columns, strict=True)
    )
    _write(path, shape, dtype, sources)


def _write(
    path: Path, shape: tuple[int, int], dtype: np.dtype[Any], content: str, options: str = ""
) -> None:
    path.write_text(
        f'<VRTDataset rasterXSize="{shape[1]}" rasterYSize="{shape[0]}">{_PLACEHOLDER}'
        f'<VRTRasterBand dataType="{_GDAL_TYPES[dtype.name]}" band="1"{options}>{content}'
        "</VRTRasterBand></VRTDataset>",
        encoding="utf-8",
    )
