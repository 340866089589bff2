"""GeoPackages of any number of features, whose order is known only at the end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import numpy.typing as npt
import pandas
import pyogrio
import shapely
from rasterio.crs import CRS

from tiles.errors import GDAL_ERRORS, InputError, InvalidValueError, input_errors
from tiles.files import Closeable, check_writable, locked

Column = npt.NDArray[Any]
# Number of features that are written at a time.
BATCH = 20_000
# Name of the column of geometries.
GEOMETRY = "geom"


class GeoPackage(Closeable):
    """Writer of a GeoPackage, which gets its name when it is complete.

    Features are stored on disk as they are found, with about 60 bytes of each in memory; when all
    are known, they are written in order.

    Args:
        path: The file, ending in `.gpkg`.
        crs: Coordinate reference system.
        inputs: Files that are read meanwhile, and must not be replaced.
    """

    def __init__(self, path: Path, crs: CRS, inputs: list[Path]) -> None:
        self.path, self.crs = path, crs
        self._check(inputs)
        self._temporary = path.with_name(f".{path.name}.parts")
        with ExitStack() as stack:
            lock, remedy = path.with_name(f".{path.name}.lock"), "wait for it, or stop it"
            stack.enter_context(locked(lock, path, remedy))
            with self._write_errors():
                if self._temporary.is_dir() and not self._temporary.is_symlink():
                    shutil.rmtree(self._temporary)  # left by a run that was killed
                self._temporary.mkdir()
                self._parts = (self._temporary / "parts").open("w+b")
            self._lock = stack.pop_all()
        self._at = 0
        self._keys: list[npt.NDArray[np.int64]] = []
        self._offsets: list[npt.NDArray[np.int64]] = []
        self._lengths: list[npt.NDArray[np.int64]] = []
        self._columns: list[Mapping[str, Column]] = []

    def _check(self, inputs: list[Path]) -> None:
        path = self.path
        if path.suffix.lower() != ".gpkg":
            raise InvalidValueError(path, "must end in .gpkg", "give another name")
        check_writable(path)
        if path.exists() and any(file.exists() and path.samefile(file) for file in inputs):
            raise InputError(path, "is an input", "choose another name")

    def _write_errors(self) -> AbstractContextManager[None]:
        """Raise an :class:`InputError` if the file cannot be written."""
        remedy = "choose a writable folder with enough free space"
        # pyogrio's errors are RuntimeErrors.
        return input_errors(self.path, "cannot be written", remedy, *GDAL_ERRORS, RuntimeError)

    def add(
        self, keys: npt.NDArray[np.int64], shapes: npt.NDArray[Any], columns: Mapping[str, Column]
    ) -> None:
        """Store features on disk until their order is known.

        Args:
            keys: int64 [N], by which all features will be sorted.
            shapes: Geometries [N].
            columns: Attributes [N] by name.
        """
        parts = shapely.to_wkb(shapes)
        lengths = np.array([len(part) for part in parts], np.int64)
        self._keys.append(keys)
        self._lengths.append(lengths)
        self._offsets.append(self._at + np.cumsum(lengths) - lengths)
        self._columns.append(columns)
        self._at += int(lengths.sum())
        with self._write_errors():
            self._parts.writelines(parts)

    def batches(
        self, size: int | None = BATCH
    ) -> Iterator[tuple[npt.NDArray[Any], dict[str, Column]]]:
        """Yield all features in order: geometries [N] and attributes [N] by name.

        Args:
            size: Features at a time; None: all at once.
        """
        keys = np.concatenate(self._keys)
        offsets, lengths = np.concatenate(self._offsets), np.concatenate(self._lengths)
        names = self._columns[0]
        columns = {name: np.concatenate([part[name] for part in self._columns]) for name in names}
        order = np.argsort(keys, kind="stable")
        # An empty batch makes the layer if there are no features.
        step = size or max(1, len(order))
        for start in range(0, max(1, len(order)), step):
            chosen = order[start : start + step]
            with self._write_errors():
                parts = [self._part(int(offsets[i]), int(lengths[i])) for i in chosen]
            shapes = shapely.from_wkb(np.array(parts, dtype=object))
            yield shapes, {name: column[chosen] for name, column in columns.items()}

    def _part(self, offset: int, length: int) -> bytes:
        self._parts.seek(offset)
        return self._parts.read(length)

    def write(
        self, layer: str, kind: str, shapes: npt.NDArray[Any], columns: Mapping[str, Column]
    ) -> None:
        """Append features to a layer.

        Args:
            layer: Name of the layer.
            kind: Geometry type, such as `Polygon`.
            shapes: Geometries [N].
            columns: Attributes [N] by name.
        """
        frame = geopandas.GeoDataFrame(dict(columns), geometry=shapes, crs=self.crs)
        target = self._temporary / self.path.name
        with self._write_errors():
            frame.to_file(
                target,
                layer=layer,
                driver="GPKG",
                engine="pyogrio",
                mode="a" if target.exists() else "w",
                geometry_type=kind,
                # GDAL of QGIS before 3.28 warns of newer versions.
                dataset_options={"VERSION": "1.2"},
                layer_options={"GEOMETRY_NAME": GEOMETRY},
            )

    def write_styles(self, styles: Mapping[str, str]) -> None:
        """Store the styles that QGIS gives to layers when it opens them.

        Args:
            styles: Texts of QML files by layer.
        """
        table = pandas.DataFrame(
            {
                "f_table_catalog": "",
                "f_table_schema": "",
                "f_table_name": [*styles],
                "f_geometry_column": GEOMETRY,
                "styleName": "default",
                "styleQML": [*styles.values()],
                "styleSLD": "",
                "useAsDefault": True,
                "description": "",
                "owner": "",
                "update_time": pandas.Timestamp.now(),
            }
        )
        target = self._temporary / self.path.name
        with self._write_errors():
            pyogrio.write_dataframe(table, target, layer="layer_styles", driver="GPKG", append=True)

    def publish(self) -> Path:
        """Give the finished file its name."""
        with self._write_errors():
            # Journals of an older file that a program had open do not belong to this one.
            for suffix in ("-wal", "-shm", "-journal"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            (self._temporary / self.path.name).replace(self.path)
        return self.path

    def close(self) -> None:
        """Remove files that were not published."""
        try:
            self._parts.close()
        except OSError:  # The disk is full; the first error is the one that matters.
            pass
        finally:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._lock.close()
