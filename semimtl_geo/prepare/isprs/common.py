"""Parts shared by ISPRS Potsdam and Vaihingen: splits, look-up of files, and writing of a scene."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from semimtl_geo.class_schemes import ISPRS
from semimtl_geo.prepare.archive import RawFile, RawFolder
from semimtl_geo.prepare.options import option
from semimtl_geo.prepare.rasters.colour_code import ColourCode, unmatched_remark
from semimtl_geo.prepare.rasters.raw_raster import RawRaster
from semimtl_geo.prepare.rasters.resampling import class_layers, value_layers
from semimtl_geo.prepare.rasters.scene_writer import (
    REMARK,
    write_height,
    write_image,
    write_landcover,
)
from tiles.errors import InvalidValueError, MissingFileError
from tiles.grid import PixelGrid
from tiles.types import UNKNOWN_CLASS, BoolArray, Span, UInt8Array

BANDS: Final = ("NIR", "red", "green")

BLACK: Final = (0, 0, 0)
"""Colour, in eroded labels, of pixels too near a border to be scored."""

SATURATED_HEIGHT: Final = 255
"""Value, in heights of 8 bits, that means this height or more."""


def labels_option() -> Any:
    """Declare the option ``--labels``, which both data sets have."""
    return option(
        "full",
        "label version: full, or eroded at the borders of objects (noBoundary)",
        choices=("full", "eroded"),
    )


def label_suffix(labels: str) -> str:
    """Return what the file names of a label version end with."""
    return "" if labels == "full" else "_noBoundary"


def assign_splits(
    train: Sequence[str], test: Sequence[str], val: Sequence[str], example: str
) -> dict[str, str]:
    """Assign each scene to the official split, except for training scenes held out for validation.

    Args:
        train: Official training scenes.
        test: Official test scenes.
        val: Training scenes that are held out; ``("none",)`` for none.
        example: Value of ``--val`` for messages.

    Returns:
        Split of each scene.

    Raises:
        InvalidValueError: If `val` names another scene, or leaves no scene to train on.
    """
    held_out = [] if tuple(val) == ("none",) else list(val)
    for scene in held_out:
        if scene not in train:
            fault = f"must name training scenes, got {scene}"
            raise InvalidValueError("--val", fault, f"name some of {', '.join(train)}, or none")
    if not set(train) - set(held_out):
        fault = "must leave a scene to train on"
        raise InvalidValueError("--val", fault, f"name fewer scenes, such as {example}")
    return {
        **{scene: "val" if scene in held_out else "train" for scene in train},
        **dict.fromkeys(test, "test"),
    }


def find_first(raw: RawFolder, names: Iterable[str]) -> RawFile | None:
    """Return the file under the first of several names that exists, or None."""
    return next((found for name in names if (found := raw.find(name)) is not None), None)


def require(found: RawFile | None, raw: RawFolder, name: str, source: str) -> RawFile:
    """Return a file that was looked for.

    Args:
        found: The file, or None if there is none.
        raw: Folder that was searched.
        name: Name of the file in the message.
        source: Archive that contains it, for the message.

    Raises:
        MissingFileError: If there is none.
    """
    if found is None:
        raise MissingFileError(raw.folder / name, "is missing", f"put {source} into {raw.folder}")
    return found


def target_files(split: str, name: str, roles: Iterable[str]) -> list[str]:
    """List the files of a scene relative to its domain's folder.

    The image comes last: a data set lists the images, so that one without labels would count as a
    scene before it is complete.
    """
    layers = [layer for layer in ("landcover", "height") if layer in roles]
    return [f"{split}/{layer}/{name}.tif" for layer in [*layers, "image"]]


@dataclass(frozen=True)
class HeightSource:
    """Raster of a scene's heights.

    Attributes:
        raster: The raster.
        scale: Metres per unit.
        remark: Remark for the summary; empty if there is none.
    """

    raster: RawRaster
    scale: float
    remark: str = ""

    def read(self, rows: Span, columns: Span) -> tuple[Any, BoolArray]:
        """Read a window.

        Returns:
            Heights in metres, float32 [1, H, W], and known pixels, bool [H, W].
        """
        values, known = self.raster.read(rows, columns)
        if self.raster.dtype == np.uint8:
            known &= values[0] != SATURATED_HEIGHT
        else:
            known &= np.isfinite(values[0])
            if self.raster.nodata is not None:
                known &= values[0] != self.raster.nodata
        return np.where(known, values, 0).astype(np.float32) * np.float32(self.scale), known


@dataclass(frozen=True)
class SceneSources:
    """Opened raw rasters of one scene.

    Attributes:
        name: Base name of the scene.
        split: Split of the scene.
        image: Orthophoto, whose bands are NIR, red and green.
        grid: Pixel grid of the orthophoto.
        label: Label image, if there is one.
        eroded: Whether black means unknown in the label image.
        heights: Heights, if there are any.
        tags: Tags of the files that are written.
    """

    name: str
    split: str
    image: RawRaster
    grid: PixelGrid
    label: RawRaster | None
    eroded: bool
    heights: HeightSource | None
    tags: Mapping[str, str]

    def write(self, folder: Path, grid: PixelGrid) -> None:
        """Write the files of the scene that do not exist yet.

        Args:
            folder: Folder of the domain.
            grid: Grid to write on, of the orthophoto's extent.

        Raises:
            InputError: If the rasters differ in size or do not hold what they should.
        """
        height, width = self.grid.height, self.grid.width
        label, heights = self.label, self.heights
        if label is not None and not (target := self._target(folder, "landcover")).exists():
            label.check_size(height, width, self.image.name)
            self._write_landcover(target, label, grid)
        if heights is not None and not (target := self._target(folder, "height")).exists():
            heights.raster.check_size(height, width, self.image.name)
            layers = value_layers(heights.raster.name, self.grid, 1, heights.read)
            write_height(target, layers, grid, self._tags_with(heights.remark))
        if not (target := self._target(folder, "image")).exists():
            layers = value_layers(self.image.name, self.grid, len(BANDS), self.image.read)
            write_image(target, layers, grid, self.image.dtype, BANDS, False, self.tags)

    def _write_landcover(self, target: Path, label: RawRaster, grid: PixelGrid) -> None:
        code = ColourCode(ISPRS.colors, [BLACK] if self.eroded else [])
        hint = "" if self.eroded else " (black is used only with --labels eroded)"
        unmatched = code.check(label, f"download the official label images again{hint}")

        def read(rows: Span, columns: Span) -> UInt8Array:
            image, inside = label.read(rows, columns)
            return np.where(inside, code.decode(image), np.uint8(UNKNOWN_CLASS))

        write_landcover(
            target,
            class_layers(label.name, self.grid, len(ISPRS.names), read),
            grid,
            ISPRS.names,
            ISPRS.colors,
            self._tags_with(unmatched_remark(unmatched)),
        )

    def _target(self, folder: Path, layer: str) -> Path:
        return folder / self.split / layer / f"{self.name}.tif"

    def _tags_with(self, remark: str) -> dict[str, str]:
        return {**self.tags, **({REMARK: remark} if remark else {})}


def open_role(
    stack: ExitStack,
    paths: Mapping[str, Path],
    files: Mapping[str, RawFile],
    role: str,
    bands: Sequence[int] | None = None,
) -> RawRaster | None:
    """Open the raster of a role, if the scene has one, until the stack is closed."""
    if role not in paths:
        return None
    return stack.enter_context(RawRaster(paths[role], files[role].path, bands))
