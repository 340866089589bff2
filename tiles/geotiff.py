"""Maps as files: Cloud Optimized GeoTIFFs that QGIS opens with names, colours and units."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.shutil
from rasterio._err import CPLE_BaseError  # rasterio.shutil raises it; it has no public name
from rasterio.errors import RasterioError
from rasterio.windows import Window

from tiles.errors import InputError
from tiles.grid import BLOCK, PixelGrid
from tiles.styles import Color, category_names, class_style, value_style

_FAULTS = (OSError, RasterioError, CPLE_BaseError)


@dataclass(frozen=True)
class ClassMap:
    """A map of classes: the pixel value is the number of the likeliest class.

    Attributes:
        name: Name of the layer.
        classes: Names of the classes 0, 1, ...
        colors: Their colours (red, green, blue), 0..255.
    """

    name: str
    classes: Sequence[str]
    colors: Sequence[Color]

    dtype: ClassVar[str] = "uint8"
    nodata: ClassVar[float] = 255
    unit: ClassVar[str] = ""
    overviews: ClassVar[str] = "MODE"
    # Differences of class numbers mean nothing and compress worse.
    predictor: ClassVar[str] = "NO"

    def __post_init__(self) -> None:
        """Check that every class has a value and a colour."""
        if not 1 <= len(self.classes) <= self.nodata or len(self.colors) != len(self.classes):
            raise ValueError(f"{self.name}: give 1 to 255 classes, and a colour for each")

    @property
    def channels(self) -> int:
        """Channels that `predict` answers: one per class."""
        return len(self.classes)

    @property
    def description(self) -> str:
        """What the band is called."""
        return self.name

    def style(self) -> str:
        """Text of the QGIS style."""
        return class_style(self.classes, self.colors)

    def auxiliary(self) -> str | None:
        """Text of GDAL's auxiliary file."""
        return category_names(self.classes)

    def colormap(self) -> dict[int, tuple[int, int, int, int]] | None:
        """Colour table (red, green, blue, alpha)."""
        return {value: (*color, 255) for value, color in enumerate(self.colors)}


@dataclass(frozen=True)
class ValueMap:
    """A map of real values.

    Attributes:
        name: Name of the layer.
        unit: Unit of the values, such as m.
        description: What the band is called.
        nodata: Value of unknown pixels.
        low: Value at the foot of the style's colour ramp.
        high: Value at its top.
    """

    name: str
    unit: str = ""
    description: str = ""
    nodata: float = -9999.0
    low: float = 0.0
    high: float = 1.0

    dtype: ClassVar[str] = "float32"
    overviews: ClassVar[str] = "AVERAGE"
    predictor: ClassVar[str] = "YES"
    channels: ClassVar[int] = 1

    def __post_init__(self) -> None:
        """Check the range and that nodata can be stored."""
        if not self.low < self.high or float(np.float32(self.nodata)) != self.nodata:
            raise ValueError(f"{self.name}: low < high, and nodata a float32 number")

    def style(self) -> str:
        """Text of the QGIS style."""
        return value_style(self.low, self.high, self.unit)

    def auxiliary(self) -> str | None:
        """Text of GDAL's auxiliary file: none, the GeoTIFF says it all."""
        return None

    def colormap(self) -> dict[int, tuple[int, int, int, int]] | None:
        """Colour table: none, real values have a ramp in the style."""
        return None


@dataclass(frozen=True)
class PercentMap:
    """A map of probabilities, in whole percent.

    Attributes:
        name: Name of the layer.
        description: What the band is called.
        of: Name of a class map whose highest score it shows (which must be a probability then);
            by default `predict` answers it, as one channel from 0 to 1.
    """

    name: str
    description: str = ""
    of: str | None = None

    dtype: ClassVar[str] = "uint8"
    nodata: ClassVar[float] = 255
    unit: ClassVar[str] = "%"
    overviews: ClassVar[str] = "AVERAGE"
    predictor: ClassVar[str] = "YES"

    @property
    def channels(self) -> int:
        """Channels that `predict` answers: one, or none if it shows a class map's scores."""
        return 1 if self.of is None else 0

    def style(self) -> str:
        """Text of the QGIS style."""
        return value_style(0, 100, self.unit)

    def auxiliary(self) -> str | None:
        """Text of GDAL's auxiliary file: none, the GeoTIFF says it all."""
        return None

    def colormap(self) -> dict[int, tuple[int, int, int, int]] | None:
        """Colour table: none, percentages have a ramp in the style."""
        return None


Layer = ClassMap | ValueMap | PercentMap


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
    """Writes one map aside and gives it its name when it is whole.

    Blocks go to a plain tiled GeoTIFF in a hidden folder beside the map. Leaving the context
    removes that folder; without `publish` nothing else was made.

    Args:
        path: The map's file, ending in `.tif` as a rule.
        layer: What it shows.
        grid: Where its pixels lie.
        tags: Where it comes from; written into the file.
    """

    def __init__(
        self, path: Path, layer: Layer, grid: PixelGrid, tags: Mapping[str, str] | None = None
    ) -> None:
        self.path, self.layer, self.grid = path, layer, grid
        self._statistics = Statistics()
        try:
            self._aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        except OSError as error:
            raise self._unwritable(error) from error
        self._plain, self._cog = self._aside / "plain.tif", self._aside / path.name
        try:
            self._file: Any = rasterio.open(
                self._plain,
                "w",
                driver="GTiff",
                width=grid.width,
                height=grid.height,
                count=1,
                dtype=layer.dtype,
                nodata=layer.nodata,
                crs=grid.crs,
                transform=grid.transform,
                tiled=True,
                blockxsize=BLOCK,
                blockysize=BLOCK,
                BIGTIFF="IF_SAFER",
            )
            if (table := layer.colormap()) is not None:
                self._file.write_colormap(1, table)
            self._file.set_band_description(1, layer.description or layer.name)
            self._file.set_band_unit(1, layer.unit)
            self._file.update_tags(**(tags or {}))
        except BaseException as error:
            shutil.rmtree(self._aside, ignore_errors=True)
            if isinstance(error, _FAULTS):
                raise self._unwritable(error) from error
            raise

    def _unwritable(self, error: Exception) -> InputError:
        fault = f"cannot be written ({error})"
        return InputError(self.path, fault, "choose a writable folder with enough free space")

    def write(self, values: npt.NDArray[Any], row: int, column: int) -> None:
        """Write a window; aligned to blocks, each block is written once.

        Args:
            values: [H, W] of the layer's type, with nodata where unknown.
            row: Its first row.
            column: Its first column.
        """
        height, width = values.shape
        try:
            self._file.write(values, 1, window=Window(column, row, width, height))
        except _FAULTS as error:
            raise self._unwritable(error) from error
        for top in range(0, height, BLOCK):
            for left in range(0, width, BLOCK):
                block = values[top : top + BLOCK, left : left + BLOCK]
                self._statistics.add(block[block != self.layer.nodata])

    def convert(self) -> None:
        """Turn what was written into a Cloud Optimized GeoTIFF with its sidecars, still aside."""
        try:
            pixels = self.grid.width * self.grid.height
            self._file.update_tags(1, **self._statistics.tags(pixels))
            self._file.close()
            rasterio.shutil.copy(
                self._plain,
                self._cog,
                driver="COG",
                COMPRESS="DEFLATE",
                PREDICTOR=self.layer.predictor,
                BLOCKSIZE=512,
                OVERVIEW_RESAMPLING=self.layer.overviews,
                BIGTIFF="IF_SAFER",
                NUM_THREADS="ALL_CPUS",
            )
            self._plain.unlink()
            self._cog.with_suffix(".qml").write_text(self.layer.style(), encoding="utf-8")
            if (text := self.layer.auxiliary()) is not None:
                _auxiliary(self._cog).write_text(text, encoding="utf-8")
        except _FAULTS as error:
            raise self._unwritable(error) from error

    def publish(self) -> None:
        """Give the finished files their names, the map itself last."""
        try:
            self._cog.with_suffix(".qml").replace(self.path.with_suffix(".qml"))
            if _auxiliary(self._cog).exists():
                _auxiliary(self._cog).replace(_auxiliary(self.path))
            else:  # what GDAL noted of an older map under this name
                _auxiliary(self.path).unlink(missing_ok=True)
            self._cog.replace(self.path)
        except OSError as error:
            raise self._unwritable(error) from error

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
        try:
            self._file.close()
        finally:
            shutil.rmtree(self._aside, ignore_errors=True)


def _auxiliary(path: Path) -> Path:
    return path.with_name(f"{path.name}.aux.xml")
