"""Reading a raster for the mosaicker: strips of rows, full batches of tiles, what is unknown."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import rasterio
import torch
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window

from tiles.errors import InputError
from tiles.grid import Panel, PixelGrid, Plan
from tiles.resample import resample

Bools = npt.NDArray[np.bool_]
T = TypeVar("T")

# Megabytes that GDAL may keep of blocks; by default it takes a share of the machine's memory.
GDAL_CACHE = 128


def known_pixels(source: Any, bands: Sequence[int], **window: Any) -> Bools:
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


class Raster:
    """An orthophoto opened for reading.

    Args:
        path: Anything that GDAL reads.
        bands: Numbers of the bands wanted, from 1; by default all that are not alpha.

    Attributes:
        grid: Where its pixels lie.
        bands: The bands that are read, in this order.
    """

    def __init__(self, path: str | PathLike[str], bands: Sequence[int] | None = None) -> None:
        self.name = fspath(path)
        virtual = "://" in self.name or self.name.startswith("/vsi") or ":" in self.name[2:]
        if Path(self.name).is_dir():
            raise InputError(self.name, "is a folder", "name a raster file")
        if not virtual and not self.name.lstrip().startswith("<") and not Path(self.name).exists():
            raise InputError(self.name, "does not exist", "check the path")
        with ExitStack() as stack:
            try:
                self._file: Any = stack.enter_context(rasterio.open(self.name))
            except RasterioError as error:
                fault = f"cannot be read as a raster ({error})"
                raise InputError(self.name, fault, "give a file that GDAL reads") from error
            self.grid = self._check()
            self._masked = not all_known(self._file)
            self.bands = self._choose(bands)
            self._floats = any(
                np.issubdtype(np.dtype(self._file.dtypes[band - 1]), np.floating)
                for band in self.bands
            )
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
        if any(np.dtype(kind).kind == "c" for kind in file.dtypes):
            raise InputError(self.name, "has complex values", "convert them to real ones")
        try:
            return PixelGrid(file.crs, file.transform, file.width, file.height)
        except InputError as error:
            raise InputError(self.name, f"its geotransform {error.fault}", error.remedy) from error

    def _choose(self, bands: Sequence[int] | None) -> tuple[int, ...]:
        file = self._file
        if bands is None:
            pairs = zip(file.indexes, file.colorinterp, strict=True)
            bands = [band for band, meaning in pairs if meaning != ColorInterp.alpha]
        missing = [band for band in bands if band not in file.indexes]
        if missing or not bands:
            fault = f"has {file.count} bands, but {', '.join(map(str, missing)) or 'none'} is asked"
            raise InputError(self.name, fault, "choose bands that it has, counted from 1")
        return tuple(bands)

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
        try:
            if gsd is None or self.grid.has_gsd(gsd):
                return self.grid
            return self.grid.resampled(gsd)
        except InputError as error:
            raise InputError(f"{self.name}: {error.source}", error.fault, error.remedy) from error

    def read(self, rows: tuple[int, int], columns: tuple[int, int]) -> tuple[Any, Bools]:
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
        known: Bools = np.broadcast_to(np.True_, (bottom - top, right - left))
        try:
            values = self._file.read(self.bands, window=window)
            if self._masked:
                known = known_pixels(self._file, self.bands, window=window)
        except RasterioError as error:
            fault = f"cannot be read in rows {top} to {bottom - 1} ({error})"
            raise InputError(self.name, fault, "check that the file is whole") from error
        if self._floats:
            known = known & ~np.isnan(values).any(axis=0)
        return values, known

    def __enter__(self) -> Raster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


@dataclass(frozen=True, eq=False)
class Strip:
    """Rows that were read for the next row of tiles.

    Attributes:
        known: bool [h, panel], known pixels of the panel in new rows of the source.
        work: bool [H, work columns of the panel], those in new rows of the work grid.
        start: First of the new rows of the source, and of the work grid.
    """

    known: Bools
    work: Bools
    start: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Batch:
    """Tiles for the network.

    Attributes:
        images: float32 [B, C, S, S].
        tiles: Row number and column number of each tile in the plan.
    """

    images: torch.Tensor
    tiles: tuple[tuple[int, int], ...]


class Feed:
    """Strips and batches of one panel, in the order in which they are needed.

    Args:
        raster: The raster.
        plan: Its plan.
        panel: The panel to read.
        size: Tiles per batch.
        fill: float32 [C], what the network is shown instead of unknown pixels.
        first: Row number and column number of the tile to begin with.
    """

    def __init__(
        self,
        raster: Raster,
        plan: Plan,
        panel: Panel,
        size: int,
        fill: npt.NDArray[np.float32],
        first: tuple[int, int] = (0, 0),
    ) -> None:
        self._raster, self._plan, self._panel, self._size = raster, plan, panel, size
        self._first = first
        self._fill = fill[:, None]
        last = min(plan.columns[panel.tiles[-1]] + plan.tile, plan.work.width)
        self._columns = (plan.columns[panel.tiles[0]], last)

    def __iter__(self) -> Iterator[Strip | Batch]:
        """Yield each strip before the tiles that end in it; all batches but the last are full."""
        plan, (left, right) = self._plan, self._columns
        waiting: list[tuple[npt.NDArray[np.float32], tuple[int, int]]] = []
        values: Any = None
        known: Bools = np.zeros((0, right - left), bool)
        top = bottom = seen = plan.rows[self._first[0]]
        if plan.resamples:
            seen = plan.into_work[0].reach(top, top + 1)[0]
        for row, start in enumerate(plan.rows[self._first[0] :], self._first[0]):
            end = min(start + plan.tile, plan.work.height)
            fresh, strip_known, strip, seen = self._strip(bottom, end, seen)
            yield strip
            # The rows that this row of tiles shares with the one above stay.
            kept = slice(start - top, bottom - top)
            values = fresh if values is None else np.concatenate([values[:, kept], fresh], axis=1)
            known = np.concatenate([known[kept], strip_known])
            top, bottom = start, end
            for column in self._panel.tiles:
                at = plan.columns[column] - left
                part = known[:, at : at + plan.tile]
                if part.any() and (row, column) >= self._first:
                    image = self._image(values[:, :, at : at + plan.tile], part)
                    waiting.append((image, (row, column)))
                if len(waiting) == self._size:
                    yield self._batch(waiting)
                    waiting = []
        if waiting:
            yield self._batch(waiting)

    def _strip(self, start: int, stop: int, seen: int) -> tuple[Any, Bools, Strip, int]:
        """Read the work rows [start, stop), where source rows above `seen` were handed out."""
        plan, panel, (left, right) = self._plan, self._panel, self._columns
        rows, columns = (start, stop), (left, right)
        if plan.resamples:
            rows = plan.into_work[0].reach(start, stop)
            reach = plan.into_work[1].reach(left, right)
            columns = min(reach[0], panel.start), max(reach[1], panel.stop)
        values, source = self._raster.read(rows, columns)
        handed = source[seen - rows[0] :, panel.start - columns[0] : panel.stop - columns[0]]
        known = source
        if plan.resamples:
            height, width = source.shape
            made, found = resample(
                torch.from_numpy(values.astype(np.float32)),
                torch.from_numpy(source.copy()),
                plan.into_work[0].local(start, stop, rows[0], height),
                plan.into_work[1].local(left, right, columns[0], width),
            )
            values, known = made.numpy(), found.numpy()
        work = known[:, panel.work[0] - left : panel.work[1] - left]
        if not handed.any():  # long stretches without data are held without memory
            handed = np.broadcast_to(np.False_, handed.shape)
            work = work if work.any() else np.broadcast_to(np.False_, work.shape)
        # Copied, lest a view keep the whole strip.
        return values, known, Strip(_own(handed), _own(work), (seen, start)), rows[1]

    def _image(self, values: Any, known: Bools) -> npt.NDArray[np.float32]:
        image: npt.NDArray[np.float32] = values.astype(np.float32)
        if not known.all():
            image[:, ~known] = self._fill
        height, width = known.shape
        if (height, width) != (self._plan.tile, self._plan.tile):
            overhang = ((0, 0), (0, self._plan.tile - height), (0, self._plan.tile - width))
            image = np.pad(image, overhang, mode="reflect")
        return image

    @staticmethod
    def _batch(waiting: list[tuple[npt.NDArray[np.float32], tuple[int, int]]]) -> Batch:
        images = np.stack([image for image, _ in waiting])
        return Batch(torch.from_numpy(images), tuple(tile for _, tile in waiting))


def _own(known: Bools) -> Bools:
    return known if known.strides == (0, 0) else known.copy()


def ahead(items: Iterator[T]) -> Generator[T, None, None]:
    """Make the next item in a background thread while this one is used."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, items, end)
        while (item := following.result()) is not end:
            following = pool.submit(next, items, end)
            yield item  # type: ignore[misc]
