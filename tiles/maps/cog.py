"""Maps as files: Cloud Optimized GeoTIFFs that QGIS opens with names, colours and units."""

from __future__ import annotations

import errno
import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from itertools import product
from os import PathLike
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.shutil
from rasterio.windows import Window

from tiles.errors import InputError
from tiles.files import check_place
from tiles.grid import BLOCK, PixelGrid
from tiles.maps.layers import Layer
from tiles.maps.workdir import Work


class Statistics:
    """Statistics of a map, the same whatever the order in which its blocks come."""

    def __init__(self) -> None:
        self._low, self._high = math.inf, -math.inf
        self._blocks: list[tuple[int, float, float]] = []

    def add(self, values: npt.NDArray[Any]) -> None:
        """Add the known values of one block."""
        if values.size:
            exact = values.astype(np.float64)
            mean = float(exact.mean())
            self._low = min(self._low, float(exact.min()))
            self._high = max(self._high, float(exact.max()))
            self._blocks.append((values.size, mean, float(((exact - mean) ** 2).sum())))

    def tags(self, pixels: int) -> dict[str, str]:
        """GDAL's STATISTICS_* tags of a band of so many pixels."""
        count = sum(number for number, _, _ in self._blocks)
        if count == 0:
            return {"STATISTICS_VALID_PERCENT": "0"}
        mean = math.fsum(number * mean for number, mean, _ in self._blocks) / count
        spread = math.fsum(
            spread + number * (block - mean) ** 2 for number, block, spread in self._blocks
        )
        figures = {
            "MINIMUM": self._low,
            "MAXIMUM": self._high,
            "MEAN": mean,
            "STDDEV": math.sqrt(spread / count),
            "VALID_PERCENT": 100 * count / pixels,
        }
        return {f"STATISTICS_{key}": f"{figure:.14g}" for key, figure in figures.items()}


class MapWriter:
    """Gives a map its name when it is whole.

    Pixels go to sheets in a hidden folder beside the map. Leaving the context removes that folder,
    unless there is something in it that a later run can go on with; without `publish` nothing else
    was made.

    Args:
        path: The map's file, ending in `.tif` as a rule.
        layer: What it shows.
        grid: Where its pixels lie.
        tags: Where it comes from; written into the file.
        panels: First column and one past the last of each panel; the whole width by default.
        fingerprint: One line that says all that the pixels depend on, by which a later run knows
            work that it can go on with (`tiles.maps.journal.resume`). None: nothing is kept.

    Attributes:
        work: The hidden folder, with a sheet per panel.
    """

    def __init__(
        self,
        path: Path,
        layer: Layer,
        grid: PixelGrid,
        tags: Mapping[str, str] | None = None,
        panels: Sequence[tuple[int, int]] | None = None,
        fingerprint: str | None = None,
    ) -> None:
        self.path, self.layer, self.grid, self._tags = path, layer, grid, tags or {}
        self.work = Work(path, (grid.height, grid.width), layer.dtype, panels, fingerprint)
        self._cog, self._published = self.work.made / path.name, False

    def convert(self) -> None:
        """Turn what was written into a Cloud Optimized GeoTIFF with its sidecars, still aside."""
        with self.work.faults():
            shutil.rmtree(self.work.made, ignore_errors=True)  # of a run that was killed here
            self.work.made.mkdir()
            described = self._describe()
            _interruptibly(
                rasterio.shutil.copy,
                described,
                self._cog,
                driver="COG",
                COMPRESS="DEFLATE",
                PREDICTOR=self.layer.predictor,
                BLOCKSIZE=BLOCK,
                OVERVIEW_RESAMPLING=self.layer.overviews,
                BIGTIFF="IF_SAFER",
                NUM_THREADS="ALL_CPUS",
            )
            _check_whole(self._cog)
            self._cog.with_suffix(".qml").write_text(self.layer.style(), encoding="utf-8")
            if (text := self.layer.auxiliary()) is not None:
                _auxiliary(self._cog).write_text(text, encoding="utf-8")

    def _describe(self) -> Path:
        """A virtual raster of the plain pixels, with all that the map says of itself."""
        path, layer, grid = self.work.raster(), self.layer, self.grid
        with rasterio.open(path, "r+") as file:
            file.crs, file.transform, file.nodata = grid.crs, grid.transform, layer.nodata
            if (table := layer.colormap()) is not None:
                file.write_colormap(1, table)
            file.set_band_description(1, layer.description or layer.name)
            file.set_band_unit(1, layer.unit)
            file.update_tags(**self._tags)
            file.update_tags(1, **self._statistics(file))
        return path

    def _statistics(self, file: Any) -> dict[str, str]:
        statistics = Statistics()
        for top in range(0, self.grid.height, BLOCK):
            for left in range(0, self.grid.width, 16 * BLOCK):
                width = min(16 * BLOCK, self.grid.width - left)
                height = min(BLOCK, self.grid.height - top)
                values = file.read(1, window=Window(left, top, width, height))
                for start in range(0, width, BLOCK):
                    block = values[:, start : start + BLOCK]
                    statistics.add(block[block != self.layer.nodata])
        return statistics.tags(self.grid.width * self.grid.height)

    def publish(self) -> None:
        """Give the finished files their names, the map itself last."""
        with self.work.faults():
            self._cog.with_suffix(".qml").replace(self.path.with_suffix(".qml"))
            if _auxiliary(self._cog).exists():
                _auxiliary(self._cog).replace(_auxiliary(self.path))
            else:  # what GDAL noted of an older map under this name
                _auxiliary(self.path).unlink(missing_ok=True)
            self._cog.replace(self.path)
        self._published = True

    def finish(self) -> Path:
        """Convert and publish; returns the map's file."""
        self.convert()
        self.publish()
        return self.path

    def __enter__(self) -> MapWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # After an error another map of the same run may be without its name: both stay then.
        self.work.close(finished=self._published and kind is None)


def check_target(path: Path, sources: Sequence[str | PathLike[str]]) -> None:
    """Check the file of a map before any work is done.

    Args:
        path: The file.
        sources: What the map is made from.

    Raises:
        InputError: It cannot be written.
    """
    check_place(path)
    for source in sources:
        # What GDAL reads need not be a file.
        with suppress(OSError):
            if path.samefile(source):
                raise InputError(path, "is what it is made from", "choose another name")


def _interruptibly(work: Callable[..., Any], *args: Any, **options: Any) -> None:
    """Call a function that lasts in a thread, so that Ctrl-C need not wait for its end."""
    ended: Future[None] = Future()

    def call() -> None:
        try:
            with rasterio.Env():
                work(*args, **options)
        except BaseException as error:
            ended.set_exception(error)
        else:
            ended.set_result(None)

    Thread(target=call, daemon=True).start()
    ended.result()


def _auxiliary(path: Path) -> Path:
    return path.with_name(f"{path.name}.aux.xml")


def _check_whole(path: Path) -> None:
    """Check that all blocks are in the file: GDAL may keep silent about a disk that was full."""
    with path.open("rb") as raw, rasterio.open(path) as file:
        os.fsync(raw.fileno())
        for level, scale in enumerate([1, *file.overviews(1)], -1):
            shape = [-(-pixels // (BLOCK * scale)) for pixels in (file.width, file.height)]
            for x, y in product(*map(range, shape)):
                where = {"dm": "TIFF", "bidx": 1, "ovr": level if level >= 0 else None}
                offset = int(file.get_tag_item(f"BLOCK_OFFSET_{x}_{y}", **where) or 0)
                size = int(file.get_tag_item(f"BLOCK_SIZE_{x}_{y}", **where) or 0)
                # Before each block GDAL puts its size, behind it its last 4 bytes once more.
                start = os.pread(raw.fileno(), 4, max(offset - 4, 0))
                end = os.pread(raw.fileno(), 8, max(offset + size - 4, 0))
                if start != size.to_bytes(4, "little") or len(end) < 8 or end[:4] != end[4:]:
                    raise OSError(errno.ENOSPC, "cut short, as when the disk is full")
