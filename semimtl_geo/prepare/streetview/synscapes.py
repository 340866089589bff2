"""Synscapes: rendered street views with classes and depth; the classes are those of Cityscapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from semimtl_geo.class_schemes import to_train_ids
from semimtl_geo.prepare.adapter import Item
from semimtl_geo.prepare.archive import RawFile, RawFolder
from semimtl_geo.prepare.streetview.common import (
    SIZE,
    check_complete,
    describe_frames,
    downloaded_names,
    target_files,
    write_frame,
)
from semimtl_geo.streetview.files import read_classes, read_image
from tiles.errors import InputError, input_errors
from tiles.types import Float32Array, ProgressCallback

FRAMES: Final[Mapping[str, int]] = {"train": 20_000, "val": 1_000, "test": 4_000}
"""The paper's split of the frames by number, as there is no official one (section 4.1)."""

INFINITE_DEPTH: Final = 1000.0
"""Depth in metres above which a pixel counts as infinitely far, as the sky does."""

ENDINGS: Final = {"rgb": "png", "class": "png", "depth": "exr"}
"""Folders in ``img``, and the suffixes of their files."""


@dataclass(frozen=True)
class Synscapes:
    """Adapter of Synscapes.

    Attributes:
        frames: Number of frames of each split; frames are assigned in the order of their numbers.
        size: Rows and columns of the frames that are written.

    Example:
        >>> Synscapes().settings["frames"]
        {'train': 20000, 'val': 1000, 'test': 4000}
    """

    frames: Mapping[str, int] = field(default_factory=lambda: dict(FRAMES))
    size: tuple[int, int] = SIZE

    @property
    def settings(self) -> Mapping[str, Any]:
        """All fields."""
        return asdict(self)

    def plan(self, raw: RawFolder) -> list[Item]:
        """List the frames.

        Raises:
            InputError: If a file is missing.
        """
        remedy = f"put all of Synscapes into {raw.folder}"
        found = {kind: _files(raw, kind) for kind in ENDINGS}
        numbers = {number for files in found.values() for number in files}
        check_complete(
            found,
            numbers,
            lambda kind, number: raw.folder / f"img/{kind}/{number}.{ENDINGS[kind]}",
            lambda kind: remedy,
        )
        if len(numbers) != (expected := sum(self.frames.values())):
            fault = f"must have {expected} frames, has {len(numbers)}"
            raise InputError(raw.folder / "img/rgb", fault, remedy)
        splits = [split for split, count in self.frames.items() for _ in range(count)]
        items = []
        for split, number in zip(splits, sorted(numbers), strict=True):
            files = {kind: found[kind][number] for kind in found}
            name = f"{number:05}"
            items.append(Item("synscapes", split, name, files, target_files(split, name)))
        return items

    def make(self, item: Item, files: Mapping[str, Path], folder: Path) -> None:
        """Write one frame.

        Raises:
            InputError: If a file cannot be used.
        """
        with downloaded_names(item, files):
            segmentation = to_train_ids(read_classes(files["class"]))
            depth = inverse_depth(read_depth(files["depth"]))
            image = read_image(files["rgb"])
        write_frame(item, folder, self.size, image, segmentation, depth)

    def summary(self, folder: Path, progress: ProgressCallback) -> str:
        """Describe a domain in Markdown."""
        return describe_frames(folder, progress)


def inverse_depth(metres: Float32Array) -> Float32Array:
    """Compute inverse depth.

    Args:
        metres: Depth in metres, float32 [H, W].

    Returns:
        Inverse depth in 1/m, float32 [H, W]; 0 above :data:`INFINITE_DEPTH`, and NaN where depth is
        not positive.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(metres > 0, 1 / metres, np.nan)
    return np.where(metres > INFINITE_DEPTH, 0, inverse).astype(np.float32)


def _files(raw: RawFolder, kind: str) -> dict[int, RawFile]:
    """Return the files of one kind by number."""
    found: dict[int, RawFile] = {}
    for file, match in raw.match(rf"img/{kind}/(\d+)[.]{ENDINGS[kind]}"):
        found.setdefault(int(match[1]), file)
    return found


def read_depth(path: Path) -> Float32Array:
    """Read the channel Z of an OpenEXR file.

    Returns:
        Depth in metres, float32 [H, W].

    Raises:
        InputError: If the file cannot be read or has no such channel, or OpenEXR is not installed.
    """
    try:
        import OpenEXR  # type: ignore[import-not-found]  # optional, without type hints
    except ImportError as error:
        remedy = "pip install 'semimtl-geo[streetview]'"
        raise InputError(path, "needs the package OpenEXR", remedy) from error
    remedy = "replace the file"
    with (
        input_errors(path, "cannot be read", remedy, RuntimeError, ValueError),
        OpenEXR.File(str(path), separate_channels=True) as file,
    ):
        channels = file.channels()
        if "Z" not in channels:
            fault = f"has no channel Z, only {', '.join(sorted(channels)) or 'none at all'}"
            raise InputError(path, fault, remedy)
        return np.array(channels["Z"].pixels, np.float32)
