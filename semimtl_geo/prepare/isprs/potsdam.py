"""ISPRS Potsdam: 38 scenes of 300 m, 5 cm, NIR-R-G, land cover, heights above ground."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

from rasterio.crs import CRS

from semimtl_geo.prepare.adapter import Item
from semimtl_geo.prepare.archive import RawFile, RawFolder
from semimtl_geo.prepare.isprs.common import (
    HeightSource,
    SceneSources,
    assign_splits,
    find_first,
    label_suffix,
    labels_option,
    open_role,
    require,
    target_files,
)
from semimtl_geo.prepare.options import option, parse_names
from semimtl_geo.prepare.rasters.raw_raster import RawRaster, find_grid
from semimtl_geo.prepare.rasters.resampling import WINDOW_ROWS
from semimtl_geo.prepare.summary import describe_scenes
from tiles.errors import InputError, InvalidValueError
from tiles.types import ProgressCallback

TRAIN: Final = (
    *("2_10", "2_11", "2_12", "3_10", "3_11", "3_12", "4_10", "4_11", "4_12", "5_10", "5_11"),
    *("5_12", "6_7", "6_8", "6_9", "6_10", "6_11", "6_12", "7_7", "7_8", "7_9", "7_10", "7_11"),
    "7_12",
)
TEST: Final = (
    *("2_13", "2_14", "3_13", "3_14", "4_13", "4_14", "4_15", "5_13", "5_14", "5_15", "6_13"),
    *("6_14", "6_15", "7_13"),
)

EPSG: Final = 32633

HEIGHT_SCALE: Final = 0.1
"""Metres per unit of the normalised surface models, which are JPEGs of 8 bits."""

RGBIR_BANDS: Final = (4, 1, 2)
"""NIR, red and green in the RGBIR files, some of which declare NIR as alpha."""


@dataclass(frozen=True)
class Potsdam:
    """Adapter of ISPRS Potsdam.

    Attributes:
        labels: Label version: ``full`` or ``eroded``.
        heights: Normalised surface model: ``lastools``, ``ownapproach`` or ``none``.
        gsd: Ground sampling distance of the scenes in metres; the paper's by default (section 4.1).
        val: Official training scenes that are held out for validation; ``("none",)`` for none.

    Example:
        >>> Potsdam(heights="none").settings["val"]
        ('2_11', '4_10', '5_11', '7_8')
    """

    labels: str = labels_option()
    heights: str = option(
        "lastools",
        "normalised surface model to take",
        choices=("lastools", "ownapproach", "none"),
    )
    gsd: float = option(0.09, "ground sampling distance in metres")
    val: tuple[str, ...] = option(
        ("2_11", "4_10", "5_11", "7_8"),
        "scenes held out of the 24 for validation, such as 2_11,4_10; or none",
        parse=parse_names,
        metavar="NAMES",
    )

    def __post_init__(self) -> None:
        """Check the options."""
        assign_splits(TRAIN, TEST, self.val, "2_11")
        if not 0 < self.gsd <= 10:
            fault = f"must be > 0 m and <= 10 m, got {self.gsd}"
            raise InvalidValueError("--gsd", fault, "give one such as 0.09")

    @property
    def settings(self) -> Mapping[str, Any]:
        """All options."""
        return asdict(self)

    def plan(self, raw: RawFolder) -> list[Item]:
        """List the 38 scenes.

        If no test scene has a label, as in the archive for participants, test scenes get none.

        Raises:
            InputError: If a file is missing.
        """
        split_of = assign_splits(TRAIN, TEST, self.val, "2_11")
        test_labels = any(self._label(raw, scene) for scene in TEST)
        items = []
        for scene, split in split_of.items():
            files = {"image": self._image(raw, scene)}
            files |= self._world_file(raw, scene, files["image"])
            if split != "test" or test_labels:
                suffix = label_suffix(self.labels)
                files["landcover"] = require(
                    self._label(raw, scene),
                    raw,
                    f"top_potsdam_{scene}_label{suffix}.tif",
                    f"5_Labels_all{suffix}.zip (or 5_Labels_for_participants"
                    f"{suffix and '_no_Boundary'}.zip) of ISPRS Potsdam",
                )
            if self.heights != "none":
                files |= self._height_files(raw, scene)
            name = f"potsdam_{scene}"
            items.append(Item("potsdam", split, name, files, target_files(split, name, files)))
        return items

    def make(self, item: Item, files: Mapping[str, Path], folder: Path) -> None:
        """Write one scene.

        Raises:
            InputError: If a file cannot be used.
        """
        with ExitStack() as stack:
            image = stack.enter_context(RawRaster(files["image"], item.files["image"].path))
            if image.count == len(RGBIR_BANDS) + 1:
                image.select_bands(RGBIR_BANDS)
            elif image.count != len(RGBIR_BANDS):
                fault = f"must have the bands NIR, red, green (3) or RGBIR (4), has {image.count}"
                raise InputError(image.name, fault, "download it again")
            world = (files["world"], item.files["world"].path) if "world" in files else None
            grid = find_grid(image, world, CRS.from_epsg(EPSG))
            if grid is None:
                fault = "has no georeference, and there is no world file (.tfw)"
                raise InputError(image.name, fault, "download it again, with its .tfw")
            sources = SceneSources(
                item.name,
                item.split,
                image,
                grid,
                open_role(stack, files, item.files, "landcover"),
                self.labels == "eroded",
                self._open_heights(stack, files, item.files),
                {"DATASET": "ISPRS Potsdam", "LABELS": self.labels, "SCENE": item.name},
            )
            sources.write(folder, grid if grid.has_gsd(self.gsd) else grid.resampled(self.gsd))

    def summary(self, folder: Path, progress: ProgressCallback) -> str:
        """Describe the scenes in Markdown."""
        held_out = ", ".join(self.val) or "none"
        notes = [
            f"Labels: {self.labels}. Clutter is a class. Heights: {self.heights}, "
            f"{HEIGHT_SCALE} m steps, unknown from 25.5 m on.",
            f"Split: the official one; training scenes held out for validation: {held_out}.",
        ]
        return describe_scenes(folder, "ISPRS Potsdam", notes, progress)

    def _image(self, raw: RawFolder, scene: str) -> RawFile:
        names = (
            f"top_potsdam_{number}_{bands}.tif"
            for bands in ("IRRG", "RGBIR")
            for number in _spellings(scene)
        )
        return require(
            find_first(raw, names),
            raw,
            f"top_potsdam_{scene}_IRRG.tif",
            "3_Ortho_IRRG.zip (or 4_Ortho_RGBIR.zip) of ISPRS Potsdam",
        )

    def _world_file(self, raw: RawFolder, scene: str, image: RawFile) -> dict[str, RawFile]:
        # The world files of all rasters of a scene are alike.
        stems = [image.name.rpartition(".")[0]]
        for number in _spellings(scene):
            stems += [f"top_potsdam_{number}_{kind}" for kind in ("IRRG", "RGBIR", "RGB", "label")]
            stems.append(f"dsm_potsdam_{number}")
        found = find_first(raw, (f"{stem}.tfw" for stem in stems))
        return {} if found is None else {"world": found}

    def _label(self, raw: RawFolder, scene: str) -> RawFile | None:
        ending = f"label{label_suffix(self.labels)}.tif"
        return find_first(raw, (f"top_potsdam_{number}_{ending}" for number in _spellings(scene)))

    def _height_files(self, raw: RawFolder, scene: str) -> dict[str, RawFile]:
        def find(kind: str) -> RawFile | None:
            numbers = _spellings(scene)
            return find_first(raw, (f"dsm_potsdam_{n}_normalized_{kind}.jpg" for n in numbers))

        x, y = scene.split("_")
        name = f"dsm_potsdam_{x:0>2}_{y:0>2}_normalized_{self.heights}.jpg"
        archive = "1_DSM_normalisation.zip of ISPRS Potsdam"
        files = {"height": require(find(self.heights), raw, name, archive)}
        if self.heights == "ownapproach" and (lastools := find("lastools")) is not None:
            files["lastools"] = lastools
        return files

    def _open_heights(
        self, stack: ExitStack, paths: Mapping[str, Path], files: Mapping[str, RawFile]
    ) -> HeightSource | None:
        """Open the heights; some ownapproach files are empty, and lastools' replace them."""
        if "height" not in paths:
            return None
        if files["height"].size:
            raster = stack.enter_context(RawRaster(paths["height"], files["height"].path, [1]))
            if self.heights == "lastools" or not _is_constant(raster):
                return HeightSource(raster, HEIGHT_SCALE)
        lastools = open_role(stack, paths, files, "lastools", [1])
        if lastools is None:
            remedy = "download it again, or the lastools file of this scene too"
            raise InputError(files["height"].path, "is empty", remedy)
        remark = "heights by lastools, because the ownapproach file is empty"
        return HeightSource(lastools, HEIGHT_SCALE, remark)


def _spellings(scene: str) -> Iterator[str]:
    """Iterate over the spellings of a scene's two numbers, with and without leading zeros."""
    x, y = scene.split("_")
    for pair in product(dict.fromkeys((x, f"{x:0>2}")), dict.fromkeys((y, f"{y:0>2}"))):
        yield "_".join(pair)


def _is_constant(raster: RawRaster) -> bool:
    """Return whether all pixels of a raster have one value."""
    extremes: set[int] = set()
    for top in range(0, raster.height, WINDOW_ROWS):
        rows = top, min(top + WINDOW_ROWS, raster.height)
        values, _ = raster.read(rows, (0, raster.width))
        extremes |= {int(values.min()), int(values.max())}
        if len(extremes) > 1:
            return False
    return True
