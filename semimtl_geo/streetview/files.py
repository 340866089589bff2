"""The files of street views without a georeference: PNG and float TIFF, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from tiles.datasets.scenes import LabelKind, raster_files
from tiles.errors import InputError
from tiles.files import aside

SUFFIXES: Final[dict[LabelKind, str]] = {"classes": ".png", "values": ".tif"}
"""What the names of a label's files end with."""

FLOAT_DIFFERENCES: Final = {317: 3}
"""TIFF tag: deflate finds more in the differences of neighbours."""


def frame_files(folder: Path) -> list[Path]:
    """The PNG images of a folder, by name; none if there are GeoTIFFs, whose previews they are."""
    images = sorted(
        file
        for file in folder.glob("*")
        if file.suffix.lower() == ".png" and not file.name.startswith(".")
    )
    return [] if images and raster_files(folder) else images


def label_file(root: Path, task: str, image: Path, kind: LabelKind) -> Path:
    """Where the label of a frame is.

    Args:
        root: Folder with ``image/`` and one folder per task.
        task: The task.
        image: The frame's image.
        kind: What the label holds.
    """
    return root / task / f"{image.stem}{SUFFIXES[kind]}"


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image.

    Returns:
        uint8 ``[H, W, 3]``, red, green and blue.

    Raises:
        InputError: If it cannot be read, or is no such PNG.
    """
    return _read(path, "PNG", ("RGB",), "red, green and blue of 8 bits")


def read_classes(path: Path) -> NDArray[np.uint8]:
    """Read classes, with a palette or without.

    Returns:
        uint8 ``[H, W]``.

    Raises:
        InputError: If they cannot be read, or are no such PNG.
    """
    return _read(path, "PNG", ("L", "P"), "one band of 8 bits")


def read_shorts(path: Path) -> NDArray[np.uint16]:
    """Read numbers of 16 bits.

    Returns:
        uint16 ``[H, W]``.

    Raises:
        InputError: If they cannot be read, or are no such PNG.
    """
    return _read(path, "PNG", ("I;16", "I;16B", "I"), "one band of 16 bits").astype(np.uint16)


def read_values(path: Path) -> NDArray[np.float32]:
    """Read real values.

    Returns:
        float32 ``[H, W]``, NaN where unknown.

    Raises:
        InputError: If they cannot be read, or are no such TIFF.
    """
    return _read(path, "TIFF", ("F",), "one band of float32")


def write_png(
    path: Path, pixels: NDArray[np.uint8], palette: Sequence[Sequence[int]] | None = None
) -> None:
    """Write an image or classes.

    Args:
        path: The file; its folder is made if need be.
        pixels: uint8 ``[H, W, 3]`` or ``[H, W]``.
        palette: Of classes: a colour (R, G, B) for each; other values are black.

    Raises:
        InputError: If it cannot be written.
    """
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if palette is not None:
        image.putpalette(list(chain.from_iterable(palette)))
    with _whole(path) as made:
        image.save(made, format="PNG")


def write_values(path: Path, values: NDArray[np.float32]) -> None:
    """Write real values, deflated.

    Args:
        path: The file; its folder is made if need be.
        values: float32 ``[H, W]``, NaN where unknown.

    Raises:
        InputError: If it cannot be written.
    """
    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    with _whole(path) as made:
        image.save(
            made, format="TIFF", compression="tiff_adobe_deflate", tiffinfo=FLOAT_DIFFERENCES
        )


def _read(path: Path, format_: str, modes: Sequence[str], words: str) -> NDArray[Any]:
    try:
        with Image.open(path, formats=[format_]) as image:
            if image.mode not in modes:
                fault = f"holds {image.mode}, not {words}"
                raise InputError(path, fault, "replace the file")
            return np.array(image)
    except UnidentifiedImageError as error:
        raise InputError(path, f"is no {format_} file", "replace the file") from error
    except FileNotFoundError as error:
        raise InputError(path, "no such file", "complete the data") from error
    # Pillow: OSError of files cut short, SyntaxError and ValueError of broken headers.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(path, f"cannot be read ({error})", "replace the file") from error


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Write a file aside, its folder being made if need be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside(path) as part:
            yield part
    except OSError as error:
        fault = f"cannot be written ({error.strerror or error})"
        raise InputError(path, fault, "make room, or choose another folder") from error
