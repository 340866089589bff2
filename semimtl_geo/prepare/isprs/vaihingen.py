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
from semimtl_geo.prepare.archive import Member, Raw
from semimtl_geo.prepare.isprs.common import (
    BANDS,
    Heights,
    Scene,
    first,
    needed,
    opened,
    parse_crs,
    splits,
    targets,
)
from semimtl_geo.prepare.rasters.raw_raster import Picture, place
from semimtl_geo.prepare.summary import describe
from tiles.elevation.ndsm import heights_above_ground
from tiles.errors import InputError
from tiles.grid import PixelGrid
from tiles.types import ProgressCallback

TRAIN: Final = (
    *("1", "3", "5", "7", "11", "13", "15", "17", "21", "23", "26", "28", "30", "32", "34", "37"),
)
TEST: Final = (
    *("2", "4", "6", "8", "10", "12", "14", "16", "20", "22", "24", "27", "29", "31", "33", "35"),
    "38",
)
GSD: Final = 0.09
APART: Final = 1000.0
"""Metres from one scene's corner to the next one's, where their places are not known."""
ARCHIVE: Final = "ISPRS_semantic_labeling_Vaihingen.zip"


@dataclass(frozen=True)
class Vaihingen:
    """The adapter.

    Attributes:
        labels: ``full`` or ``eroded``.
        heights: ``dsm``: made from the surface model; ``ndsm``: read; or ``none``.
        ndsm_pattern: Names of the normalised surface models; ``{N}`` is the area's number.
        ndsm_scale: Metres per unit of these. Nobody says it of the JPEGs that go round.
        crs: Of the world files.
        unplaced: Whether to do without world files.
        val: Training areas that are held out, or ``("none",)``: the official split has none.
    """

    labels: str = "full"
    heights: str = "dsm"
    ndsm_pattern: str = "dsm_09cm_matching_area{N}_normalized.jpg"
    ndsm_scale: float | None = None
    crs: str = "EPSG:32632"
    unplaced: bool = False
    val: tuple[str, ...] = ("11", "28", "34")

    def __post_init__(self) -> None:
        """Check the options."""
        splits(TRAIN, TEST, self.val, "11")
        parse_crs(self.crs)
        if "{N}" not in self.ndsm_pattern:
            remedy = "write {N} for the area's number"
            raise InputError("--ndsm-pattern", f"{self.ndsm_pattern} is one file", remedy)
        if self.ndsm_scale is not None and not 0 < self.ndsm_scale < float("inf"):
            raise InputError("--ndsm-scale", f"{self.ndsm_scale} is no scale", "give metres > 0")

    @property
    def settings(self) -> Mapping[str, Any]:
        """All of them."""
        return asdict(self)

    def plan(self, raw: Raw) -> list[Item]:
        """The 33 scenes.

        Where there is no label of any test scene, these have none: so it is in the participants'
        folder.

        Raises:
            InputError: A file is missing.
        """
        labelled = any(self._label(raw, area) for area in TEST)
        items = []
        for area, part in splits(TRAIN, TEST, self.val, "11").items():
            top = f"top_mosaic_09cm_area{area}"
            image = raw.find(f"top/{top}.tif")
            files = {"image": needed(image, raw, f"top/{top}.tif", ARCHIVE)}
            dsm = f"dsm_09cm_matching_area{area}"
            if not self.unplaced:
                # The separate archive's come under the names of the surface models.
                world = first(raw, (f"{top}.tfw", f"{dsm}.tfw"))
                files |= {} if world is None else {"world": world}
            if part != "test" or labelled:
                suffix = "" if self.labels == "full" else "_noBoundary"
                files["landcover"] = needed(
                    self._label(raw, area),
                    raw,
                    f"{top}{suffix}.tif (label image)",
                    "the ground truth of ISPRS Vaihingen",
                )
            if self.heights == "dsm":
                files["dsm"] = needed(raw.find(f"{dsm}.tif"), raw, f"dsm/{dsm}.tif", ARCHIVE)
            elif self.heights == "ndsm":
                name = self.ndsm_pattern.replace("{N}", area)
                found = raw.find(name)
                files["height"] = needed(found, raw, name, "the normalised surface models")
            name = f"vaihingen_area{area}"
            roles = [*files, *(["height"] if "dsm" in files else [])]
            items.append(Item("vaihingen", part, name, files, targets(part, name, roles)))
        self._check_places(raw, items)
        return items

    def make(self, item: Item, files: Mapping[str, Path], folder: Path) -> None:
        """Write one scene.

        Raises:
            InputError: A file cannot be used.
        """
        with ExitStack() as stack:
            image = stack.enter_context(Picture(files["image"], item.files["image"].path))
            if image.count != len(BANDS):
                fault = f"has {image.count} bands, not NIR, red, green"
                raise InputError(image.name, fault, "fetch it anew")
            grid = self._grid(item, files, image)
            heights = None
            if "dsm" in files:
                made = stack.enter_context(_height_file(files["dsm"], item, grid, folder))
                heights = Heights(made, 1.0)
            elif ndsm := opened(stack, files, item.files, "height", [1]):
                heights = Heights(ndsm, self._scale(ndsm))
            scene = Scene(
                item.name,
                item.split,
                image,
                grid,
                opened(stack, files, item.files, "landcover"),
                self.labels == "eroded",
                heights,
                {"DATASET": "ISPRS Vaihingen", "LABELS": self.labels, "SCENE": item.name},
            )
            scene.write(folder, grid)

    def summary(self, folder: Path, progress: ProgressCallback) -> str:
        """What was made, from the files."""
        heights = {
            "dsm": "made from the surface model (simple morphological filter)",
            "ndsm": f"{self.ndsm_pattern}, {self.ndsm_scale or 1:g} m per unit",
            "none": "none",
        }[self.heights]
        where = "laid side by side, at no place on earth" if self.unplaced else "by world files"
        notes = [
            f"Labels: {self.labels}. Clutter is a class. Heights: {heights}.",
            f"Places: {where}, in {self.crs}.",
            f"Split: the official one; of its training scenes, validation has: "
            f"{', '.join(self.val) or 'none'}.",
        ]
        return describe(folder, "ISPRS Vaihingen", notes, progress)

    def _label(self, raw: Raw, area: str) -> Member | None:
        """The label image, which if full is called as the orthophoto, but is not in ``top``."""
        suffix = "" if self.labels == "full" else "_noBoundary"
        name = f"top_mosaic_09cm_area{area}{suffix}.tif"
        return raw.find(name, lambda member: member.folder.lower() != "top")

    def _check_places(self, raw: Raw, items: list[Item]) -> None:
        """Say that a world file is missing before scenes are made for an hour."""
        lost = [item for item in items if "world" not in item.files]
        # If all are missing, the first scene to be made says so.
        if self.unplaced or len(lost) == len(items):
            return
        for item in lost:
            roles = [role for role in ("image", "dsm") if role in item.files]
            files = {role: raw.path(item.files[role]) for role in roles}
            with Picture(files["image"], item.files["image"].path) as image:
                self._grid(item, files, image)

    def _grid(self, item: Item, files: Mapping[str, Path], image: Picture) -> PixelGrid:
        crs = parse_crs(self.crs)
        if self.unplaced:
            order = [*TRAIN, *TEST].index(item.name.removeprefix("vaihingen_area"))
            west, north = 500_000 + APART * order, 5_400_000
            transform = from_origin(west, north, GSD, GSD)
            return PixelGrid(crs, transform, image.width, image.height)
        world = (files["world"], item.files["world"].path) if "world" in files else None
        grid = place(image, world, crs)
        if grid is None and "dsm" in files:  # which some copies have tagged
            with Picture(files["dsm"], item.files["dsm"].path) as dsm:
                if (transform_ := dsm.transform) is not None:
                    grid = PixelGrid(crs, transform_, image.width, image.height)
        if grid is None:
            number = item.name.removeprefix("vaihingen_area")
            raise InputError(
                f"dsm_09cm_matching_area{number}.tfw",
                f"is missing, and {image.name} has no georeference of its own",
                "put the archive of world files into the --raw folder, or give --unplaced",
            )
        if not grid.has_gsd(GSD):
            fault = f"has pixels of {grid.gsd:g} m, not {GSD} m"
            raise InputError(image.name, fault, "check its world file and --crs")
        return grid

    def _scale(self, ndsm: Picture) -> float:
        """Metres per unit: never guessed where they are integers."""
        if self.ndsm_scale is None and ndsm.dtype.kind != "f":
            fault = f"has heights of {ndsm.dtype}, which are not metres"
            raise InputError(ndsm.name, fault, "give --ndsm-scale, metres per unit, such as 0.1")
        return self.ndsm_scale or 1.0


@contextmanager
def _height_file(dsm: Path, item: Item, grid: PixelGrid, folder: Path) -> Iterator[Picture]:
    """Heights above ground of a surface model, which need not say where it is."""
    work = folder / f".{item.name}.heights"
    shutil.rmtree(work, ignore_errors=True)  # of a run that was killed
    work.mkdir()
    try:
        with Picture(dsm, item.files["dsm"].path, [1]) as surface:
            surface.check_size(grid.height, grid.width, item.files["image"].path)
        placed = work / f"{item.name}_dsm.vrt"
        rasterio.shutil.copy(dsm, placed, driver="VRT")
        with rasterio.open(placed, "r+") as file:
            file.crs, file.transform = grid.crs, grid.transform
        try:
            made = heights_above_ground(placed, work / "height.tif")
        except InputError as error:
            raise InputError(item.files["dsm"].path, error.fault, error.remedy) from error
        with Picture(made, item.files["dsm"].path) as heights:
            yield heights
    finally:
        shutil.rmtree(work, ignore_errors=True)
