"""A user's own scenes: any CRS, pixel size, band order and classes, described by a YAML file.

The folder has ``image/`` and, if there are labels, ``landcover/`` and ``height/``, whose files have
the names of the images. ``scenes.yaml`` in it describes them; only the classes are required, and
only if there is land cover:

.. code-block:: yaml

    name: lyon                      # of the data set; by default the folder's name
    match: name                     # or place: all files of a layer are laid over each image
    image:
      files: image/*                # see below
      bands: [4, 1, 2]              # numbers or names, in the order to write; by default 1, 2, 3
      stack: [{files: irc/*, bands: [1]}]      # further files; their bands are written after these
      names: [NIR, red, green, x]   # names to write for all bands
      white: 4095                   # value that becomes 255 in bytes; by default values are kept
      gsd: 0.35                     # metres per pixel of images without any georeference
    landcover:
      files: landcover/*            # rasters, or polygons (GeoPackage, FlatGeobuf, shapefile, ...)
      field: code                   # field with the polygons' values; default: the layer's name
      layer: cover                  # layer of polygons to read; default: all
    classes:                        # indices 0, 1, ...; the last one wins where polygons overlap
      # values: codes in one-band rasters or of polygons; color: code in three-band rasters
      - {name: ground, color: [255, 255, 255], values: [1, 2]}
      - {name: building, color: [0, 0, 255], values: [7, house]}
      - {name: tree, color: [0, 255, 0], values: [5]}
    unknown: [0, [0, 0, 0]]         # values or colours of pixels whose class is unknown
    height: {files: height/*, band: 1, scale: 0.01, offset: 0, nodata: 65535}  # metres per unit,
                                    # metres at 0; or surface minus terrain:
    # height: {surface: dsm/*, terrain: {files: dem/*, band: 2}, holes: 100}
    split: {train: 0.7, val: 0.1, test: 0.2, seed: 0}  # or lists: {train: [a, b], test: [c]}
    gsd: 0.2                        # metres to write; by default each image's own
    crs: EPSG:25832                 # CRS to write; by default each image's own, if in metres

``*`` in ``files`` stands for any text within a part of a path, and the name of a scene is what it
stands for in the last part: :mod:`semimtl_geo.prepare.own.patterns`. ``docs/data.md`` has examples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from semimtl_geo.prepare.adapter import Item
from semimtl_geo.prepare.archive import RawFile, RawFolder
from semimtl_geo.prepare.options import option
from semimtl_geo.prepare.own.checks import HeightCheck, OverlapCheck
from semimtl_geo.prepare.own.class_polygons import ClassPolygons
from semimtl_geo.prepare.own.class_rasters import ClassRasters
from semimtl_geo.prepare.own.heights import HeightDifference, HeightRasters
from semimtl_geo.prepare.own.images import ImageStack, target_grid
from semimtl_geo.prepare.own.matching import Layers, match_files
from semimtl_geo.prepare.own.patterns import is_polygons
from semimtl_geo.prepare.own.schema import EXAMPLE, FolderSettings, read_settings
from semimtl_geo.prepare.own.unplaced import give_artificial_georeference
from semimtl_geo.prepare.rasters.resampling import class_layers, value_layers
from semimtl_geo.prepare.rasters.scene_writer import REMARK, write_height, write_landcover
from semimtl_geo.prepare.splits import assign_splits
from semimtl_geo.prepare.summary import describe_scenes
from tiles.errors import InputError, InvalidValueError
from tiles.grid import PixelGrid
from tiles.reading.overlay import Overlay
from tiles.types import ProgressCallback


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
        "YAML: bands, classes, heights, split (default: scenes.yaml in the raw folder)",
        parse=Path,
        metavar="FILE",
    )
    _settings: FolderSettings = field(default_factory=FolderSettings, init=False, repr=False)
    _numbers: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Content of the YAML file; made-up places also depend on which scenes there are."""
        names = "\n".join(self._numbers).encode()
        scenes = {"scenes": hashlib.sha256(names).hexdigest()[:16]}
        return asdict(self._settings) | (scenes if self._settings.image.gsd is not None else {})

    def plan(self, raw: RawFolder) -> list[Item]:
        """List one item per image.

        Raises:
            InputError: If the YAML file is not valid, or files do not match each other.
        """
        file = self.config or raw.folder / "scenes.yaml"
        settings = self._settings = read_settings(file)
        scenes = match_files(raw, settings)
        self._numbers = {name: number for number, name in enumerate(scenes)}
        if any("landcover" in layers for layers in scenes.values()) and not settings.classes:
            fault = "must list the classes, as there is land cover"
            raise InvalidValueError(file, fault, EXAMPLE)
        domain = settings.name or raw.folder.resolve().name
        items = []
        for name, split in assign_splits(file, settings.split, list(scenes)).items():
            layers = scenes[name]
            # A data set lists the images, so each is written after its labels.
            written = [
                *(["height"] if {"height", "surface"} & layers.keys() else []),
                *(["landcover"] if "landcover" in layers else []),
                "image",
            ]
            targets = [f"{split}/{layer}/{name}.tif" for layer in written]
            items.append(Item(domain, split, name, _to_roles(layers), targets))
        return items

    def make(self, item: Item, files: Mapping[str, Path], folder: Path) -> None:
        """Write one scene, all of it on the grid of the orthophoto.

        Raises:
            InputError: If a file cannot be used.
        """
        targets = {Path(target).parts[1]: folder / target for target in item.targets}
        missing = {layer: target for layer, target in targets.items() if not target.exists()}
        settings, tags = self._settings, {"SCENE": item.name}
        with self._placed(item, files) as paths:
            stacks = [paths[name] for name in paths if name.startswith("stack")]
            with ImageStack(paths["image"][0], stacks, settings.image) as images:
                grid = target_grid(paths["image"][0], images.image, settings)
                if "landcover" in missing:
                    polygons = is_polygons(item.files["landcover:0"])
                    write = self._write_polygons if polygons else self._write_class_rasters
                    write(missing["landcover"], paths["landcover"], grid, tags)
                if "height" in missing:
                    self._write_height(missing["height"], paths, grid, tags)
                if "image" in missing:
                    images.write(missing["image"], grid, tags)

    def summary(self, folder: Path, progress: ProgressCallback) -> str:
        """Describe the scenes in Markdown."""
        return describe_scenes(folder, folder.name, [], progress)

    @contextmanager
    def _placed(self, item: Item, files: Mapping[str, Path]) -> Iterator[dict[str, list[Path]]]:
        """Yield the files of a scene by layer, with a made-up place if they have none."""
        paths = _from_roles(files)
        gsd, number = self._settings.image.gsd, self._numbers[item.name]
        if gsd is None:
            yield paths
            return
        with TemporaryDirectory() as folder:
            rasters = [path for role, path in files.items() if not is_polygons(item.files[role])]
            placed = dict(
                zip(
                    rasters,
                    give_artificial_georeference(
                        rasters, number, gsd, self._settings.crs, Path(folder)
                    ),
                    strict=True,
                )
            )
            originals = {str(made): str(path) for path, made in placed.items()}
            try:
                yield {
                    layer: [placed.get(path, path) for path in each]
                    for layer, each in paths.items()
                }
            except InputError as error:  # the user knows the original file
                source = originals.get(error.source, error.source)
                raise type(error)(source, error.fault, error.remedy) from error

    def _write_class_rasters(
        self, target: Path, paths: Sequence[Path], grid: PixelGrid, tags: Mapping[str, str]
    ) -> None:
        with ClassRasters(paths, self._settings) as labels:
            remark = {REMARK: labels.remark} if labels.remark else {}
            count = len(self._settings.classes)
            layers = class_layers(labels.name, labels.grid, count, labels.read_classes)
            self._write_landcover(target, labels.name, layers, grid, {**tags, **remark})

    def _write_polygons(
        self, target: Path, paths: Sequence[Path], grid: PixelGrid, tags: Mapping[str, str]
    ) -> None:
        labels = ClassPolygons(paths, self._settings, grid)
        count = len(self._settings.classes)
        layers = class_layers(labels.name, grid, count, labels.read_classes)
        self._write_landcover(target, labels.name, layers, grid, tags)

    def _write_landcover(
        self, target: Path, name: str, layers: Overlay, grid: PixelGrid, tags: Mapping[str, str]
    ) -> None:
        write_landcover(
            target,
            layers,
            grid,
            [entry.name for entry in self._settings.classes],
            [entry.color for entry in self._settings.classes],
            tags,
            OverlapCheck(name, required=self._settings.match == "name"),
        )

    def _write_height(
        self,
        target: Path,
        paths: Mapping[str, Sequence[Path]],
        grid: PixelGrid,
        tags: Mapping[str, str],
    ) -> None:
        settings, required = self._settings.height, self._settings.match == "name"
        heights: HeightDifference | HeightRasters
        if settings.models:
            with HeightDifference(paths["surface"], paths["terrain"], settings) as heights:
                layers = value_layers(heights.name, heights.grid, 1, heights.read_heights)
                check = HeightCheck(heights.name, required, heights.check_order)
                write_height(target, layers, grid, tags, check)
            return
        with HeightRasters(paths["height"], settings) as heights:
            layers = value_layers(heights.name, heights.grid, 1, heights.read_heights)
            write_height(target, layers, grid, tags, HeightCheck(heights.name, required))


def _to_roles(layers: Layers) -> dict[str, RawFile]:
    """Return the files of a scene by role: the layer, and a number within it."""
    return {
        f"{layer}:{number}": file
        for layer, files in layers.items()
        for number, file in enumerate(files)
    }


def _from_roles(files: Mapping[str, Path]) -> dict[str, list[Path]]:
    """Return the files of a scene by layer."""
    layers: dict[str, list[Path]] = {}
    for role, path in files.items():
        layers.setdefault(role.partition(":")[0], []).append(path)
    return layers
