"""A user's own scenes: any CRS, pixel size, band order and classes, told by a small YAML.

The folder has ``image/``, and where there are any ``landcover/`` and ``height/``, whose files bear
the images' names. ``scenes.yaml`` in it says what is in them; all but the classes can be left out:

.. code-block:: yaml

    name: lyon                      # the data set's; the folder's if left out
    image:
      bands: [4, 1, 2]              # numbers or names, in the order wanted; 1, 2, 3 if left out
      names: [NIR, red, green]      # what to call them
      white: 4095                   # to write bytes, 255 for this value; as they are if left out
    classes:                        # 0, 1, ... in this order
      - {name: ground, color: [255, 255, 255], values: [1, 2]}   # its values in a label raster of
      - {name: building, color: [0, 0, 255], values: [7]}        # one band; one of three bands has
      - {name: tree, color: [0, 255, 0], values: [5]}            # its colour
    unknown: [0, [0, 0, 0]]         # values or colours of pixels whose class is unknown
    height: {scale: 0.01, offset: 0, nodata: 65535}    # metres per unit, metres at 0
    split: {train: 0.7, val: 0.1, test: 0.2, seed: 0}  # or lists: {train: [a, b], test: [c]}
    gsd: 0.2                        # metres to write; each image's own if left out
    crs: EPSG:25832                 # likewise, if its unit is the metre
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from rasterio import Affine

from semimtl_geo.prepare.adapter import SPLITS, Item
from semimtl_geo.prepare.archive import Member, Raw
from semimtl_geo.prepare.own.labels import ClassFile, HeightFile
from semimtl_geo.prepare.own.schema import EXAMPLE, Config, read_config
from semimtl_geo.prepare.rasters.resampling import class_layers, value_layers
from semimtl_geo.prepare.rasters.scene_writer import (
    LAYERS,
    REMARK,
    write_height,
    write_image,
    write_landcover,
)
from semimtl_geo.prepare.summary import describe
from tiles.errors import InputError
from tiles.grid import PixelGrid
from tiles.reading.raster import Raster, all_known
from tiles.reading.source import Source
from tiles.types import BoolArray, ProgressCallback, Span

ENDINGS: Final = "tif|tiff|jp2|img|vrt|asc"
LENGTHENED: Final = 0.05
"""A metre of a survey grid differs by less from one on the ground, that of Web Mercator by more."""


class Folder:
    """The adapter.

    Args:
        config: The YAML; ``scenes.yaml`` in the raw folder if None.
    """

    def __init__(self, config: Path | None = None) -> None:
        self._file = config
        self._config = Config()

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the YAML says."""
        return asdict(self._config)

    def plan(self, raw: Raw) -> list[Item]:
        """One item per image.

        Raises:
            InputError: Of the YAML, or of files that do not go together.
        """
        file = self._file or raw.folder / "scenes.yaml"
        config = self._config = read_config(file)
        found = {layer: _files(raw, layer) for layer in LAYERS}
        if not found["image"]:
            fault = "has no rasters in image/"
            raise InputError(raw.folder, fault, "put the orthophotos there, unzipped")
        for layer in LAYERS[1:]:
            for name, member in found[layer].items():
                if name not in found["image"]:
                    fault = f"has no orthophoto of its name in {raw.folder / 'image'}"
                    raise InputError(member.file, fault, "rename or remove it")
        if found["landcover"] and not config.classes:
            fault = "has no classes, but there is land cover"
            raise InputError(file, fault, f"list them, {EXAMPLE}")
        domain = config.name or raw.folder.resolve().name
        items = []
        for name, split in _split(file, config, list(found["image"])).items():
            files = {layer: found[layer][name] for layer in LAYERS if name in found[layer]}
            # The image last: it makes the scene.
            targets = [
                f"{split}/{layer}/{name}.tif" for layer in reversed(LAYERS) if layer in files
            ]
            items.append(Item(domain, split, name, files, targets))
        return items

    def make(self, item: Item, files: Mapping[str, Path], folder: Path) -> None:
        """Write one scene, all on the orthophoto's grid.

        Raises:
            InputError: A file cannot be used.
        """
        config = self._config
        tags = {"SCENE": item.name}
        targets = {layer: folder / item.split / layer / f"{item.name}.tif" for layer in files}
        with Raster(files["image"], config.bands) as image:
            grid = _grid(files["image"], image, config)
            if "landcover" in files and not targets["landcover"].exists():
                with ClassFile(files["landcover"], config) as labels:
                    remark = {REMARK: labels.remark} if labels.remark else {}
                    count = len(config.classes)
                    write_landcover(
                        targets["landcover"],
                        class_layers(labels.name, labels.grid, count, labels.classes),
                        grid,
                        [entry.name for entry in config.classes],
                        [entry.color for entry in config.classes],
                        tags | remark,
                        labels.check,
                    )
            if "height" in files and not targets["height"].exists():
                with HeightFile(files["height"], config) as heights:
                    source = value_layers(heights.name, heights.grid, 1, heights.heights)
                    write_height(targets["height"], source, grid, tags, heights.check)
            if not targets["image"].exists():
                names, plain = _describe(files["image"], image, config)
                masked = not plain or grid.crs != image.grid.crs
                dtype, gain = image.dtype, 1.0
                if config.white is not None:
                    dtype, gain = np.dtype(np.uint8), 255 / config.white

                def bright(rows: Span, columns: Span) -> tuple[Any, BoolArray]:
                    values, known = image.read(rows, columns)
                    return values if gain == 1 else values * np.float32(gain), known

                source = value_layers(image.name, image.grid, len(image.bands), bright)
                write_image(targets["image"], source, grid, dtype, names, masked, tags)

    def summary(self, folder: Path, progress: ProgressCallback) -> str:
        """What was made, from the files."""
        return describe(folder, folder.name, [], progress)


def _files(raw: Raw, layer: str) -> dict[str, Member]:
    """The rasters of a layer by base name. What is zipped has lost the files beside it."""
    found: dict[str, Member] = {}
    for member, name in raw.match(rf"{layer}/([^/]+)\.(?:{ENDINGS})"):
        if member.inside is not None or member.file.parent != raw.folder / layer:
            continue
        if name[1] in found:
            fault = f"has the name of {found[name[1]].file}"
            raise InputError(member.file, fault, "rename or remove one of them")
        found[name[1]] = member
    return dict(sorted(found.items()))


def _split(file: Path, config: Config, scenes: list[str]) -> dict[str, str]:
    """Split of each scene.

    By shares: in the order of a hash of seed and name, so that a scene that is added leaves the
    others about where they were.
    """
    shares = {name: part for name, part in config.split.items() if isinstance(part, float)}
    if shares:
        order = sorted(
            scenes, key=lambda name: hashlib.sha256(f"{config.seed}:{name}".encode()).digest()
        )
        ends, total = {}, 0.0
        for name in SPLITS:
            total += shares.get(name, 0.0)
            ends[name] = round(total * len(order))
        # A scene to learn from comes first.
        ends["train"] = max(ends["train"], 1 if shares.get("train") else 0)
        starts = dict(zip(SPLITS, [0, *ends.values()], strict=False))
        chosen = {scene: name for name in SPLITS for scene in order[starts[name] : ends[name]]}
        return {scene: chosen[scene] for scene in scenes}
    listed = {
        scene: name
        for name, part in config.split.items()
        if not isinstance(part, float)
        for scene in part
    }
    for scene in listed:
        if scene not in scenes:
            raise InputError(file, f"its split has {scene}, which is no scene", "correct its name")
    for scene in scenes:
        if scene not in listed:
            fault = f"its split leaves out scene {scene}"
            raise InputError(file, fault, "add it to train, val or test, or remove its files")
    return {scene: listed[scene] for scene in scenes}


def _grid(path: Path, image: Raster, config: Config) -> PixelGrid:
    """The grid to write on.

    Raises:
        InputError: Its units are no metres on the ground, as training wants them.
    """
    if config.crs is None:
        grid = _north_up(image.grid_at(config.gsd))
    else:
        with Source(path, config.bands, config.crs) as there:
            grid = _north_up(there.grid_at(config.gsd))
    steps = abs(grid.transform.a), abs(grid.transform.e)
    if any(abs(s / size - 1) > LENGTHENED for s, size in zip(steps, grid.pixel_size, strict=True)):
        fault = f"would be written in {grid.crs.to_string()}, whose unit is no metre on the ground"
        remedy = "give a projected one in scenes.yaml, such as crs: EPSG:25832"
        raise InputError(image.name, fault, remedy)
    return grid


def _north_up(grid: PixelGrid) -> PixelGrid:
    """The same pixels with the north-western one first, as training wants them."""
    t, (west, _, _, north) = grid.transform, grid.bounds
    transform = Affine(abs(t.a), 0, west, 0, -abs(t.e), north)
    return PixelGrid(grid.crs, transform, grid.width, grid.height)


def _describe(path: Path, image: Raster, config: Config) -> tuple[list[str], bool]:
    """What the orthophoto's bands are called, and whether all its pixels are known."""
    with rasterio.open(path) as file:
        plain = all_known(file) and image.dtype.kind != "f"
        called = [file.descriptions[band - 1] or f"band {band}" for band in image.bands]
    return list(config.names or called), plain
