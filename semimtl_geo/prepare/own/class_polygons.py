"""A user's own polygons of land cover, rasterised on the grid of a scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import geopandas
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyogrio
import pyproj
import shapely
from rasterio import Affine
from rasterio.features import rasterize

from semimtl_geo.prepare.own.schema import FolderSettings
from tiles.errors import InputError, InvalidValueError, input_errors
from tiles.grid import PixelGrid
from tiles.reading.area import to_pixels
from tiles.reading.crs import extent_in
from tiles.types import UNKNOWN_CLASS, Span, UInt8Array

MARGIN: Final = 2.0
"""Pixels by which the polygons that are read reach beyond the rows that are rasterised."""

SPATIAL_TYPES: Final = ("Polygon", "Surface", "Unknown", "GeometryCollection", "Triangle", "TIN")


@dataclass(frozen=True)
class PolygonLayer:
    """A layer of polygons in a file.

    Attributes:
        file: The file.
        name: Name of the layer.
        crs: Coordinate reference system.
        bounds: Extent (west, south, east, north).
        fields: Names of its fields.
        indexed: Whether the polygons of a part of the extent are found without reading all.
    """

    file: Path
    name: str
    crs: str
    bounds: tuple[float, float, float, float]
    fields: tuple[str, ...]
    indexed: bool


def polygon_layers(file: Path, layer: str | None = None) -> list[PolygonLayer]:
    """Find the layers of polygons in a file.

    Args:
        file: The file.
        layer: Name of the only layer that is wanted; all layers of polygons if None.

    Returns:
        The layers that have any polygon, in the order of the file.

    Raises:
        InvalidValueError: If the file lacks the layer.
        InputError: If it cannot be read, or the layer has no CRS or no polygons.
    """
    # The drivers of the many formats raise exceptions of many kinds.
    with input_errors(file, "cannot be read as polygons", "give a GeoPackage", Exception):
        listed = pyogrio.list_layers(file)
        names = [str(name) for name, kind in listed if _may_hold_polygons(kind)]
        if layer is not None and layer not in names:
            fault = f"has no layer of polygons {layer!r}, but {', '.join(names) or 'none'}"
            raise InvalidValueError(file, fault, "correct landcover: {layer: ...}")
        infos = {
            name: pyogrio.read_info(file, layer=name, force_total_bounds=True)
            for name in ([layer] if layer is not None else names)
        }
    found = []
    for name, info in infos.items():
        bounds = info["total_bounds"]
        if bounds is None or not np.isfinite(bounds).all():
            continue
        if info["crs"] is None:
            fault = f"its layer {name} has no coordinate reference system"
            raise InputError(file, fault, "assign one, for example with ogr2ogr -a_srs")
        fields = tuple(str(field) for field in info["fields"])
        indexed = bool(info["capabilities"]["fast_spatial_filter"])
        found.append(PolygonLayer(file, name, info["crs"], tuple(bounds), fields, indexed))
    if not found:
        raise InputError(file, "has no polygons", "give a layer of polygons")
    return found


def _may_hold_polygons(kind: str | None) -> bool:
    return kind is not None and any(name in kind for name in SPATIAL_TYPES)


class ClassPolygons:
    """Polygons of land cover of one or more files, as classes on a grid.

    A pixel has the class of the polygon that contains its centre. Where polygons overlap, the
    class that comes last in the list of classes counts. Pixels in no polygon are unknown.

    Args:
        files: The files.
        settings: Values of the classes, and the field that holds them.
        grid: Grid to rasterise on.

    Attributes:
        name: Name in messages.

    Raises:
        InputError: If a file cannot be read, or lacks the field or the layer.
    """

    def __init__(self, files: Sequence[Path], settings: FolderSettings, grid: PixelGrid) -> None:
        self.name = str(files[0]) + (f" and {len(files) - 1} more" if len(files) > 1 else "")
        self._grid, self._field = grid, settings.landcover.field
        self._layers = [
            layer for file in files for layer in polygon_layers(file, settings.landcover.layer)
        ]
        self._classes: dict[Any, int] = dict(settings.class_of_value)
        self._classes |= {
            value: UNKNOWN_CLASS for value in settings.unknown if not isinstance(value, tuple)
        }
        if not self._classes:
            remedy = "give each class its values in scenes.yaml"
            raise InputError(self.name, "has polygons, but no class has any values", remedy)
        for layer in self._layers:
            if self._field is not None and self._field not in layer.fields:
                fault = f"its layer {layer.name} has no field {self._field!r}"
                remedy = f"choose landcover: {{field: ...}} of {', '.join(layer.fields) or 'none'}"
                raise InvalidValueError(layer.file, fault, remedy)
        self._strip = lru_cache(1)(self._read_strip)
        # Files without a spatial index would be read from their beginning for each strip.
        self._near = {
            number: self._read_layer(layer, grid)
            for number, layer in enumerate(self._layers)
            if not layer.indexed
        }

    def read_classes(self, rows: Span, columns: Span) -> UInt8Array:
        """Rasterise a window.

        Args:
            rows: First row, and one past the last.
            columns: First column, and one past the last.

        Returns:
            Classes, uint8 [H, W], 255 where unknown.

        Raises:
            InputError: If a polygon has a value that is that of no class.
        """
        shape = rows[1] - rows[0], columns[1] - columns[0]
        polygons, classes = self._strip(rows)
        near = shapely.intersects(polygons, shapely.box(columns[0], 0, columns[1], shape[0]))
        if not near.any():
            return np.full(shape, UNKNOWN_CLASS, np.uint8)
        burnt = rasterize(
            zip(polygons[near], classes[near].tolist(), strict=True),
            shape,
            fill=UNKNOWN_CLASS,
            transform=Affine.translation(columns[0], 0),
            dtype=np.uint8,
        )
        return np.asarray(burnt, np.uint8)

    def _read_strip(self, rows: Span) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Return the polygons in rows of the grid, and their classes, in the order of burning.

        Polygons are in pixels (column, row), counted from the first of these rows.
        """
        strip = self._grid.window(0, rows[0], self._grid.width, rows[1] - rows[0])
        frame = shapely.box(0, 0, strip.width, strip.height)
        polygons, classes = [np.empty(0, object)], [np.empty(0, np.int64)]
        for number, layer in enumerate(self._layers):
            found = self._near.get(number)
            if found is None:
                found = self._read_layer(layer, strip)
            pixels = to_pixels(found.geometry, strip)
            pixels = pixels[pixels.intersects(frame)].make_valid()
            pixels = pixels.explode(index_parts=False).explode(index_parts=False)
            pixels = pixels[pixels.geom_type == "Polygon"]
            polygons.append(pixels.to_numpy())
            classes.append(self._classes_of(layer, found.loc[pixels.index]))
        shapes, numbers = np.concatenate(polygons), np.concatenate(classes)
        # Unknown polygons come first, so that any class counts more.
        order = np.argsort(np.where(numbers == UNKNOWN_CLASS, -1, numbers), kind="stable")
        return shapes[order], numbers[order]

    def _read_layer(self, layer: PolygonLayer, grid: PixelGrid) -> geopandas.GeoDataFrame:
        """Read the shapes whose bounding boxes touch a grid, with their values."""
        to_layer = pyproj.Transformer.from_crs(
            pyproj.CRS.from_user_input(grid.crs),
            pyproj.CRS.from_user_input(layer.crs),
            always_xy=True,
        )
        t = grid.transform
        west, south, east, north = grid.bounds
        across, down = MARGIN * abs(t.a), MARGIN * abs(t.e)
        surroundings = west - across, south - down, east + across, north + down
        extent = extent_in(surroundings, to_layer)
        columns = [] if self._field is None else [self._field]
        with input_errors(layer.file, "cannot be read as polygons", "check the file", Exception):
            frame = pyogrio.read_dataframe(
                layer.file, layer=layer.name, columns=columns, bbox=extent.bounds, force_2d=True
            )
            frame = frame[~frame.geometry.isna() & ~frame.geometry.is_empty]
            return frame.set_geometry(frame.geometry.make_valid()).reset_index(drop=True)

    def _classes_of(self, layer: PolygonLayer, shapes: pd.DataFrame) -> npt.NDArray[Any]:
        """Return the classes of shapes, int64 [N]."""
        if self._field is None:
            return np.full(len(shapes), self._class_of(layer, layer.name) if len(shapes) else 0)
        with input_errors(
            layer.file, f"its field {self._field} holds lists", "choose another field", TypeError
        ):
            codes, values = pd.factorize(shapes[self._field], use_na_sentinel=True)
        classes = [self._class_of(layer, value) for value in pd.Index(values).tolist()]
        # The code of missing values is -1.
        return np.array([*classes, UNKNOWN_CLASS], np.int64)[codes]

    def _class_of(self, layer: PolygonLayer, value: Any) -> int:
        """Return the class of a value of the field, or of the name of a layer."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if value not in self._classes:
            kind = "value" if self._field is not None else "layer"
            fault = f"has the {kind} {_shown(value)}, which scenes.yaml gives no class"
            raise InputError(layer.file, fault, "add it to the values of a class, or to unknown")
        return self._classes[value]


def _shown(value: Any) -> str:
    """Return a value as scenes.yaml would have it; texts are in quotes."""
    return repr(value) if isinstance(value, str) else str(value)
