"""What ISPRS Potsdam and Vaihingen share: splits, labels by colour, what a scene is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from rasterio.crs import CRS
from rasterio.errors import CRSError

from semimtl_geo.class_schemes import ISPRS
from semimtl_geo.prepare.archive import Member, Raw
from semimtl_geo.prepare.rasters.colour_code import ColourCode
from semimtl_geo.prepare.rasters.raw_raster import Picture
from semimtl_geo.prepare.rasters.resampling import class_layers, value_layers
from semimtl_geo.prepare.rasters.scene_writer import (
    REMARK,
    write_height,
    write_image,
    write_landcover,
)
from tiles.errors import InputError
from tiles.grid import PixelGrid
from tiles.types import BoolArray, Span, UInt8Array

BANDS: Final = ("NIR", "red", "green")
BLACK: Final = (0, 0, 0)
"""In eroded labels, what is too near a border to be scored."""
CENSORED: Final = 255
"""In heights of one byte: this or more."""


def splits(
    train: Sequence[str], test: Sequence[str], val: Sequence[str], name: str
) -> dict[str, str]:
    """The official split by scene, some training scenes being held out for validation.

    Args:
        train: Official training scenes.
        test: Official test scenes.
        val: Those of `train` that are held out; ``("none",)`` for none.
        name: An example, for the error.

    Raises:
        InputError: `val` names another scene, or leaves nothing to train on.
    """
    held = [] if tuple(val) == ("none",) else list(val)
    for scene in held:
        if scene not in train:
            fault = f"{scene} is no training scene"
            raise InputError("--val", fault, f"name some of {', '.join(train)}, or none")
    if not set(train) - set(held):
        raise InputError("--val", "leaves no scene to train on", f"name fewer, such as {name}")
    return {
        **{scene: "val" if scene in held else "train" for scene in train},
        **dict.fromkeys(test, "test"),
    }


def first(raw: Raw, names: Iterable[str]) -> Member | None:
    """The first file that is there under one of its names."""
    return next((found for name in names if (found := raw.find(name)) is not None), None)


def needed(found: Member | None, raw: Raw, name: str, source: str) -> Member:
    """A file, or an error that names it.

    Args:
        found: The file, if it was found.
        raw: Where it was looked for.
        name: What it is called.
        source: What to download.
    """
    if found is None:
        raise InputError(raw.folder / name, "is missing", f"put {source} into {raw.folder}")
    return found


def targets(split: str, name: str, roles: Iterable[str]) -> list[str]:
    """Files of a scene relative to its domain's folder, the image last: it makes the scene."""
    layers = [layer for layer in ("landcover", "height") if layer in roles]
    return [f"{split}/{layer}/{name}.tif" for layer in [*layers, "image"]]


def parse_crs(text: str) -> CRS:
    """A coordinate reference system of a setting.

    Raises:
        InputError: PROJ does not know it, or it has no metres.
    """
    try:
        crs = CRS.from_user_input(text)
    except CRSError as error:
        fault = "is no coordinate reference system that PROJ knows"
        raise InputError(f"--crs {text}", fault, "give one such as EPSG:25832") from error
    if not crs.is_projected:
        raise InputError(f"--crs {text}", "is not projected", "give one such as EPSG:25832")
    return crs


@dataclass(frozen=True)
class Heights:
    """Heights of a scene as they are stored.

    Attributes:
        picture: The raster.
        scale: Metres per unit.
        remark: What is odd about them.
    """

    picture: Picture
    scale: float
    remark: str = ""

    def read(self, rows: Span, columns: Span) -> tuple[Any, BoolArray]:
        """Heights [1, H, W] in metres, and which are known."""
        values, known = self.picture.read(rows, columns)
        if self.picture.dtype == np.uint8:
            known &= values[0] != CENSORED
        else:
            known &= np.isfinite(values[0])
            if self.picture.nodata is not None:
                known &= values[0] != self.picture.nodata
        return np.where(known, values, 0).astype(np.float32) * np.float32(self.scale), known


@dataclass(frozen=True)
class Scene:
    """One scene to write.

    Attributes:
        name: Its base name.
        split: Its split.
        image: The three bands of its orthophoto, in the order NIR, red, green.
        grid: Where the orthophoto's pixels lie.
        label: Its label image, if there is one.
        eroded: Whether black means unknown in it.
        heights: Its heights, if there are any.
        tags: Where it comes from.
    """

    name: str
    split: str
    image: Picture
    grid: PixelGrid
    label: Picture | None
    eroded: bool
    heights: Heights | None
    tags: Mapping[str, str]

    def write(self, folder: Path, grid: PixelGrid) -> None:
        """Write what is not there yet.

        Args:
            folder: The domain's folder.
            grid: The grid to write on, of the orthophoto's extent.

        Raises:
            InputError: Files do not belong together, or are not what their names say.
        """
        height, width = self.grid.height, self.grid.width
        code = ColourCode(ISPRS.colors, [BLACK] if self.eroded else [])
        label, heights = self.label, self.heights
        if label is not None and not (target := self._target(folder, "landcover")).exists():
            label.check_size(height, width, self.image.name)
            black = "" if self.eroded else " (black is one only in --labels eroded)"
            strange = code.check(label, f"fetch the official label images anew{black}")

            def classes(rows: Span, columns: Span) -> UInt8Array:
                image, inside = label.read(rows, columns)
                return np.where(inside, code.decode(image), np.uint8(255))

            remark = f"{strange} px had a colour of no class" if strange else ""
            write_landcover(
                target,
                class_layers(label.name, self.grid, len(ISPRS.names), classes),
                grid,
                ISPRS.names,
                ISPRS.colors,
                self._tags(remark),
            )
        if heights is not None and not (target := self._target(folder, "height")).exists():
            heights.picture.check_size(height, width, self.image.name)
            write_height(
                target,
                value_layers(heights.picture.name, self.grid, 1, heights.read),
                grid,
                self._tags(heights.remark),
            )
        if not (target := self._target(folder, "image")).exists():
            source = value_layers(self.image.name, self.grid, len(BANDS), self.image.read)
            write_image(target, source, grid, self.image.dtype, BANDS, False, self._tags(""))

    def _target(self, folder: Path, layer: str) -> Path:
        return folder / self.split / layer / f"{self.name}.tif"

    def _tags(self, remark: str) -> dict[str, str]:
        return {**self.tags, **({REMARK: remark} if remark else {})}


def opened(
    stack: ExitStack,
    files: Mapping[str, Path],
    members: Mapping[str, Member],
    role: str,
    bands: Sequence[int] | None = None,
) -> Picture | None:
    """Open the file of a role, if the scene has one, until the stack is closed."""
    if role not in files:
        return None
    return stack.enter_context(Picture(files[role], members[role].path, bands))
