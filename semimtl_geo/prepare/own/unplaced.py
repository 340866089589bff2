"""Artificial georeferences for files of research data sets that have none."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import rasterio
import rasterio.shutil
from rasterio import Affine
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from tiles.errors import InputError, input_errors

CRS: Final = "EPSG:32631"
"""CRS of the made-up place, unless scenes.yaml names one."""

WEST, SOUTH = 170_000.0, 1_000_000.0
SPACING: Final = 10_000.0
PER_ROW: Final = 66
"""Scenes are laid side by side in rows, each in a square of 10 km, within a zone of UTM."""


def is_unplaced(path: Path) -> bool:
    """Return whether a raster has neither a CRS nor a geotransform.

    Raises:
        InputError: If it cannot be read.
    """
    with (
        warnings.catch_warnings(),
        input_errors(path, "cannot be read as a raster", "give a raster", RasterioError),
    ):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as file:
            return file.crs is None and file.transform.is_identity


def give_artificial_georeference(
    paths: Sequence[Path], number: int, gsd: float, crs: str | None, folder: Path
) -> list[Path]:
    """Give the files of a scene a made-up place.

    Args:
        paths: The files, all of one size.
        number: Number of the scene.
        gsd: Ground sampling distance in metres.
        crs: CRS in metres; `CRS` if None.
        folder: Folder for virtual rasters of the files.

    Returns:
        The virtual rasters; a file that has a georeference stays as it is.

    Raises:
        InputError: If the files differ in size, or a scene is wider than its square.
    """
    transform = Affine(
        gsd, 0, WEST + number % PER_ROW * SPACING, 0, -gsd, SOUTH + number // PER_ROW * SPACING
    )
    placed, shapes = [], {}
    for path in paths:
        if not is_unplaced(path):
            placed.append(path)
            continue
        target = folder / f"{len(placed)}_{path.name}.vrt"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            rasterio.shutil.copy(path.absolute(), target, driver="VRT")
            with rasterio.open(target, "r+") as file:
                file.crs, file.transform = crs or CRS, transform
                shapes[path] = file.width, file.height
        placed.append(target)
        first = next(iter(shapes))
        if shapes[path] != shapes[first]:
            (width, height), (others, rows) = shapes[path], shapes[first]
            fault = f"has {width} x {height} px, but {first.name} has {others} x {rows} px"
            raise InputError(path, fault, "georeference them, as nothing says how they match")
        if max(shapes[path]) * gsd > SPACING:
            fault = f"is {max(shapes[path]) * gsd / 1000:.0f} km wide and has no georeference"
            raise InputError(path, fault, "georeference it, or correct image: {gsd: ...}")
    return placed
