"""Cityscapes: street views of 50 cities with classes, and with depth from stereo.

There are two domains (section 4.1): ``cityscapes`` has the splits train and val with both labels;
``cityscapes_extra`` has the split train_extra, if it was downloaded, with depth alone, as the
classes of that split are coarse.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from semimtl_geo.class_schemes import to_train_ids
from semimtl_geo.prepare.adapter import Item
from semimtl_geo.prepare.archive import RawFile, RawFolder
from semimtl_geo.prepare.streetview.common import (
    LABELS,
    SIZE,
    check_complete,
    describe_frames,
    downloaded_names,
    target_files,
    write_frame,
)
from semimtl_geo.streetview.files import read_classes, read_image, read_uint16
from tiles.errors import InputError, input_errors
from tiles.types import Float32Array, ProgressCallback

EXTRA: Final = "train_extra"

BROKEN: Final = "troisdorf/troisdorf_000000_000073"
"""Frame of the official train_extra whose image cannot be used, and which has no disparity."""

FRAMES: Final[Mapping[str, int]] = {"train": 2975, "val": 500}
"""Number of frames of the splits that must be complete."""

ENDINGS: Final = {
    "leftImg8bit": "leftImg8bit.png",
    "gtFine": "gtFine_labelIds.png",
    "disparity": "disparity.png",
    "camera": "camera.json",
}
"""Folders of the archive, and what file names in them end with after the frame's name."""


@dataclass(frozen=True)
class Cityscapes:
    """Adapter of Cityscapes.

    Attributes:
        frames: Number of frames of each split.
        size: Rows and columns of the frames that are written.

    Example:
        >>> Cityscapes().settings["size"]
        (512, 1024)
    """

    frames: Mapping[str, int] = field(default_factory=lambda: dict(FRAMES))
    size: tuple[int, int] = SIZE

    @property
    def settings(self) -> Mapping[str, Any]:
        """All fields."""
        return asdict(self)

    def plan(self, raw: RawFolder) -> list[Item]:
        """List the frames, without the one of train_extra that is broken.

        Raises:
            InputError: If a file is missing or a split is incomplete.
        """
        items = []
        for split in (*self.frames, EXTRA):
            found = {kind: _files(raw, kind, split) for kind in ENDINGS}
            if split == EXTRA:
                del found["gtFine"]
                for files in found.values():
                    files.pop(BROKEN, None)
            _check(raw, split, found, self.frames.get(split))
            domain, target_split, labels = "cityscapes", split, LABELS
            if split == EXTRA:
                domain, target_split = "cityscapes_extra", "train"
                labels = {"depth": LABELS["depth"]}
            for frame in sorted(found["leftImg8bit"]):
                name = frame.partition("/")[2]
                raw_files = {kind: found[kind][frame] for kind in found}
                targets = target_files(target_split, name, labels)
                items.append(Item(domain, target_split, name, raw_files, targets))
        return items

    def make(self, item: Item, files: Mapping[str, Path], folder: Path) -> None:
        """Write one frame.

        Raises:
            InputError: If a file cannot be used.
        """
        segmentation = None
        with downloaded_names(item, files):
            if "gtFine" in files:
                segmentation = to_train_ids(read_classes(files["gtFine"]))
            # Disparities are in pixels of the full size, so they become 1/m before resizing.
            depth = inverse_depth(read_uint16(files["disparity"]), read_camera(files["camera"]))
            image = read_image(files["leftImg8bit"])
        write_frame(item, folder, self.size, image, segmentation, depth)

    def summary(self, folder: Path, progress: ProgressCallback) -> str:
        """Describe a domain in Markdown."""
        text = describe_frames(folder, progress)
        if folder.name == "cityscapes_extra":
            name = BROKEN.partition("/")[2]
            text += f"\nLeft out: {name}, whose image is broken in the official archive.\n"
        return text


def inverse_depth(disparity: NDArray[np.uint16], camera: float) -> Float32Array:
    """Compute inverse depth from the values of a disparity file.

    Args:
        disparity: Values p, uint16 [H, W]. 0 is unknown, other values are a disparity of
            (p - 1) / 256 px. A disparity of 0 px is unknown, too: stereo that finds no shift has
            found no match.
        camera: Baseline times focal length, in m px.

    Returns:
        Inverse depth in 1/m, float32 [H, W], NaN where unknown.
    """
    pixels = (disparity.astype(np.float64) - 1) / 256
    return np.where(disparity > 1, pixels / camera, np.nan).astype(np.float32)


def read_camera(path: Path) -> float:
    """Read a camera's baseline times focal length, in m px.

    Raises:
        InputError: If the file does not hold both.
    """
    fault, remedy = "must hold extrinsic.baseline and intrinsic.fx", "replace the file"
    with input_errors(path, fault, remedy, ValueError, KeyError, TypeError):
        camera = json.loads(path.read_text(encoding="utf-8"))
        product = float(camera["extrinsic"]["baseline"]) * float(camera["intrinsic"]["fx"])
    if not (math.isfinite(product) and product > 0):
        raise InputError(path, f"baseline times fx must be > 0, got {product}", remedy)
    return product


def _files(raw: RawFolder, kind: str, split: str) -> dict[str, RawFile]:
    """Return the files of one kind by city and frame: ``ulm/ulm_000000_000019``."""
    pattern = rf"{kind}/{split}/([^/]+/[^/]+)_{ENDINGS[kind].replace('.', '[.]')}"
    found: dict[str, RawFile] = {}
    for file, match in raw.match(pattern):
        found.setdefault(match[1], file)
    return found


def _check(
    raw: RawFolder, split: str, found: Mapping[str, Mapping[str, RawFile]], frames: int | None
) -> None:
    """Check that a split is complete.

    Args:
        raw: Folder that was searched.
        split: Name of the split.
        found: Files by kind and frame.
        frames: Number of frames it must have; None for the split that may be left out.

    Raises:
        InputError: If it is incomplete.
    """
    names = set(found["leftImg8bit"])
    # The optional split may come with labels of frames whose images were not downloaded.
    if frames is not None or not names:
        names = names.union(*found.values())
    check_complete(
        found,
        names,
        lambda kind, frame: raw.folder / kind / split / f"{frame}_{ENDINGS[kind]}",
        lambda kind: f"put all of {kind}_{_package(split)}.zip into {raw.folder}",
    )
    if frames is not None and len(names) != frames:
        fault = f"must have {frames} frames, has {len(names)}"
        remedy = f"put all of leftImg8bit_{_package(split)}.zip and the others there"
        raise InputError(raw.folder / "leftImg8bit" / split, fault, remedy)


def _package(split: str) -> str:
    """Return the part of an archive's name that stands for a split."""
    return "trainextra" if split == EXTRA else "trainvaltest"
