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
from semimtl_geo.prepare.archive import Member, Raw
from semimtl_geo.prepare.isprs.common import Heights, Scene, first, needed, opened, splits, targets
from semimtl_geo.prepare.rasters.raw_raster import Picture, place
from semimtl_geo.prepare.rasters.resampling import ROWS
from semimtl_geo.prepare.summary import describe
from tiles.errors import InputError
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
STEP: Final = 0.1
"""Metres per unit of the normalised surface models (8-bit JPEG)."""
INFRARED: Final = (4, 1, 2)
"""NIR, red and green in the RGBIR files, whose NIR may be tagged as alpha."""


@dataclass(frozen=True)
class Potsdam:
    """The adapter.

    Attributes:
        labels: ``full`` or ``eroded``.
        heights: ``lastools`` or ``ownapproach``, or ``none``.
        gsd: Ground sampling distance to resample to, in metres (section 4.1).
        val: Training scenes that are held out, or ``("none",)``: the official split has none.
    """

    labels: str = "full"
    heights: str = "lastools"
    gsd: float = 0.09
    val: tuple[str, ...] = ("2_11", "4_10", "5_11", "7_8")

    def __post_init__(self) -> None:
        """Check the options."""
        splits(TRAIN, TEST, self.val, "2_11")
        if not 0 < self.gsd <= 10:
            raise InputError("--gsd", f"{self.gsd} m is none for a city", "give one such as 0.09")

    @property
    def settings(self) -> Mapping[str, Any]:
        """All of them."""
        return asdict(self)

    def plan(self, raw: Raw) -> list[Item]:
        """The 38 scenes.

        Where there is no label of any test scene, these have none: so it is in the participants'
        archive.

        Raises:
            InputError: A file is missing.
        """
        split = splits(TRAIN, TEST, self.val, "2_11")
        labelled = any(self._label(raw, scene) for scene in TEST)
        items = []
        for scene, part in split.items():
            files = {"image": self._image(raw, scene)}
            files |= self._world(raw, scene, files["image"])
            if part != "test" or labelled:
                suffix = "" if self.labels == "full" else "_noBoundary"
                files["landcover"] = needed(
                    self._label(raw, scene),
                    raw,
                    f"top_potsdam_{scene}_label{suffix}.tif",
                    f"5_Labels_all{suffix}.zip (or 5_Labels_for_participants"
                    f"{suffix and '_no_Boundary'}.zip) of ISPRS Potsdam",
                )
            if self.heights != "none":
                files |= self._heights(raw, scene)
            name = f"potsdam_{scene}"
            items.append(Item("potsdam", part, name, files, targets(part, name, files)))
        return items

    def make(self, item: Item, files: Mapping[str, Path], folder: Path) -> None:
        """Write one scene.

        Raises:
            InputError: A file cannot be used.
        """
        with ExitStack() as stack:
            image = stack.enter_context(Picture(files["image"], item.files["image"].path))
            if image.count == len(INFRARED) + 1:
                image.choose(INFRARED)
            elif image.count != len(INFRARED):
                fault = f"has {image.count} bands, not NIR, red, green (3) or RGBIR (4)"
                raise InputError(image.name, fault, "fetch it anew")
            world = (files["world"], item.files["world"].path) if "world" in files else None
            grid = place(image, world, CRS.from_epsg(EPSG))
            if grid is None:
                fault = "has no georeference, and no world file (.tfw) is there"
                raise InputError(image.name, fault, "fetch it anew, with its .tfw")
            scene = Scene(
                item.name,
                item.split,
                image,
                grid,
                opened(stack, files, item.files, "landcover"),
                self.labels == "eroded",
                self._chosen(stack, files, item.files),
                {"DATASET": "ISPRS Potsdam", "LABELS": self.labels, "SCENE": item.name},
            )
            scene.write(folder, grid if grid.has_gsd(self.gsd) else grid.resampled(self.gsd))

    def summary(self, folder: Path, progress: ProgressCallback) -> str:
        """What was made, from the files."""
        held = ", ".join(self.val) or "none"
        notes = [
            f"Labels: {self.labels}. Clutter is a class. Heights: {self.heights}, {STEP} m steps, "
            "unknown from 25.5 m on.",
            f"Split: the official one; of its training scenes, validation has: {held}.",
        ]
        return describe(folder, "ISPRS Potsdam", notes, progress)

    def _image(self, raw: Raw, scene: str) -> Member:
        names = (f"top_potsdam_{n}_{kind}.tif" for kind in ("IRRG", "RGBIR") for n in _spell(scene))
        return needed(
            first(raw, names),
            raw,
            f"top_potsdam_{scene}_IRRG.tif",
            "3_Ortho_IRRG.zip (or 4_Ortho_RGBIR.zip) of ISPRS Potsdam",
        )

    def _world(self, raw: Raw, scene: str, image: Member) -> dict[str, Member]:
        # Any of its rasters has the same.
        stems = [image.name.rpartition(".")[0]]
        for number in _spell(scene):
            stems += [f"top_potsdam_{number}_{kind}" for kind in ("IRRG", "RGBIR", "RGB", "label")]
            stems.append(f"dsm_potsdam_{number}")
        found = first(raw, (f"{stem}.tfw" for stem in stems))
        return {} if found is None else {"world": found}

    def _label(self, raw: Raw, scene: str) -> Member | None:
        suffix = "" if self.labels == "full" else "_noBoundary"
        return first(raw, (f"top_potsdam_{n}_label{suffix}.tif" for n in _spell(scene)))

    def _heights(self, raw: Raw, scene: str) -> dict[str, Member]:
        def find(kind: str) -> Member | None:
            return first(raw, (f"dsm_potsdam_{n}_normalized_{kind}.jpg" for n in _spell(scene)))

        x, y = scene.split("_")
        name = f"dsm_potsdam_{x:0>2}_{y:0>2}_normalized_{self.heights}.jpg"
        found = needed(find(self.heights), raw, name, "1_DSM_normalisation.zip of ISPRS Potsdam")
        other = find("lastools") if self.heights == "ownapproach" else None
        return {"height": found} if other is None else {"height": found, "instead": other}

    def _chosen(
        self, stack: ExitStack, files: Mapping[str, Path], members: Mapping[str, Member]
    ) -> Heights | None:
        """Heights; of an empty ownapproach file those of lastools instead."""
        if "height" not in files:
            return None
        if members["height"].size:
            picture = stack.enter_context(Picture(files["height"], members["height"].path, [1]))
            if self.heights == "lastools" or not _blank(picture):
                return Heights(picture, STEP)
        instead = opened(stack, files, members, "instead", [1])
        if instead is None:
            fault, remedy = "is empty", "fetch it anew, or the lastools file of this scene too"
            raise InputError(members["height"].path, fault, remedy)
        return Heights(instead, STEP, "heights by lastools, for the ownapproach file is empty")


def _spell(scene: str) -> Iterator[str]:
    """Both numbers of a scene as they are, or with a zero before."""
    x, y = scene.split("_")
    for pair in product(dict.fromkeys((x, f"{x:0>2}")), dict.fromkeys((y, f"{y:0>2}"))):
        yield "_".join(pair)


def _blank(picture: Picture) -> bool:
    """Whether a raster says nothing at all: one value everywhere."""
    seen: set[int] = set()
    for top in range(0, picture.height, ROWS):
        values, _ = picture.read((top, min(top + ROWS, picture.height)), (0, picture.width))
        seen |= {int(values.min()), int(values.max())}
        if len(seen) > 1:
            return False
    return True
