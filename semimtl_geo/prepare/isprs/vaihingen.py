"""ISPRS Vaihingen: 33 scenes of varying size, 9 cm, NIR-R-G, land cover, surface models."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import rasterio
import rasterio.shutil
from rasterio.transform import from_origin

from semimtl_geo.prepare.adapter import Item
from semimtl_geo.prepare.archive import RawFile, RawFolder
from semimtl_geo.prepare.isprs.common import (
    BANDS,
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
from semimtl_geo.prepare.summary import describe_scenes
from tiles.elevation.ground import GroundFilter
from tiles.elevation.ndsm import heights_above_ground
from tiles.errors import InputError, InvalidValueError, MissingFileError
from tiles.grid import PixelGrid
from tiles.reading.crs import parse_metric_crs
from tiles.types import ProgressCallback

TRAIN: Final = (
    *("1", "3", "5", "7", "11", "13", "15", "17", "21", "23", "26", "28", "30", "32", "34", "37"),
)
TEST: Final = (
    *("2", "4", "6", "8", "10", "12", "14", "16", "20", "22", "24", "27", "29", "31", "33", "35"),
    "38",
)

GSD: Final = 0.09

DECIMETRE: Final = 0.1

UNPLACED_STEP: Final = 1000.0
"""Metres between the corners of neighbouring scenes that have no known place."""

ARCHIVE: Final = "ISPRS_semantic_labeling_Vaihingen.zip"


@dataclass(frozen=True)
class Vaihingen:
    """Adapter of ISPRS Vaihingen.

    Attributes:
        labels: Label version: ``full`` or ``eroded``.
        heights: ``dsm`` computes heights above ground from the surface model, ``ndsm`` reads a
            third party's normalised surface model, ``none`` writes no heights.
        ndsm_pattern: File names of the normalised surface models; ``{N}`` is the area's number.
        ndsm_scale: Metres per unit of the normalised surface models. By default integers are
            decimetres, as in the JPEGs in circulation (M. Gerke, "Use of the stair vision library
            within the ISPRS 2D semantic labeling benchmark", ITC Twente, 2014), and real numbers
            metres.
        crs: Coordinate reference system of the world files.
        unplaced: Whether to lay the scenes side by side instead of reading world files.
        val: Official training areas that are held out for validation; ``("none",)`` for none.

    Example:
        >>> Vaihingen(heights="ndsm").settings["crs"]
        'EPSG:32632'
    """

    labels: str = labels_option()
    heights: str = option(
        "dsm",
        "made from the surface model (dsm), or read from a third party's normalised one (ndsm)",
        choices=("dsm", "ndsm", "none"),
    )
    ndsm_pattern: str = option(
        "dsm_09cm_matching_area{N}_normalized.jpg",
        "names of the normalised surface models; {N} is the area's number",
    )
    ndsm_scale: float | None = option(
        None, "metres per unit of these; else 0.1 for integers, 1 for real numbers", parse=float
    )
    crs: str = option("EPSG:32632", "coordinate reference system of the world files")
    unplaced: bool = option(
        False, "without world files: lay the scenes side by side, at no place on earth"
    )
    val: tuple[str, ...] = option(
        ("11", "28", "34"),
        "areas held out of the 16 for validation, such as 11,28; or none",
        parse=parse_names,
        metavar="NAMES",
    )

    def __post_init__(self) -> None:
        """Check the options."""
        assign_splits(TRAIN, TEST, self.val, "11")
        parse_metric_crs(self.crs)
        if "{N}" not in self.ndsm_pattern:
            fault = f"must contain {{N}}, got {self.ndsm_pattern}"
            raise InvalidValueError("--ndsm-pattern", fault, "write {N} for the area's number")
        if self.ndsm_scale is not None and not 0 < self.ndsm_scale < float("inf"):
            fault = f"must be > 0 m and finite, got {self.ndsm_scale}"
            raise InvalidValueError("--ndsm-scale", fault, "give metres per unit")

    @property
    def settings(self) -> Mapping[str, Any]:
        """All options."""
        return asdict(self)

    def plan(self, raw: RawFolder) -> list[Item]:
        """List the 33 scenes.

        If no test scene has a label, as in the folder for participants, test scenes get none.

        Raises:
            InputError: If a file is missing.
        """
        test_labels = any(self._label(raw, area) for area in TEST)
        items = []
        for area, split in assign_splits(TRAIN, TEST, self.val, "11").items():
            files = self._image_files(raw, area)
            if split != "test" or test_labels:
                files["landcover"] = require(
                    self._label(raw, area),
                    raw,
                    f"top_mosaic_09cm_area{area}{label_suffix(self.labels)}.tif (label image)",
                    "the ground truth of ISPRS Vaihingen",
                )
            files |= self._height_files(raw, area)
            name = f"vaihingen_area{area}"
            roles = [*files, *(["height"] if "dsm" in files else [])]
            items.append(Item("vaihingen", split, name, files, target_files(split, name, roles)))
        self._check_places(raw, items)
        return items

    def make(self, item: Item, files: Mapping[str, Path], folder: Path) -> None:
        """Write one scene.

        Raises:
            InputError: If a file cannot be used.
        """
        with ExitStack() as stack:
            image = stack.enter_context(RawRaster(files["image"], item.files["image"].path))
            if image.count != len(BANDS):
                fault = f"must have the bands NIR, red, green, has {image.count} bands"
                raise InputError(image.name, fault, "download it again")
            grid = self._grid(item, files, image)
            heights = None
            if "dsm" in files:
                computed = stack.enter_context(_computed_heights(files["dsm"], item, grid, folder))
                heights = HeightSource(computed, 1.0)
            elif ndsm := open_role(stack, files, item.files, "height", [1]):
                heights = HeightSource(ndsm, self._scale(ndsm))
            sources = SceneSources(
                item.name,
                item.split,
                image,
                grid,
                open_role(stack, files, item.files, "landcover"),
                self.labels == "eroded",
                heights,
                {"DATASET": "ISPRS Vaihingen", "LABELS": self.labels, "SCENE": item.name},
            )
            sources.write(folder, grid)

    def summary(self, folder: Path, progress: ProgressCallback) -> str:
        """Describe the scenes in Markdown."""
        heights = {
            "dsm": "made from the surface model (simple morphological filter); up to "
            f"{GroundFilter().threshold:g} m above the ground count as 0",
            "ndsm": f"{self.ndsm_pattern}, {self._described_scale}",
            "none": "none",
        }[self.heights]
        places = "laid side by side, at no place on earth" if self.unplaced else "by world files"
        held_out = ", ".join(self.val) or "none"
        notes = [
            f"Labels: {self.labels}. Clutter is a class. Heights: {heights}.",
            f"Places: {places}, in {self.crs}.",
            f"Split: the official one; training scenes held out for validation: {held_out}.",
        ]
        return describe_scenes(folder, "ISPRS Vaihingen", notes, progress)

    def _image_files(self, raw: RawFolder, area: str) -> dict[str, RawFile]:
        top = f"top_mosaic_09cm_area{area}"
        files = {"image": require(raw.find(f"top/{top}.tif"), raw, f"top/{top}.tif", ARCHIVE)}
        if not self.unplaced:
            # The separate archive of world files names them after the surface models.
            world = find_first(raw, (f"{top}.tfw", f"dsm_09cm_matching_area{area}.tfw"))
            files |= {} if world is None else {"world": world}
        return files

    def _height_files(self, raw: RawFolder, area: str) -> dict[str, RawFile]:
        if self.heights == "dsm":
            name = f"dsm_09cm_matching_area{area}.tif"
            return {"dsm": require(raw.find(name), raw, f"dsm/{name}", ARCHIVE)}
        if self.heights == "ndsm":
            name = self.ndsm_pattern.replace("{N}", area)
            return {"height": require(raw.find(name), raw, name, "the normalised surface models")}
        return {}

    def _label(self, raw: RawFolder, area: str) -> RawFile | None:
        # Full labels have the names of the orthophotos, which lie in the folder `top`.
        name = f"top_mosaic_09cm_area{area}{label_suffix(self.labels)}.tif"
        return raw.find(name, lambda file: file.folder.lower() != "top")

    def _check_places(self, raw: RawFolder, items: list[Item]) -> None:
        """Report a missing world file before scenes are made for an hour."""
        without_world = [item for item in items if "world" not in item.files]
        # If all are missing, the first scene to be made reports it.
        if self.unplaced or len(without_world) == len(items):
            return
        for item in without_world:
            roles = [role for role in ("image", "dsm") if role in item.files]
            files = {role: raw.local_path(item.files[role]) for role in roles}
            with RawRaster(files["image"], item.files["image"].path) as image:
                self._grid(item, files, image)

    def _grid(self, item: Item, files: Mapping[str, Path], image: RawRaster) -> PixelGrid:
        """Determine the pixel grid of an orthophoto."""
        crs, area = parse_metric_crs(self.crs), item.name.removeprefix("vaihingen_area")
        if self.unplaced:
            west = 500_000 + UNPLACED_STEP * [*TRAIN, *TEST].index(area)
            transform = from_origin(west, 5_400_000, GSD, GSD)
            return PixelGrid(crs, transform, image.width, image.height)
        world = (files["world"], item.files["world"].path) if "world" in files else None
        grid = find_grid(image, world, crs)
        if grid is None and "dsm" in files:  # some copies of it have a georeference
            with RawRaster(files["dsm"], item.files["dsm"].path) as dsm:
                if (dsm_transform := dsm.transform) is not None:
                    grid = PixelGrid(crs, dsm_transform, image.width, image.height)
        if grid is None:
            raise MissingFileError(
                f"dsm_09cm_matching_area{area}.tfw",
                f"is missing, and {image.name} has no georeference of its own",
                "put the archive of world files into the --raw folder, or give --unplaced",
            )
        if not grid.has_gsd(GSD):
            fault = f"must have pixels of {GSD} m, has {grid.gsd:g} m"
            raise InputError(image.name, fault, "check its world file and --crs")
        return grid

    def _scale(self, ndsm: RawRaster) -> float:
        """Return metres per unit."""
        if self.ndsm_scale is not None:
            return self.ndsm_scale
        return 1.0 if ndsm.dtype.kind == "f" else DECIMETRE

    @property
    def _described_scale(self) -> str:
        if self.ndsm_scale is not None:
            return f"{self.ndsm_scale:g} m per unit"
        return "integers in decimetres, real numbers in metres"


@contextmanager
def _computed_heights(dsm: Path, item: Item, grid: PixelGrid, folder: Path) -> Iterator[RawRaster]:
    """Compute heights above ground from a surface model, which may lack a georeference."""
    work = folder / f".{item.name}.heights"
    shutil.rmtree(work, ignore_errors=True)  # a killed run leaves it
    work.mkdir()
    try:
        with RawRaster(dsm, item.files["dsm"].path, [1]) as surface:
            surface.check_size(grid.height, grid.width, item.files["image"].path)
        placed = work / f"{item.name}_dsm.vrt"
        rasterio.shutil.copy(dsm, placed, driver="VRT")
        with rasterio.open(placed, "r+") as file:
            file.crs, file.transform = grid.crs, grid.transform
        try:
            heights = heights_above_ground(placed, work / "height.tif")
        except InputError as error:
            raise InputError(item.files["dsm"].path, error.fault, error.remedy) from error
        with RawRaster(heights, item.files["dsm"].path) as raster:
            yield raster
    finally:
        shutil.rmtree(work, ignore_errors=True)
