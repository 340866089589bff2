"""What the adapters of street views share: one size for all frames, and the summary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from semimtl_geo.class_schemes import CITYSCAPES
from semimtl_geo.prepare.adapter import SPLITS, Item
from semimtl_geo.prepare.archive import Member
from semimtl_geo.streetview.files import (
    frame_files,
    label_file,
    read_classes,
    read_values,
    write_png,
    write_values,
)
from tiles.datasets.scenes import LabelKind
from tiles.errors import InputError
from tiles.reading.resample import make_taps, resample
from tiles.types import UNKNOWN_CLASS, ProgressCallback

SIZE: Final = (512, 1024)
"""Rows and columns of every frame (section 4.1)."""

LABELS: Final[dict[str, LabelKind]] = {"segmentation": "classes", "depth": "values"}

LOOKED_AT: Final = 500
"""Frames of a split that the summary is made from: shares and quantiles need no more."""

EVERY: Final = 8
"""Rows and columns of a frame that enter the quantiles."""

Key = TypeVar("Key", int, str)


def targets(split: str, name: str, labels: Mapping[str, LabelKind] = LABELS) -> list[str]:
    """The files of a frame, relative to its domain's folder; the image is the first."""
    image = Path(split, "image", f"{name}.png")
    files = [label_file(Path(split), task, image, kind) for task, kind in labels.items()]
    return [file.as_posix() for file in (image, *files)]


def check_whole(
    found: Mapping[str, Mapping[Key, Member]],
    every: Set[Key],
    place: Callable[[str, Key], Path],
    remedy: Callable[[str], str],
) -> None:
    """Check that frames have all their files.

    Args:
        found: Files by kind and frame.
        every: The frames.
        place: Where a frame's file of a kind should be.
        remedy: What to do if there are none of a kind, or too few.

    Raises:
        InputError: One is missing; the first is named.
    """
    for kind, files in found.items():
        if missing := sorted(every - files.keys()):
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise InputError(place(kind, missing[0]), f"no such file{more}", remedy(kind))


@contextmanager
def as_downloaded(item: Item, files: Mapping[str, Path]) -> Iterator[None]:
    """Name files at fault as they were downloaded, not as they were unzipped.

    Args:
        item: The frame.
        files: Its files, unzipped, by role.
    """
    try:
        yield
    except InputError as error:
        for role, path in files.items():
            if error.source == str(path):
                member = item.files[role]
                name = member.file if member.inside is None else member.file / member.inside
                raise InputError(name, error.fault, error.remedy) from error
        raise


def write_frame(
    item: Item,
    folder: Path,
    size: tuple[int, int],
    image: NDArray[np.uint8],
    segmentation: NDArray[np.uint8] | None,
    depth: NDArray[np.float32],
) -> None:
    """Bring a frame to its size and write it.

    Image and inverse depth are averaged over the area of the new pixel, the latter over its known
    pixels alone; of classes the pixel nearest to its centre is taken. The image comes last: a frame
    whose image is there is whole.

    Args:
        item: The frame; its targets are those of :func:`targets`.
        folder: The domain's folder.
        size: Rows and columns wanted.
        image: uint8 ``[H, W, 3]``.
        segmentation: TrainIds ``[H, W]``; None if the domain has none.
        depth: Inverse depth in 1/m ``[H, W]``, NaN where unknown.
    """
    picture, *labels = (folder / target for target in item.targets)
    if segmentation is not None:
        write_png(labels.pop(0), nearest(segmentation, size))
    write_values(labels.pop(0), average(depth[None], size)[0])
    pixels = average(np.moveaxis(image, -1, 0).astype(np.float32), size)
    write_png(picture, np.moveaxis(np.rint(pixels), 0, -1).astype(np.uint8))


def average(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Average over areas; where frames are smaller than wanted, interpolate.

    Args:
        values: float32 ``[K, H, W]``; NaN (in all of K) where unknown.
        size: Rows and columns wanted.

    Returns:
        float32 ``[K, rows, columns]``; NaN where nothing is known.
    """
    taps = [make_taps(old, new) for old, new in zip(values.shape[1:], size, strict=True)]
    known = torch.from_numpy(~np.isnan(values[0]))
    made, found = resample(torch.from_numpy(np.ascontiguousarray(values)), known, *taps)
    return torch.where(found, made, torch.nan).numpy()


def nearest(classes: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Take the pixel that holds the new pixel's centre; on a border the one right and below.

    Args:
        classes: uint8 ``[H, W]``.
        size: Rows and columns wanted.

    Returns:
        uint8 ``[rows, columns]``.
    """
    rows, columns = (
        (2 * np.arange(new) + 1) * old // (2 * new)
        for old, new in zip(classes.shape, size, strict=True)
    )
    return classes[np.ix_(rows, columns)]


def summarise(folder: Path, progress: ProgressCallback) -> str:
    """Describe a domain of street views in Markdown.

    Args:
        folder: The domain's folder.
        progress: To be called with files read, and files in all.
    """
    splits = {split: frame_files(folder / split / "image") for split in SPLITS}
    some = {
        split: images[:: -(-len(images) // LOOKED_AT)] for split, images in splits.items() if images
    }
    total, done = sum(map(len, some.values())), 0
    lines = [f"# {folder.name}", ""]
    for split, images in some.items():
        counts = np.zeros(256, np.int64)
        depths, unknown = [], 0.0
        for image in images:
            path = label_file(folder / split, "segmentation", image, "classes")
            if path.is_file():
                counts += np.bincount(read_classes(path).ravel(), minlength=256)
            values = read_values(label_file(folder / split, "depth", image, "values"))
            unknown += float(np.isnan(values).mean()) / len(images)
            part = values[::EVERY, ::EVERY]
            depths.append(part[~np.isnan(part)])
            done += 1
            progress(done, total)
        lines += [
            f"## {split}: {len(splits[split])} frames of {' x '.join(map(str, values.shape))} px"
        ]
        lines += ["", f"From {len(images)} of them, evenly spread:", ""]
        if counts.any():
            lines += ["| class | share of pixels |", "| --- | ---: |"]
            shares = 100 * counts / counts.sum()
            named = (*enumerate(CITYSCAPES.names), (UNKNOWN_CLASS, "unknown"))
            lines += [f"| {name} | {shares[value]:.2f} % |" for value, name in named] + [""]
        known = np.concatenate(depths)
        lines += ["| inverse depth | 1/m |", "| --- | ---: |"]
        if known.size:
            lines += [
                f"| {100 * share:.0f} % below | {np.quantile(known, share):.4f} |"
                for share in (0.05, 0.25, 0.5, 0.75, 0.95)
            ]
            lines.append(f"| infinitely far | {100 * (known == 0).mean():.2f} % of known pixels |")
        lines += [f"| unknown | {100 * unknown:.2f} % of pixels |", ""]
    return "\n".join(lines)
