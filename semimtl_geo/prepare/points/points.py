"""Adapter of classified laser points: image, land cover and heights of each file's extent."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyproj
from rasterio import Affine
from rasterio.crs import CRS

from semimtl_geo.class_schemes import TOWNS
from semimtl_geo.prepare.adapter import Item
from semimtl_geo.prepare.archive import RawFile, RawFolder
from semimtl_geo.prepare.options import option, options_of, parse_names
from semimtl_geo.prepare.points.point_file import PointFile, metric_crs
from semimtl_geo.prepare.points.scene_image import Orthophotos
from semimtl_geo.prepare.points.survey import Survey
from semimtl_geo.prepare.rasters.resampling import class_layers, value_layers
from semimtl_geo.prepare.rasters.scene_writer import (
    LAYERS,
    REMARK,
    write_height,
    write_image,
    write_landcover,
)
from semimtl_geo.prepare.splits import SplitSettings, assign_splits
from semimtl_geo.prepare.summary import describe_scenes
from tiles.errors import InputError, InvalidValueError, MissingFileError
from tiles.grid import PixelGrid
from tiles.reading.crs import parse_metric_crs
from tiles.reading.overlay import Overlay
from tiles.types import BoolArray, Float32Array, ProgressCallback, Span, UInt8Array

RASTERS: Final = r"(?:.*/)?[^/]+\.(?:tif|tiff|jp2|img|vrt)"
"""Pattern of the files of orthophotos."""

LARGEST: Final = 1000.0
"""Longest side of a scene in metres: larger files become several scenes, for bounded memory."""


def parse_shift(text: str) -> tuple[float, float]:
    """Parse metres eastward and northward.

    Raises:
        ArgumentTypeError: If the text is not two numbers, as argparse wants to be told.

    Example:
        >>> parse_shift("2,-0.5")
        (2.0, -0.5)
    """
    try:
        east, north = (float(part) for part in text.split(","))
    except ValueError as error:
        message = f"{text} is not two numbers; give metres, such as 2,-0.5"
        raise argparse.ArgumentTypeError(message) from error
    return east, north


@dataclass
class Points:
    """Adapter of classified laser points.

    It is not frozen: :meth:`plan` finds the files.

    Attributes:
        gsd: Ground sampling distance of the scenes in metres.
        fill: Width in metres of the widest building: terrain is interpolated under it.
        shift: Metres eastward and northward by which the laser is moved to lie on the image.
        bands: Names of the orthophotos' bands in order; from the files if empty.
        crs: CRS to write, in metres; the points' own if None, or one in metres that is like it.
        points_crs: CRS of the points, for files that name none.
        val: Names of the scenes for validation.
        test: Names of the scenes for testing. Without names of either, a tenth and a fifth of the
            scenes are chosen by their names.

    Example:
        >>> Points(gsd=0.25).settings["shift"]
        (0.0, 0.0)
    """

    gsd: float = option(0.5, "ground sampling distance in metres")
    fill: float = option(
        100.0, "width in metres of the widest building: terrain under it is interpolated"
    )
    shift: tuple[float, float] = option(
        (0.0, 0.0),
        "metres by which the laser is moved onto the image; --shift=-2,1 if E is negative",
        parse=parse_shift,
        metavar="E,N",
    )
    bands: tuple[str, ...] = option(
        (),
        "names of the orthophotos' bands, such as nir,red,green (default: from the files)",
        parse=parse_names,
        metavar="NAMES",
    )
    crs: str | None = option(None, "CRS to write, in metres, such as EPSG:2154", parse=str)
    points_crs: str | None = option(None, "CRS of the points if the files name none", parse=str)
    val: tuple[str, ...] = option(
        (), "scenes for validation; a tenth without --test", parse=parse_names, metavar="NAMES"
    )
    test: tuple[str, ...] = option(
        (), "scenes for testing; a fifth without --val", parse=parse_names, metavar="NAMES"
    )
    _survey: Survey | None = field(default=None, init=False, repr=False)
    _grids: dict[str, PixelGrid] = field(default_factory=dict, init=False, repr=False)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Values of all options."""
        return {name: getattr(self, name) for name, _, _ in options_of(type(self))}

    def plan(self, raw: RawFolder) -> list[Item]:
        """List one item per file of points, or several if it is larger than a kilometre.

        Raises:
            InputError: If there are no points, or a file cannot be used.
        """
        self._check()
        found = [file for file, _ in raw.match(r"(?:.*/)?[^/]+\.la[sz]") if file.member is None]
        if not found:
            fault = "has no laser points (*.las, *.laz)"
            raise MissingFileError(raw.folder, fault, "put them there, unzipped")
        files = [PointFile(file.file, self.points_crs) for file in found]
        crs = None if self.crs is None else pyproj.CRS.from_user_input(parse_metric_crs(self.crs))
        sources: dict[str, RawFile] = {}
        for raw_file, file in zip(found, files, strict=True):
            own = crs or metric_crs(file)
            for name, grid in _scenes(file, own, self.gsd):
                if name in sources:
                    raise InputError(
                        file.path, f"has the name of {sources[name].name}", "rename it"
                    )
                sources[name], self._grids[name] = raw_file, grid
        images = [file.file for file, _ in raw.match(RASTERS) if file.member is None]
        self._survey = Survey(
            files,
            Orthophotos(images, self.bands),
            list(self._grids.values()),
            self.gsd,
            self.fill / 2,
            self.shift,
        )
        domain = raw.folder.resolve().name
        targets = [f"{layer}/{{}}.tif" for layer in reversed(LAYERS)]
        return [
            Item(
                domain,
                split,
                name,
                {"points": sources[name]},
                [f"{split}/{target.format(name)}" for target in targets],
            )
            for name, split in self._assign_splits(raw.folder, list(sources)).items()
        ]

    def make(self, item: Item, files: Mapping[str, Path], folder: Path) -> None:
        """Write the layers of one scene.

        Raises:
            InputError: If a file is damaged, or there is no image.
        """
        if self._survey is None:
            raise RuntimeError("plan() comes before make()")
        grid = self._grids[item.name]
        place = self._survey.read(grid)
        targets = {layer: folder / item.split / layer / f"{item.name}.tif" for layer in LAYERS}
        tags = {"SCENE": item.name}
        write_landcover(
            targets["landcover"],
            class_layers(item.name, grid, len(TOWNS.names), _reader(place.land_cover)),
            grid,
            TOWNS.names,
            TOWNS.colors,
            tags,
        )
        heights = place.heights[None], np.isfinite(place.heights)
        write_height(targets["height"], _layers(item.name, grid, *heights), grid, tags)
        image = place.image
        write_image(
            targets["image"],
            _layers(item.name, grid, image.values, image.known),
            grid,
            image.dtype,
            image.names,
            not image.known.all(),
            {**tags, REMARK: _remark(place.offset, self.gsd)},
        )

    def summary(self, folder: Path, progress: ProgressCallback) -> str:
        """Describe the scenes in Markdown."""
        return describe_scenes(folder, folder.name, [], progress)

    def _check(self) -> None:
        for name in ("gsd", "fill"):
            if not 0 < getattr(self, name) < math.inf:
                fault = f"must be > 0 m, got {getattr(self, name):g}"
                raise InvalidValueError(f"--{name}", fault, "give metres")

    def _assign_splits(self, folder: Path, names: Sequence[str]) -> dict[str, str]:
        if not (self.val or self.test):
            return assign_splits(folder, SplitSettings(), names)
        for option_name, chosen in (("--val", self.val), ("--test", self.test)):
            if unknown := sorted(set(chosen) - set(names)):
                fault = f"no scene has this name; there are {', '.join(names[:5])}"
                raise InvalidValueError(f"{option_name} {unknown[0]}", fault, "correct it")
        if twice := sorted(set(self.val) & set(self.test)):
            raise InvalidValueError(f"--val {twice[0]}", "is in --test, too", "name it in one")
        split = {"val": self.val, "test": self.test}
        held = {name: part for part, chosen in split.items() for name in chosen}
        return {name: held.get(name, "train") for name in names}


def _scenes(file: PointFile, crs: pyproj.CRS, gsd: float) -> Iterator[tuple[str, PixelGrid]]:
    """Iterate over the names and grids of the scenes of a file.

    Their pixels are those of one grid, whose pixels meet at the origin of the CRS.
    """
    west, south, east, north = (bound / gsd for bound in file.bounds_in(crs))
    left, top, right, bottom = map(round, (west - 0.49, north + 0.49, east + 0.49, south - 0.49))
    rows, columns = (math.ceil(length * gsd / LARGEST) for length in (top - bottom, right - left))
    rasterio_crs = CRS.from_user_input(crs)
    stem = file.path.name.split(".")[0]
    for row in range(rows):
        upper, lower = (top - (top - bottom) * part // rows for part in (row, row + 1))
        for column in range(columns):
            start, stop = (left + (right - left) * part // columns for part in (column, column + 1))
            name = stem if rows * columns == 1 else f"{stem}_r{row}c{column}"
            transform = Affine(gsd, 0, start * gsd, 0, -gsd, upper * gsd)
            yield name, PixelGrid(rasterio_crs, transform, stop - start, upper - lower)


def _reader(array: UInt8Array) -> Callable[[Span, Span], UInt8Array]:
    return lambda rows, columns: array[slice(*rows), slice(*columns)]


def _layers(name: str, grid: PixelGrid, values: Float32Array, known: BoolArray) -> Overlay:
    def read(rows: Span, columns: Span) -> tuple[Float32Array, BoolArray]:
        place = slice(*rows), slice(*columns)
        return values[:, *place], known[place]

    return value_layers(name, grid, len(values), read)


def _remark(offset: tuple[float, float] | None, gsd: float) -> str:
    """Describe how the laser lies on the image."""
    if offset is None:
        return "too few edges on the ground to measure how the laser lies on the image"
    east, north = (length + 0.0 for length in offset)  # no -0
    if math.hypot(east, north) <= gsd:
        return f"laser and image agree within {gsd:g} m"
    sides = [
        f"{abs(length):g} m too far {name[length > 0]}"
        for length, name in ((east, ("east", "west")), (north, ("north", "south")))
        if length
    ]
    return f"the laser lies {' and '.join(sides)}; add {east:g},{north:g} to --shift"
