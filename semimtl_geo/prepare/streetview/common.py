"""Parts shared by street-view archives: checks, resizing and writing of frames, and the summary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from semimtl_geo.class_schemes import CITYSCAPES
from semimtl_geo.prepare.adapter import SPLITS, Item
from semimtl_geo.prepare.archive import RawFile
from semimtl_geo.streetview.files import (
    frame_files,
    label_file,
    read_classes,
    read_values,
    write_png,
    write_values,
)
from tiles.errors import InputError, MissingFileError
from tiles.reading.resampling import resample, resampling_weights
from tiles.types import UNKNOWN_CLASS, Float32Array, LabelKind, ProgressCallback, UInt8Array

SIZE: Final = (512, 1024)
"""Rows and columns of every frame (section 4.1)."""

LABELS: Final[dict[str, LabelKind]] = {"segmentation": "classes", "depth": "values"}

SAMPLED_FRAMES: Final = 500
"""Frames of a split that the summary reads: its shares and quantiles need no more."""

PIXEL_STRIDE: Final = 8
"""Step between the rows and columns whose pixels enter the quantiles."""

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)

Key = TypeVar("Key", int, str)


def target_files(split: str, name: str, labels: Mapping[str, LabelKind] = LABELS) -> list[str]:
    """List the files of a frame relative to its domain's folder, the image first.

    Args:
        split: Split of the frame.
        name: Name of the frame.
        labels: Tasks that the frame has labels of, and their kinds.
    """
    image = Path(split, "image", f"{name}.png")
    files = [label_file(Path(split), task, image, kind) for task, kind in labels.items()]
    return [file.as_posix() for file in (image, *files)]


def check_complete(
    found: Mapping[str, Mapping[Key, RawFile]],
    frames: Set[Key],
    expected_path: Callable[[str, Key], Path],
    remedy: Callable[[str], str],
) -> None:
    """Check that all frames have files of all kinds.

    Args:
        found: Files by kind and frame.
        frames: The frames.
        expected_path: Function from kind and frame to where the file should be.
        remedy: Function from kind to what the user can do if files of it are missing.

    Raises:
        MissingFileError: If files are missing; the first is named.
    """
    for kind, files in found.items():
        if missing := sorted(frames - files.keys()):
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            path = expected_path(kind, missing[0])
            raise MissingFileError(path, f"does not exist{more}", remedy(kind))


@contextmanager
def downloaded_names(item: Item, paths: Mapping[str, Path]) -> Iterator[None]:
    """Name files in errors as they were downloaded, not as they were unzipped.

    Args:
        item: The frame.
        paths: Paths of its unzipped files, by role.
    """
    try:
        yield
    except InputError as error:
        for role, path in paths.items():
            if error.source == str(path):
                file = item.files[role]
                name = file.file if file.member is None else file.file / file.member
                raise type(error)(name, error.fault, error.remedy) from error
        raise


def write_frame(
    item: Item,
    folder: Path,
    size: tuple[int, int],
    image: UInt8Array,
    segmentation: UInt8Array | None,
    depth: Float32Array,
) -> None:
    """Resize a frame and write it.

    Image and inverse depth are averaged over the area of each new pixel, inverse depth over its
    known pixels alone; classes are those of the nearest pixel. The image is written last, so that a
    frame with an image is complete.

    Args:
        item: The frame, whose targets are those of :func:`target_files`.
        folder: Folder of the domain.
        size: Rows and columns to write.
        image: uint8 [H, W, 3].
        segmentation: TrainIds, uint8 [H, W]; None if the domain has none.
        depth: Inverse depth in 1/m, float32 [H, W], NaN where unknown.
    """
    image_target, *label_targets = (folder / target for target in item.targets)
    if segmentation is not None:
        write_png(label_targets.pop(0), nearest(segmentation, size))
    write_values(label_targets.pop(0), area_average(depth[None], size)[0])
    pixels = area_average(np.moveaxis(image, -1, 0).astype(np.float32), size)
    write_png(image_target, np.moveaxis(np.rint(pixels), 0, -1).astype(np.uint8))


def area_average(values: Float32Array, size: tuple[int, int]) -> Float32Array:
    """Resize by averages over areas, or by interpolation where the new size is larger.

    Args:
        values: float32 [K, H, W]; NaN, in all K layers, where unknown.
        size: Rows and columns of the result.

    Returns:
        float32 [K, rows, columns]; NaN where nothing is known.
    """
    weights = [
        resampling_weights(old, new) for old, new in zip(values.shape[1:], size, strict=True)
    ]
    known = torch.from_numpy(~np.isnan(values[0]))
    resized, known = resample(torch.from_numpy(np.ascontiguousarray(values)), known, *weights)
    return torch.where(known, resized, torch.nan).numpy()


def nearest(classes: UInt8Array, size: tuple[int, int]) -> UInt8Array:
    """Resize by the pixels that contain the centres of the new ones.

    Args:
        classes: uint8 [H, W].
        size: Rows and columns of the result.

    Returns:
        uint8 [rows, columns]. A centre on a border belongs to the pixel on the right and below.
    """
    rows, columns = (
        (2 * np.arange(new) + 1) * old // (2 * new)
        for old, new in zip(classes.shape, size, strict=True)
    )
    return classes[np.ix_(rows, columns)]


def describe_frames(folder: Path, progress: ProgressCallback) -> str:
    """Describe the street views of a domain.

    Args:
        folder: Folder of the domain.
        progress: Called with the number of frames read, and of frames to read.

    Returns:
        Markdown: frames per split, shares of classes, quantiles of inverse depth.
    """
    splits = {split: frame_files(folder / split / "image") for split in SPLITS}
    sampled = {
        split: images[:: -(-len(images) // SAMPLED_FRAMES)]
        for split, images in splits.items()
        if images
    }
    total, done = sum(map(len, sampled.values())), 0
    lines = [f"# {folder.name}", ""]
    for split, images in sampled.items():
        counts = np.zeros(256, np.int64)
        depths, unknown = [], 0.0
        for image in images:
            classes = label_file(folder / split, "segmentation", image, "classes")
            if classes.is_file():
                counts += np.bincount(read_classes(classes).ravel(), minlength=256)
            values = read_values(label_file(folder / split, "depth", image, "values"))
            unknown += float(np.isnan(values).mean()) / len(images)
            some = values[::PIXEL_STRIDE, ::PIXEL_STRIDE]
            depths.append(some[~np.isnan(some)])
            done += 1
            progress(done, total)
        size = " x ".join(map(str, values.shape))
        lines += [f"## {split}: {len(splits[split])} frames of {size} px", ""]
        lines += [f"From {len(images)} of them, evenly spread:", ""]
        lines += _class_table(counts) + _depth_table(depths, unknown)
    return "\n".join(lines)


def _class_table(counts: NDArray[np.int64]) -> list[str]:
    """Return the lines of the table of classes; none if there are no classes."""
    if not counts.any():
        return []
    shares = 100 * counts / counts.sum()
    names = (*enumerate(CITYSCAPES.names), (UNKNOWN_CLASS, "unknown"))
    rows = [f"| {name} | {shares[value]:.2f} % |" for value, name in names]
    return ["| class | share of pixels |", "| --- | ---: |", *rows, ""]


def _depth_table(depths: Sequence[NDArray[Any]], unknown: float) -> list[str]:
    """Return the lines of the table of inverse depth."""
    known = np.concatenate(depths)
    lines = ["| inverse depth | 1/m |", "| --- | ---: |"]
    if known.size:
        lines += [
            f"| {100 * share:.0f} % below | {np.quantile(known, share):.4f} |"
            for share in QUANTILES
        ]
        lines.append(f"| infinitely far | {100 * (known == 0).mean():.2f} % of known pixels |")
    return [*lines, f"| unknown | {100 * unknown:.2f} % of pixels |", ""]
