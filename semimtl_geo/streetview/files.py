"""Files of street views, which have no georeference: PNG images and classes, TIFF values."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from tiles.datasets.rasters import raster_files
from tiles.errors import InputError, input_errors
from tiles.files import atomic_write, write_errors
from tiles.types import Float32Array, LabelKind, UInt8Array

SUFFIXES: Final[dict[LabelKind, str]] = {"classes": ".png", "values": ".tif"}
"""File name suffixes of the kinds of labels."""

FLOAT_PREDICTOR: Final = {317: 3}
"""TIFF tag of the predictor for floats, with which deflate compresses better."""


def frame_files(folder: Path) -> list[Path]:
    """Return the PNG images of a folder, sorted by name.

    A folder that holds GeoTIFFs, too, has no street views: its PNG images are previews.

    Example:
        >>> [file.name for file in frame_files(Path("frames/image"))]
        ['0.png', '1.png']
    """
    images = sorted(
        file
        for file in folder.glob("*")
        if file.suffix.lower() == ".png" and not file.name.startswith(".")
    )
    return [] if images and raster_files(folder) else images


def label_file(root: Path, task: str, image: Path, kind: LabelKind) -> Path:
    """Return the path of the label of a frame.

    Args:
        root: Folder with ``image/`` and one folder per task.
        task: Name of the task.
        image: Path of the frame's image.
        kind: Content of the label.

    Example:
        >>> label_file(Path("frames"), "depth", Path("frames/image/0.png"), "values").as_posix()
        'frames/depth/0.tif'
    """
    return root / task / f"{image.stem}{SUFFIXES[kind]}"


def read_image(path: Path) -> UInt8Array:
    """Read an image.

    Returns:
        uint8 ``[H, W, 3]``, red, green and blue.

    Raises:
        InputError: If the file cannot be read, or is not a PNG with three bands of 8 bits.

    Example:
        >>> read_image(Path("frames/image/0.png")).shape
        (64, 128, 3)
    """
    return _read(path, "PNG", ("RGB",), "red, green and blue of 8 bits")


def read_classes(path: Path) -> UInt8Array:
    """Read classes from a PNG with or without a palette.

    Returns:
        uint8 ``[H, W]``.

    Raises:
        InputError: If the file cannot be read, or is not a PNG with one band of 8 bits.
    """
    return _read(path, "PNG", ("L", "P"), "one band of 8 bits")


def read_uint16(path: Path) -> NDArray[np.uint16]:
    """Read integers of 16 bits.

    Returns:
        uint16 ``[H, W]``.

    Raises:
        InputError: If the file cannot be read, or is not a PNG with one band of 16 bits.
    """
    return _read(path, "PNG", ("I;16", "I;16B", "I"), "one band of 16 bits").astype(np.uint16)


def read_values(path: Path) -> Float32Array:
    """Read real values.

    Returns:
        float32 ``[H, W]``, NaN where unknown.

    Raises:
        InputError: If the file cannot be read, or is not a TIFF with one band of float32.
    """
    return _read(path, "TIFF", ("F",), "one band of float32")


def read_labels(path: Path, kind: LabelKind) -> NDArray[Any]:
    """Read a label.

    Args:
        path: The file.
        kind: Content of the label.

    Returns:
        Classes, uint8 ``[H, W]``, or values, float32 ``[H, W]``.

    Raises:
        InputError: If the file cannot be read, or holds something else.

    Example:
        >>> read_labels(Path("frames/segmentation/0.png"), "classes").dtype
        dtype('uint8')
    """
    return read_classes(path) if kind == "classes" else read_values(path)


def write_png(
    path: Path, pixels: UInt8Array, palette: Sequence[Sequence[int]] | None = None
) -> None:
    """Write an image or classes as PNG.

    Args:
        path: The file; its folder is created if necessary.
        pixels: uint8 ``[H, W, 3]`` or ``[H, W]``.
        palette: A colour (red, green, blue) for each class; other values are black.

    Raises:
        InputError: If the file cannot be written.

    Example:
        >>> write_png(Path("out/classes.png"), np.zeros((4, 4), np.uint8), [(255, 0, 0)])
        >>> read_classes(Path("out/classes.png")).max()
        np.uint8(0)
    """
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if palette is not None:
        image.putpalette(list(chain.from_iterable(palette)))
    _save(image, path, format="PNG")


def write_values(path: Path, values: Float32Array) -> None:
    """Write real values as a TIFF that is compressed by deflate.

    Args:
        path: The file; its folder is created if necessary.
        values: float32 ``[H, W]``, NaN where unknown.

    Raises:
        InputError: If the file cannot be written.

    Example:
        >>> write_values(Path("out/depth.tif"), np.ones((4, 4), np.float32))
        >>> read_values(Path("out/depth.tif")).sum()
        np.float32(16.0)
    """
    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    _save(image, path, format="TIFF", compression="tiff_adobe_deflate", tiffinfo=FLOAT_PREDICTOR)


def _read(path: Path, format_: str, modes: Sequence[str], content: str) -> NDArray[Any]:
    remedy = "provide an intact file"
    # Pillow raises OSError for truncated files, SyntaxError and ValueError for broken headers.
    broken = SyntaxError, ValueError, Image.DecompressionBombError
    with input_errors(path, "cannot be read", remedy, *broken):
        try:
            with Image.open(path, formats=[format_]) as image:
                if image.mode not in modes:
                    raise InputError(path, f"holds {image.mode}, not {content}", "convert the file")
                return np.array(image)
        except UnidentifiedImageError as error:
            raise InputError(path, f"is not a {format_} file", remedy) from error


def _save(image: Image.Image, path: Path, **settings: Any) -> None:
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as part:
            image.save(part, **settings)
