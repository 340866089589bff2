"""One raster opened for reading: its grid, its bands, and which of its pixels are known."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from os import fspath
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window

from tiles.errors import InputError, path_faults
from tiles.files import Closing
from tiles.grid import PixelGrid
from tiles.reading.band_names import band_numbers
from tiles.types import BandSelection, BoolArray, RasterName

# Megabytes that GDAL may keep of blocks; by default it takes a share of the machine's memory.
GDAL_CACHE = 128


def known_pixels(source: Any, bands: Sequence[int], **window: Any) -> BoolArray:
    """Which pixels an open raster knows, bool [H, W], by its nodata, mask or alpha.

    A pixel of integers is unknown if all bands are nodata, for 0 may be a dark colour and nodata at
    once. A pixel of floats is unknown if any band is, for nodata is no colour then. A band that is
    read as a colour is no mask, whatever the file says: GDAL takes the infrared of many a file for
    alpha.

    Args:
        source: The raster.
        bands: The bands that are read.
        **window: What part, as rasterio's read_masks takes it.
    """
    alphas = [i for i, meaning in enumerate(source.colorinterp, 1) if meaning == ColorInterp.alpha]
    if set(alphas) & set(bands):
        nodata = np.nan if source.nodata is None else source.nodata
        known = (source.read(list(bands), **window) != nodata).any(axis=0)
    elif np.dtype(source.dtypes[bands[0] - 1]).kind == "f":
        known = (source.read_masks(list(bands), **window) > 0).all(axis=0)
    else:
        known = source.dataset_mask(**window) > 0
    # GDAL takes alpha for a mask only as the second or the fourth of as many bands.
    for alpha in set(alphas) - set(bands):
        known = known & (source.read(alpha, **window) > 0)
    return np.asarray(known)


def all_known(source: Any) -> bool:
    """Whether an open raster knows every pixel, NaN apart, so that no mask need be read."""
    plain = all(flags == [MaskFlags.all_valid] for flags in source.mask_flag_enums)
    return plain and ColorInterp.alpha not in source.colorinterp


def at_gsd(name: str, grid: PixelGrid, gsd: float | None) -> PixelGrid:
    """A raster's grid at some ground sampling distance; see `Raster.grid_at`."""
    try:
        if gsd is None or grid.has_gsd(gsd):
            return grid
        return grid.resampled(gsd)
    except InputError as error:
        raise InputError(f"{name}: {error.source}", error.fault, error.remedy) from error


class Raster(Closing):
    """An orthophoto opened for reading.

    Args:
        path: Anything that GDAL reads.
        bands: Numbers of the bands wanted, from 1, or their names; by default all that are not
            alpha.

    Attributes:
        name: What it is called in errors.
        grid: Where its pixels lie.
        bands: The bands that are read, in this order.
        dtype: Type of their values.

    Raises:
        InputError: If it cannot be read, or has not these bands.
    """

    def __init__(self, path: RasterName, bands: BandSelection | None = None) -> None:
        self.name = fspath(path)
        virtual = "://" in self.name or self.name.startswith("/vsi") or ":" in self.name[2:]
        if not virtual and not self.name.lstrip().startswith("<"):
            with path_faults(self.name):
                if Path(self.name).is_dir():
                    raise InputError(self.name, "is a folder", "name a raster file")
                if not Path(self.name).exists():
                    raise InputError(self.name, "does not exist", "check the path")
        with ExitStack() as stack:
            try:
                # Not entered: that would tie it to this thread, and another may close it.
                self._file: Any = rasterio.open(self.name)
                stack.callback(self._file.close)
            except RasterioError as error:
                fault = f"cannot be read as a raster ({error})"
                raise InputError(self.name, fault, "give a file that GDAL reads") from error
            self.grid = self._check()
            self._masked = not all_known(self._file)
            self.bands = self._choose(bands)
            self.dtype = self._kind()
            stack.pop_all()

    def _check(self) -> PixelGrid:
        file = self._file
        if file.count == 0:
            raise InputError(self.name, "has no bands of its own", "name one of its subdatasets")
        if file.crs is None:
            raise InputError(
                self.name,
                "has no coordinate reference system",
                "assign one, for example with gdal_edit -a_srs",
            )
        if file.transform.is_identity:  # what rasterio says of none
            fault, remedy = "has no geotransform", "georeference it, as by a world file beside it"
            raise InputError(self.name, fault, remedy)
        if any(np.dtype(kind).kind == "c" for kind in file.dtypes):
            raise InputError(self.name, "has complex values", "convert them to real ones")
        try:
            return PixelGrid(file.crs, file.transform, file.width, file.height)
        except InputError as error:
            raise InputError(self.name, f"its geotransform {error.fault}", error.remedy) from error

    def _choose(self, bands: BandSelection | None) -> tuple[int, ...]:
        file = self._file
        if bands is None:
            pairs = zip(file.indexes, file.colorinterp, strict=True)
            numbers = [band for band, meaning in pairs if meaning != ColorInterp.alpha]
        else:
            numbers = band_numbers(file, self.name, bands)
        missing = [band for band in numbers if band not in file.indexes]
        if missing or not numbers:
            fault = f"has {file.count} bands, but {', '.join(map(str, missing)) or 'none'} is asked"
            raise InputError(self.name, fault, "choose bands that it has, counted from 1")
        return tuple(numbers)

    def _kind(self) -> np.dtype[Any]:
        kinds = {band: self._file.dtypes[band - 1] for band in self.bands}
        if len(set(kinds.values())) > 1:
            each = ", ".join(f"{band} {kind}" for band, kind in kinds.items())
            fault = f"its bands differ in type ({each})"
            raise InputError(self.name, fault, "choose bands of one type")
        kind: np.dtype[Any] = np.dtype(kinds[self.bands[0]])
        return kind

    def state(self) -> list[tuple[str, int, int]]:
        """What tells this raster from another: path, bytes and time (ns) of each file it needs."""
        found = [(self.name, 0, 0)]
        for name in self._file.files:
            with suppress(OSError, ValueError):  # no file of this machine
                facts = Path(name).stat()
                found.append((name, facts.st_size, facts.st_mtime_ns))
        return found

    def grid_at(self, gsd: float | None) -> PixelGrid:
        """The grid that a network of some ground sampling distance sees.

        Args:
            gsd: In metres; None, and within 1 %, gives the raster's own grid.

        Raises:
            InputError: If the raster's pixels have no size in metres.
        """
        return at_gsd(self.name, self.grid, gsd)

    def read(self, rows: tuple[int, int], columns: tuple[int, int]) -> tuple[Any, BoolArray]:
        """Read one window.

        Args:
            rows: First row, and one past the last.
            columns: First column, and one past the last.

        Returns:
            Values [C, H, W] as stored, and which pixels are known, bool [H, W].
        """
        (top, bottom), (left, right) = rows, columns
        window = Window(left, top, right - left, bottom - top)
        # Takes no memory where all is known.
        known: BoolArray = np.broadcast_to(np.True_, (bottom - top, right - left))
        try:
            values = self._file.read(self.bands, window=window)
            if self._masked:
                known = known_pixels(self._file, self.bands, window=window)
        except RasterioError as error:
            # Rasterio's own says no more than that there is a cause.
            fault = f"cannot be read in rows {top} to {bottom - 1} ({error.__cause__ or error})"
            raise InputError(self.name, fault, "check that the file is whole") from error
        if self.dtype.kind == "f":
            known = known & ~np.isnan(values).any(axis=0)
        return values, known

    def close(self) -> None:
        """Close the file."""
        self._file.close()
