"""A user's own scenes: any CRS, pixel size, band order and classes, described by a YAML file.

The folder has ``image/`` and, if there are labels, ``landcover/`` and ``height/``, whose files have
the names of the images. ``scenes.yaml`` in it describes them; only the classes are required, and
only if there is land cover:

.. code-block:: yaml

    name: lyon                      # of the data set; by default the folder's name
    image:
      bands: [4, 1, 2]              # numbers or names, in the order to write; by default 1, 2, 3
      names: [NIR, red, green]      # names to write for them
      white: 4095                   # value that becomes 255 in bytes; by default values are kept
    classes:                        # 0, 1, ... in this order
      - {name: ground, color: [255, 255, 255], values: [1, 2]}   # values in label rasters of one
      - {name: building, color: [0, 0, 255], values: [7]}        # band; in those of three bands,
      - {name: tree, color: [0, 255, 0], values: [5]}            # the colour is the code
    unknown: [0, [0, 0, 0]]         # values or colours of pixels whose class is unknown
    height: {scale: 0.01, offset: 0, nodata: 65535}    # metres per unit, metres at 0
    split: {train: 0.7, val: 0.1, test: 0.2, seed: 0}  # or lists: {train: [a, b], test: [c]}
    gsd: 0.2                        # metres to write; by default each image's own
    crs: EPSG:25832                 # CRS to write; by default each image's own, if in metres
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from rasterio import Affine

from semimtl_geo.prepare.adapter import SPLITS, Item
from semimtl_geo.prepare.archive import RawFile, RawFolder
from semimtl_geo.prepare.options import option
from semimtl_geo.prepare.own.labels import ClassFile, HeightCheck, HeightFile, OverlapCheck
from semimtl_geo.prepare.own.schema import (
    EXAMPLE,
    FolderSettings,
    SplitSettings,
    read_settings,
)
from semimtl_geo.prepare.rasters.resampling import class_layers, value_layers
from semimtl_geo.prepare.rasters.scene_writer import (
    LAYERS,
    REMARK,
    write_height,
    write_image,
    write_landcover,
)
from semimtl_geo.prepare.summary import describe_scenes
from tiles.errors import InputError, InvalidValueError, MissingFileError
from tiles.grid import PixelGrid
from tiles.reading.raster import Raster, all_known
from tiles.reading.source import Source
from tiles.types import BoolArray, ProgressCallback, Span

SUFFIXES: Final = "tif|tiff|jp2|img|vrt|asc"

MAX_SCALE_ERROR: Final = 0.05
"""Largest relative difference between a unit of the CRS and a metre on the ground. Survey grids
stay below it; Web Mercator, away from the equator, does not."""


@dataclass
class Folder:
    """Adapter of a user's own folder.

    It is not frozen: :meth:`plan` reads the YAML file, which may lie in the raw folder.

    Attributes:
        config: The YAML file; ``scenes.yaml`` in the raw folder if None.

    Example:
        >>> Folder().settings["image"]["bands"]
        (1, 2, 3)
    """

    config: Path | None = option(  # noqa: RUF009 - it returns a dataclass field
        None,
        "YAML: bands, classes, heights, split; scenes.yaml in the raw folder if not given",
        parse=Path,
        metavar="FILE",
    )
    _settings: FolderSettings = field(default_factory=FolderSettings, init=False, repr=False)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Content of the YAML file."""
        return asdict(self._settings)

    def plan(self, raw: RawFolder) -> list[Item]:
        """List one item per image.

        Raises:
            InputError: If the YAML file is not valid, or files do not match each other.
        """
        file = self.config or raw.folder / "scenes.yaml"
        settings = self._settings = read_settings(file)
        found = {layer: _layer_files(raw, layer) for layer in LAYERS}
        if not found["image"]:
            fault = "has no rasters in image/"
            raise MissingFileError(raw.folder, fault, "put the orthophotos there, unzipped")
        for layer in LAYERS[1:]:
            for name, label in found[layer].items():
                if name not in found["image"]:
                    fault = f"has no orthophoto of its name in {raw.folder / 'image'}"
                    raise InputError(label.file, fault, "rename or remove it")
        if found["landcover"] and not settings.classes:
            fault = "must list the classes, as there is land cover"
            raise InvalidValueError(file, fault, EXAMPLE)
        domain = settings.name or raw.folder.resolve().name
        items = []
        for name, split in _assign_splits(file, settings, list(found["image"])).items():
            files = {layer: found[layer][name] for layer in LAYERS if name in found[layer]}
            # A data set lists the images, so each is written after its labels.
            targets = [
                f"{split}/{layer}/{name}.tif" for layer in reversed(LAYERS) if layer in files
            ]
            items.append(Item(domain, split, name, files, targets))
        return items

    def make(self, item: Item, files: Mapping[str, Path], folder: Path) -> None:
        """Write one scene, all of it on the grid of the orthophoto.

        Raises:
            InputError: If a file cannot be used.
        """
        tags = {"SCENE": item.name}
        targets = {layer: folder / item.split / layer / f"{item.name}.tif" for layer in files}
        with Raster(files["image"], self._settings.image.bands) as image:
            grid = _target_grid(files["image"], image, self._settings)
            if "landcover" in files and not targets["landcover"].exists():
                self._write_landcover(targets["landcover"], files["landcover"], grid, tags)
            if "height" in files and not targets["height"].exists():
                with HeightFile(files["height"], self._settings) as heights:
                    layers = value_layers(heights.name, heights.grid, 1, heights.read_heights)
                    check = HeightCheck(heights.name)
                    write_height(targets["height"], layers, grid, tags, check)
            if not targets["image"].exists():
                self._write_image(targets["image"], files["image"], image, grid, tags)

    def summary(self, folder: Path, progress: ProgressCallback) -> str:
        """Describe the scenes in Markdown."""
        return describe_scenes(folder, folder.name, [], progress)

    def _write_landcover(
        self, target: Path, path: Path, grid: PixelGrid, tags: Mapping[str, str]
    ) -> None:
        classes = self._settings.classes
        with ClassFile(path, self._settings) as labels:
            remark = {REMARK: labels.remark} if labels.remark else {}
            write_landcover(
                target,
                class_layers(labels.name, labels.grid, len(classes), labels.read_classes),
                grid,
                [entry.name for entry in classes],
                [entry.color for entry in classes],
                {**tags, **remark},
                OverlapCheck(labels.name),
            )

    def _write_image(
        self, target: Path, path: Path, image: Raster, grid: PixelGrid, tags: Mapping[str, str]
    ) -> None:
        with rasterio.open(path) as file:
            all_pixels_known = all_known(file) and image.dtype.kind != "f"
            stored = [file.descriptions[band - 1] or f"band {band}" for band in image.bands]
        names: Sequence[str] = self._settings.image.names or stored
        masked = not all_pixels_known or grid.crs != image.grid.crs
        dtype, gain = image.dtype, 1.0
        if self._settings.image.white is not None:
            dtype, gain = np.dtype(np.uint8), 255 / self._settings.image.white

        def read(rows: Span, columns: Span) -> tuple[Any, BoolArray]:
            values, known = image.read(rows, columns)
            return values if gain == 1 else values * np.float32(gain), known

        layers = value_layers(image.name, image.grid, len(image.bands), read)
        write_image(target, layers, grid, dtype, names, masked, tags)


def _layer_files(raw: RawFolder, layer: str) -> dict[str, RawFile]:
    """Return the rasters of a layer by base name.

    Rasters in archives are left out, as unzipping separates them from the files beside them.
    """
    found: dict[str, RawFile] = {}
    for file, match in raw.match(rf"{layer}/([^/]+)\.(?:{SUFFIXES})"):
        if file.member is not None or file.file.parent != raw.folder / layer:
            continue
        if match[1] in found:
            fault = f"has the name of {found[match[1]].file}"
            raise InputError(file.file, fault, "rename or remove one of them")
        found[match[1]] = file
    return dict(sorted(found.items()))


def _assign_splits(file: Path, settings: FolderSettings, scenes: list[str]) -> dict[str, str]:
    """Return the split of each scene, by lists or by shares."""
    if settings.split.shares:
        return _split_by_shares(settings.split, scenes)
    listed = {scene: name for name, part in settings.split.names.items() for scene in part}
    for scene in listed:
        if scene not in scenes:
            fault = f"its split names {scene}, but no scene has this name"
            raise InvalidValueError(file, fault, "correct its name")
    for scene in scenes:
        if scene not in listed:
            fault = f"its split leaves out scene {scene}"
            remedy = "add it to train, val or test, or remove its files"
            raise InvalidValueError(file, fault, remedy)
    return {scene: listed[scene] for scene in scenes}


def _split_by_shares(split: SplitSettings, scenes: list[str]) -> dict[str, str]:
    """Return the split of each scene by shares.

    Scenes are ordered by a hash of seed and name, so that most of them keep their split when a
    scene is added.
    """
    order = sorted(
        scenes, key=lambda name: hashlib.sha256(f"{split.seed}:{name}".encode()).digest()
    )
    ends, total = {}, 0.0
    for name in SPLITS:
        total += split.shares.get(name, 0.0)
        ends[name] = round(total * len(order))
    # Few scenes must not be rounded to none for training.
    ends["train"] = max(ends["train"], 1 if split.shares.get("train") else 0)
    starts = dict(zip(SPLITS, [0, *ends.values()], strict=False))
    chosen = {scene: name for name in SPLITS for scene in order[starts[name] : ends[name]]}
    return {scene: chosen[scene] for scene in scenes}


def _target_grid(path: Path, image: Raster, settings: FolderSettings) -> PixelGrid:
    """Return the grid to write on.

    Raises:
        InputError: If the unit of its CRS is not a metre on the ground, which training assumes.
    """
    if settings.crs is None:
        grid = _north_up(image.grid_at(settings.gsd))
    else:
        with Source(path, settings.image.bands, settings.crs) as projected:
            grid = _north_up(projected.grid_at(settings.gsd))
    steps = abs(grid.transform.a), abs(grid.transform.e)
    ratios = [step / size for step, size in zip(steps, grid.pixel_size, strict=True)]
    if any(abs(ratio - 1) > MAX_SCALE_ERROR for ratio in ratios):
        fault = (
            f"would be written in {grid.crs.to_string()}, whose unit is not a metre on the ground"
        )
        remedy = "give a projected one in scenes.yaml, such as crs: EPSG:25832"
        raise InputError(image.name, fault, remedy)
    return grid


def _north_up(grid: PixelGrid) -> PixelGrid:
    """Return the grid of the same pixels whose first one is the north-western one."""
    t, (west, _, _, north) = grid.transform, grid.bounds
    transform = Affine(abs(t.a), 0, west, 0, -abs(t.e), north)
    return PixelGrid(grid.crs, transform, grid.width, grid.height)
