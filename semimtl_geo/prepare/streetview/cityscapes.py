"""Cityscapes: street views of 50 cities with classes, and with depth from stereo.

It gives two domains (section 4.1): ``cityscapes`` from its splits train and val, with both labels;
and ``cityscapes_extra`` from its split train_extra, if that is there, with depth alone, for the
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
from semimtl_geo.prepare.archive import Member, Raw
from semimtl_geo.prepare.streetview.common import (
    LABELS,
    SIZE,
    as_downloaded,
    check_whole,
    summarise,
    targets,
    write_frame,
)
from semimtl_geo.streetview.files import read_classes, read_image, read_shorts
from tiles.errors import InputError
from tiles.types import ProgressCallback

EXTRA: Final = "train_extra"

FRAMES: Final[Mapping[str, int]] = {"train": 2975, "val": 500}
"""Frames of the splits that must be whole."""

ENDINGS: Final = {
    "leftImg8bit": "leftImg8bit.png",
    "gtFine": "gtFine_labelIds.png",
    "disparity": "disparity.png",
    "camera": "camera.json",
}
"""The archive's folders, and how the names of their files end after the frame's name."""


@dataclass(frozen=True)
class Cityscapes:
    """The adapter.

    Attributes:
        frames: How many frames each split has.
        size: Rows and columns of what is made.
    """

    frames: Mapping[str, int] = field(default_factory=lambda: dict(FRAMES))
    size: tuple[int, int] = SIZE

    @property
    def settings(self) -> Mapping[str, Any]:
        """What its files depend on."""
        return asdict(self)

    def plan(self, raw: Raw) -> list[Item]:
        """List the frames.

        Raises:
            InputError: A file is missing, or a split is not whole.
        """
        items = []
        for split in (*self.frames, EXTRA):
            found = {kind: _files(raw, kind, split) for kind in ENDINGS}
            if split == EXTRA:
                del found["gtFine"]
            _check(raw, split, found, self.frames.get(split))
            extra = split == EXTRA
            labels = {"depth": LABELS["depth"]} if extra else LABELS
            for place, image in sorted(found["leftImg8bit"].items()):
                name = place.partition("/")[2]
                items.append(
                    Item(
                        domain="cityscapes_extra" if extra else "cityscapes",
                        split="train" if extra else split,
                        name=name,
                        files={"leftImg8bit": image} | {kind: found[kind][place] for kind in found},
                        targets=targets("train" if extra else split, name, labels),
                    )
                )
        return items

    def make(self, item: Item, files: Mapping[str, Path], folder: Path) -> None:
        """Make one frame.

        Raises:
            InputError: A file cannot be used.
        """
        segmentation = None
        with as_downloaded(item, files):
            if "gtFine" in files:
                segmentation = to_train_ids(read_classes(files["gtFine"]))
            # Disparities are in pixels of the full size: they become 1/m before they are resized.
            depth = inverse_depth(read_shorts(files["disparity"]), read_camera(files["camera"]))
            image = read_image(files["leftImg8bit"])
        write_frame(item, folder, self.size, image, segmentation, depth)

    def summary(self, folder: Path, progress: ProgressCallback) -> str:
        """Describe a domain."""
        return summarise(folder, progress)


def inverse_depth(disparity: NDArray[np.uint16], camera: float) -> NDArray[np.float32]:
    """Inverse depth from a disparity file.

    Args:
        disparity: Its values p ``[H, W]``. 0 is unknown; else the disparity is (p - 1) / 256 px, of
            which 0 is no match at infinity but none at all: unknown too.
        camera: Baseline times focal length, in m px.

    Returns:
        1/m ``[H, W]``, NaN where unknown.
    """
    pixels = (disparity.astype(np.float64) - 1) / 256
    return np.where(disparity > 1, pixels / camera, np.nan).astype(np.float32)


def read_camera(path: Path) -> float:
    """Baseline times focal length of a frame's camera, in m px.

    Raises:
        InputError: If the file does not say.
    """
    try:
        camera = json.loads(path.read_text(encoding="utf-8"))
        product = float(camera["extrinsic"]["baseline"]) * float(camera["intrinsic"]["fx"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        fault = f"has no extrinsic.baseline and intrinsic.fx ({type(error).__name__}: {error})"
        raise InputError(path, fault, "replace the file") from error
    if not (math.isfinite(product) and product > 0):
        fault = f"baseline times fx is {product}"
        raise InputError(path, fault, "replace the file")
    return product


def _files(raw: Raw, kind: str, split: str) -> dict[str, Member]:
    """The files of one kind by city and name of their frame: ``ulm/ulm_000000_000019``."""
    pattern = rf"{kind}/{split}/([^/]+/[^/]+)_{ENDINGS[kind].replace('.', '[.]')}"
    found: dict[str, Member] = {}
    for member, match in raw.match(pattern):
        found.setdefault(match[1], member)
    return found


def _check(
    raw: Raw, split: str, found: Mapping[str, Mapping[str, Member]], frames: int | None
) -> None:
    every = set(found["leftImg8bit"])
    # Of the split that may be left out, files beside the images are of no account.
    if frames is not None or not every:
        every = every.union(*found.values())
    check_whole(
        found,
        every,
        lambda kind, frame: raw.folder / kind / split / f"{frame}_{ENDINGS[kind]}",
        lambda kind: f"put the whole of {kind}_{_package(split)}.zip into {raw.folder}",
    )
    if frames is not None and len(every) != frames:
        fault = f"has {len(every)} frames, not {frames}"
        remedy = f"put the whole of leftImg8bit_{_package(split)}.zip and the others there"
        raise InputError(raw.folder / "leftImg8bit" / split, fault, remedy)


def _package(split: str) -> str:
    return "trainextra" if split == EXTRA else "trainvaltest"
