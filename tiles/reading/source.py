"""What is mapped: one raster, or several of one place, on one grid and without seams."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from os import PathLike, fspath
from typing import Any

import numpy as np
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.warp import calculate_default_transform

from tiles.errors import InputError
from tiles.files import Closing
from tiles.grid import PixelGrid
from tiles.reading.overlay import Cover, Overlay, Piece, Shelf
from tiles.reading.raster import Raster, at_gsd
from tiles.reading.warp import SLACK, Warped, reach
from tiles.types import BandSelection, BoolArray, RasterName, Span

# Files whose common extent is this many times their area, and so many pixels long, are not of one
# place.
SPARSE, LONG = 100, 100_000

Spans = tuple[Span, Span]


class Source(Closing):
    """Orthophotos opened for reading, as if they were one.

    Where files overlap, the first in the list that knows a pixel has its say. Files are read as
    they are where their pixels are those of the common grid, and resampled to it where not.

    Args:
        rasters: One or more files: anything that GDAL reads, a URL or a virtual raster too.
        bands: Numbers of the bands wanted, from 1, or their names; by default all that are not
            alpha. A name is looked up in each file.
        crs: Read in this coordinate reference system; by default the first file's.

    Attributes:
        name: What it is called in errors.
        grid: Where its pixels lie: those of the first file, over the extent of all files. In
            another CRS they are squares of about the size of the first file's.
        bands: Numbers of the bands that are read from the first file, in this order.
        dtype: Type of the values.

    Raises:
        InputError: If a file cannot be read, has not these bands, or does not go with the others.
    """

    def __init__(
        self,
        rasters: RasterName | Sequence[RasterName],
        bands: BandSelection | None = None,
        crs: str | CRS | None = None,
    ) -> None:
        names = [rasters] if isinstance(rasters, str | PathLike) else list(rasters)
        if not names:
            raise InputError("rasters", "none is given", "name one file or more")
        common = None if crs is None else _parse(crs)
        self._shelf = Shelf()
        self._raster: Raster | Overlay
        first = Raster(names[0], bands)
        if len(names) == 1 and common in (None, first.grid.crs):
            self._raster, self._state = first, first.state()
        else:
            first.close()
            self._state = []
            self._raster = self._lay([fspath(name) for name in names], bands, first, common)
        self.name, self.grid = self._raster.name, self._raster.grid
        self.bands, self.dtype = self._raster.bands, self._raster.dtype

    def _lay(
        self, names: Sequence[str], bands: BandSelection | None, first: Raster, crs: CRS | None
    ) -> Overlay:
        """Lay files over one another."""
        pieces = [self._inspect(name, bands, first) for name in names]
        anchor = _anchor(pieces[0], crs)
        spans = [_reached(piece, anchor) for piece in pieces]
        _check_near(pieces, spans, anchor)
        grid = _window(anchor, _hull(spans))
        covers: list[Cover] = []
        for run in _runs(pieces):
            if _fits(run[0].grid, grid):
                covers += self._covers(run, grid)
                continue
            # Files of another grid are put together on that one, so that resampling sees no seam.
            own = _window(run[0].grid, _hull([_at(piece.grid, run[0].grid) for piece in run]))
            part = Overlay(run[0].name, own, first.bands, first.dtype, self._covers(run, own))
            reached = _hull([_reached(piece, grid) for piece in run])
            covers.append(Cover(*reached, Warped(part, grid).read))
        name = first.name if len(names) == 1 else f"{first.name} and {len(names) - 1} more"
        return Overlay(name, grid, first.bands, first.dtype, covers)

    def _covers(self, pieces: Sequence[Piece], grid: PixelGrid) -> list[Cover]:
        return [piece.cover(self._shelf, *_at(piece.grid, grid)) for piece in pieces]

    def _inspect(self, name: str, bands: BandSelection | None, first: Raster) -> Piece:
        with Raster(name, bands) as file:
            if len(file.bands) != len(first.bands):
                fault = f"has {len(file.bands)} bands, but {first.name} {len(first.bands)}"
                raise InputError(name, fault, "choose bands that all files have")
            if file.dtype != first.dtype:
                fault = f"has values of {file.dtype}, but {first.name} of {first.dtype}"
                raise InputError(name, fault, "convert them to one type")
            self._state += file.state()
            return Piece(name, file.bands, file.dtype, file.grid)

    def state(self) -> list[tuple[str, int, int]]:
        """What tells it from another: path, bytes and time (ns) of each file that it needs."""
        return list(self._state)

    def grid_at(self, gsd: float | None) -> PixelGrid:
        """The grid that a network of some ground sampling distance sees.

        Args:
            gsd: In metres; None, and within 1 %, gives the source's own grid.

        Raises:
            InputError: If the pixels have no size in metres.
        """
        return at_gsd(self.name, self.grid, gsd)

    def read(self, rows: Span, columns: Span) -> tuple[Any, BoolArray]:
        """Read one window; each pixel is the same whatever window it is read in.

        Args:
            rows: First row, and one past the last.
            columns: First column, and one past the last.

        Returns:
            Values [C, H, W] as stored, and which pixels are known, bool [H, W].

        Raises:
            InputError: If a file cannot be read any more.
        """
        return self._raster.read(rows, columns)

    def close(self) -> None:
        """Close all files."""
        self._shelf.close()
        if isinstance(self._raster, Raster):
            self._raster.close()


def _parse(crs: str | CRS) -> CRS:
    try:
        parsed = CRS.from_user_input(crs)
    except CRSError as error:
        fault = "is no coordinate reference system that PROJ knows"
        raise InputError(f"crs {crs}", fault, "give one such as EPSG:25832") from error
    if not (parsed.is_projected or parsed.is_geographic):
        fault = "is neither projected nor geographic"
        raise InputError(f"crs {crs}", fault, "give one such as EPSG:25832")
    return parsed


def _anchor(first: Piece, crs: CRS | None) -> PixelGrid:
    """A grid of the first file's extent with the pixels of the common one."""
    own = first.grid
    if crs in (None, own.crs):
        return own
    # Says what is wrong, which GDAL does not.
    reach(first.name, own, PixelGrid(crs, Affine.identity(), 1, 1))
    transform, width, height = calculate_default_transform(
        own.crs, crs, own.width, own.height, *own.bounds
    )
    return PixelGrid(crs, transform, width, height)


def _reached(piece: Piece, grid: PixelGrid) -> Spans:
    """Rows and columns of a grid that a file touches, but for slivers."""
    rows, columns = (
        (math.floor(low + SLACK), math.ceil(high - SLACK))
        for low, high in reach(piece.name, piece.grid, grid)
    )
    return (rows[0], max(rows[1], rows[0] + 1)), (columns[0], max(columns[1], columns[0] + 1))


def _fits(own: PixelGrid, grid: PixelGrid) -> bool:
    """Whether the pixels of a grid are pixels of another, which goes on forever."""
    if own.crs != grid.crs:
        return False
    near = all(abs(start - round(start)) <= SLACK for start in _start(own, grid))
    wider = abs(own.transform.a / grid.transform.a - 1) * own.width
    higher = abs(own.transform.e / grid.transform.e - 1) * own.height
    return near and max(wider, higher) <= SLACK


def _at(own: PixelGrid, grid: PixelGrid) -> Spans:
    """Which rows and columns of another grid the pixels of one are."""
    top, left = map(round, _start(own, grid))
    return (top, top + own.height), (left, left + own.width)


def _start(own: PixelGrid, grid: PixelGrid) -> tuple[float, float]:
    """Row and column of another grid where one begins."""
    a, b = own.transform, grid.transform
    return (a.f - b.f) / b.e, (a.c - b.c) / b.a


def _runs(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Files one after another whose pixels lie on one lattice."""
    run: list[Piece] = []
    for piece in pieces:
        if run and not _fits(piece.grid, run[0].grid):
            yield run
            run = []
        run.append(piece)
    yield run


def _hull(spans: Sequence[Spans]) -> Spans:
    """Rows and columns that hold all of some."""
    rows, columns = zip(*spans, strict=True)
    return (
        (min(low for low, _ in rows), max(high for _, high in rows)),
        (min(low for low, _ in columns), max(high for _, high in columns)),
    )


def _window(grid: PixelGrid, spans: Spans) -> PixelGrid:
    (top, bottom), (left, right) = spans
    return grid.window(left, top, right - left, bottom - top)


def _check_near(pieces: Sequence[Piece], spans: Sequence[Spans], anchor: PixelGrid) -> None:
    """Refuse files that are not of one place."""
    ends = np.array(spans, float)  # [pieces, rows and columns, start and stop]
    sides = ends[..., 1].max(axis=0) - ends[..., 0].min(axis=0)
    area = (ends[..., 1] - ends[..., 0]).prod(axis=1).sum()
    if sides.prod() <= SPARSE * area or sides.max() <= LONG:
        return
    centres = ends.mean(axis=2) * anchor.pixel_size[::-1]
    far = int(np.hypot(*(centres - np.median(centres, axis=0)).T).argmax())
    other = 0 if far else 1
    raise InputError(
        pieces[far].name,
        f"lies {math.dist(centres[far], centres[other]) / 1000:,.0f} km from {pieces[other].name}",
        "map it by itself, or correct its georeference",
    )
