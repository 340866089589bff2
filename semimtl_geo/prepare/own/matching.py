"""Matching the files of a user's own layers to orthophotos, by name or by place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyproj
import shapely

from semimtl_geo.prepare.archive import RawFile, RawFolder
from semimtl_geo.prepare.own.class_polygons import polygon_layers
from semimtl_geo.prepare.own.patterns import is_polygons, layer_files
from semimtl_geo.prepare.own.schema import FolderSettings
from tiles.errors import InputError, MissingFileError
from tiles.grid import PIXEL_TOLERANCE, PixelGrid
from tiles.reading.crs import extent_in
from tiles.reading.raster import Raster

Layers = Mapping[str, Sequence[RawFile]]
"""Files of a scene by layer: ``image``, ``stack0``, ..., ``landcover``, ``height``, ``surface`` and
``terrain``; a layer without files is left out."""


def match_files(raw: RawFolder, settings: FolderSettings) -> dict[str, Layers]:
    """Find the files of each scene.

    Args:
        raw: The raw folder.
        settings: Patterns of the layers, and how they are matched.

    Returns:
        The files of each scene by its name, sorted by name.

    Raises:
        MissingFileError: If a layer that the settings name has no files.
        InputError: If a file belongs to no scene, or a scene lacks a file that it needs.
    """
    found = _find_layers(raw, settings)
    images = found.pop("image")
    if settings.match == "name":
        scenes = _match_by_name(found, images, settings.image.files)
    else:
        scenes = _match_by_place(found, images, settings.landcover.layer)
    for name, layers in scenes.items():
        for layer, more in zip(_stacks(settings), settings.image.stack, strict=True):
            if layer not in layers:
                fault = f"has no matching file (by {settings.match}) in {more.files} for more bands"
                raise InputError(images[name].file, fault, "add one, or remove the orthophoto")
        _check_models(layers, settings)
    for layer in found:
        if layer != "terrain" and not any(layer in layers for layers in scenes.values()):
            file = next(iter(found[layer].values())).file
            fault = "overlaps no orthophoto, and neither does any other file of its layer"
            if layer == "surface":
                fault = "overlaps no orthophoto that the terrain model overlaps, too"
            raise InputError(file, fault, "check the georeferences, or remove it")
    return {name: {"image": [file], **scenes[name]} for name, file in images.items()}


def _check_models(layers: dict[str, Sequence[RawFile]], settings: FolderSettings) -> None:
    """Leave out a model without the other, where heights are unknown; names must match."""
    given = [layer for layer in ("surface", "terrain") if layer in layers]
    if len(given) != 1:
        return
    file = layers.pop(given[0])[0].file
    if settings.match == "name":
        other = "terrain" if given == ["surface"] else "surface"
        fault = f"has no file of its name in the {other} model"
        raise InputError(file, fault, "add it, remove it, or say match: place in scenes.yaml")


def _stacks(settings: FolderSettings) -> list[str]:
    return [f"stack{number}" for number in range(len(settings.image.stack))]


def _find_layers(raw: RawFolder, settings: FolderSettings) -> dict[str, dict[str, RawFile]]:
    """Return the files of each layer by name; a default layer without files is left out."""
    default = FolderSettings()
    patterns = {"image": settings.image.files}
    for layer, more in zip(_stacks(settings), settings.image.stack, strict=True):
        patterns[layer] = more.files
    patterns["landcover"] = settings.landcover.files
    patterns["height"] = settings.height.files
    patterns |= {layer: model.files for layer, model in settings.height.models.items()}
    found = {}
    for layer, pattern in patterns.items():
        files = layer_files(raw, pattern, polygons=layer == "landcover")
        if files:
            found[layer] = files
        elif layer == "image":
            where = "in image/" if pattern == default.image.files else f"of the pattern {pattern}"
            remedy = "put the orthophotos there, unzipped"
            raise MissingFileError(raw.folder, f"has no rasters {where}", remedy)
        elif pattern not in (default.landcover.files, default.height.files):
            fault = f"has no files of the pattern {pattern}"
            raise MissingFileError(raw.folder, fault, f"put those of {layer} there, unzipped")
    if settings.height.models and "height" in found:
        file = next(iter(found["height"].values())).file
        fault = "holds heights, but scenes.yaml also gives a surface and a terrain model"
        raise InputError(file, fault, "remove the one or the other")
    return found


def _match_by_name(
    found: Mapping[str, Mapping[str, RawFile]], images: Mapping[str, RawFile], pattern: str
) -> dict[str, dict[str, Sequence[RawFile]]]:
    for files in found.values():
        for name, file in files.items():
            if name not in images:
                fault = f"has no orthophoto of its name, {name}, among {pattern}"
                remedy = "rename or remove it, or say match: place in scenes.yaml"
                raise InputError(file.file, fault, remedy)
    scenes: dict[str, dict[str, Sequence[RawFile]]] = {name: {} for name in images}
    for layer, files in found.items():
        for name, file in files.items():
            scenes[name][layer] = [file]
    return scenes


def _match_by_place(
    found: Mapping[str, Mapping[str, RawFile]], images: Mapping[str, RawFile], layer: str | None
) -> dict[str, dict[str, Sequence[RawFile]]]:
    places = {name: _FileExtents(list(files.values()), layer) for name, files in found.items()}
    scenes: dict[str, dict[str, Sequence[RawFile]]] = {}
    for name, file in images.items():
        with Raster(file.file) as image:
            near = {other: place.at(image.grid) for other, place in places.items()}
        scenes[name] = {other: files for other, files in near.items() if files}
    return scenes


class _FileExtents:
    """Extents of files, for finding those that overlap an orthophoto.

    Args:
        files: The files.
        layer: Layer of files of polygons that is read; all if None.
    """

    def __init__(self, files: Sequence[RawFile], layer: str | None) -> None:
        self._files = files
        by_crs: dict[str, list[tuple[int, Any]]] = {}
        for number, file in enumerate(files):
            for crs, bounds in _extents(file, layer):
                by_crs.setdefault(crs, []).append((number, shapely.box(*bounds)))
        self._trees = [
            (
                pyproj.CRS.from_user_input(crs),
                np.array([number for number, _ in entries]),
                shapely.STRtree([box for _, box in entries]),
            )
            for crs, entries in by_crs.items()
        ]

    def at(self, grid: PixelGrid) -> list[RawFile]:
        """Return the files that overlap a grid, in their own order."""
        west, south, east, north = grid.bounds
        # A file that reaches less into the image touches it, with a rounding error.
        across, down = (
            PIXEL_TOLERANCE * abs(side) for side in (grid.transform.a, grid.transform.e)
        )
        inner = west + across, south + down, east - across, north - down
        found: set[int] = set()
        for crs, numbers, tree in self._trees:
            own = pyproj.CRS.from_user_input(grid.crs)
            to_files = pyproj.Transformer.from_crs(own, crs, always_xy=True)
            extent = extent_in(inner, to_files)
            found |= set(numbers[tree.query(extent, "intersects")].tolist())
        return [self._files[number] for number in sorted(found)]


def _extents(
    file: RawFile, layer: str | None
) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Return CRS and bounds of a raster, or of each layer of a file of polygons."""
    if is_polygons(file):
        return [(found.crs, found.bounds) for found in polygon_layers(file.file, layer)]
    with Raster(file.file) as raster:
        return [(raster.grid.crs.to_wkt(), raster.grid.bounds)]
