"""Synscapes: rendered street views with classes and depth; the classes are those of Cityscapes."""

from __future__ import annotations

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
    SIZE,
    as_downloaded,
    check_whole,
    summarise,
    targets,
    write_frame,
)
from semimtl_geo.streetview.files import read_classes, read_image
from tiles.errors import InputError
from tiles.types import ProgressCallback

FRAMES: Final[Mapping[str, int]] = {"train": 20_000, "val": 1_000, "test": 4_000}
"""The paper's split of the frames by number, for there is no official one (section 4.1)."""

FAR: Final = 1000.0
"""Metres; what is farther is infinitely far, as the sky."""

ENDINGS: Final = {"rgb": "png", "class": "png", "depth": "exr"}
"""The folders in ``img``, and how the names of their files end."""


@dataclass(frozen=True)
class Synscapes:
    """The adapter.

    Attributes:
        frames: How many frames each split has, in the order of their numbers.
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
            InputError: A file is missing.
        """
        remedy = f"put the whole of Synscapes into {raw.folder}"
        found = {kind: _files(raw, kind) for kind in ENDINGS}
        every = {number for files in found.values() for number in files}
        check_whole(
            found,
            every,
            lambda kind, number: raw.folder / f"img/{kind}/{number}.{ENDINGS[kind]}",
            lambda kind: remedy,
        )
        if len(every) != sum(self.frames.values()):
            fault = f"has {len(every)} frames, not {sum(self.frames.values())}"
            raise InputError(raw.folder / "img/rgb", fault, remedy)
        splits = [split for split, count in self.frames.items() for _ in range(count)]
        items = []
        for split, number in zip(splits, sorted(every), strict=True):
            files = {kind: found[kind][number] for kind in found}
            name = f"{number:05}"
            items.append(Item("synscapes", split, name, files, targets(split, name)))
        return items

    def make(self, item: Item, files: Mapping[str, Path], folder: Path) -> None:
        """Make one frame.

        Raises:
            InputError: A file cannot be used.
        """
        with as_downloaded(item, files):
            segmentation = to_train_ids(read_classes(files["class"]))
            depth = inverse_depth(read_z(files["depth"]))
            image = read_image(files["rgb"])
        write_frame(item, folder, self.size, image, segmentation, depth)

    def summary(self, folder: Path, progress: ProgressCallback) -> str:
        """Describe a domain."""
        return summarise(folder, progress)


def inverse_depth(metres: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inverse depth, 0 from :data:`FAR` on; NaN where there is no positive depth.

    Args:
        metres: Depth ``[H, W]``.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        near = np.where(metres > 0, 1 / metres, np.nan)
    return np.where(metres > FAR, 0, near).astype(np.float32)


def _files(raw: Raw, kind: str) -> dict[int, Member]:
    """The files of one kind by number; img/rgb-2k/, which some copies have, is another folder."""
    found: dict[int, Member] = {}
    for member, match in raw.match(rf"img/{kind}/(\d+)[.]{ENDINGS[kind]}"):
        found.setdefault(int(match[1]), member)
    return found


def read_z(path: Path) -> NDArray[np.float32]:
    """The channel Z of an OpenEXR file, ``[H, W]``.

    Raises:
        InputError: If it cannot be read or has none.
    """
    import OpenEXR  # type: ignore[import-not-found]  # it has no types; only who has such files needs the library

    try:
        with OpenEXR.File(str(path), separate_channels=True) as file:
            channels = file.channels()
            if "Z" not in channels:
                fault = f"has no channel Z ({', '.join(sorted(channels)) or 'none at all'})"
                raise InputError(path, fault, "replace the file")
            return np.array(channels["Z"].pixels, np.float32)
    # The library's own: of files that are none, and of files cut short.
    except (RuntimeError, ValueError, OSError) as error:
        raise InputError(path, f"cannot be read ({error})", "replace the file") from error
