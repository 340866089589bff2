"""Street views without a georeference as a data set, and samplers of crops from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from semimtl_geo.streetview.files import frame_files, label_file, read_image, read_labels
from tiles.datasets.samplers import chip_sizes
from tiles.errors import InputError, InvalidValueError, MissingFileError
from tiles.types import LabelKind, UInt8Array

Query = tuple[int, tuple[float, float, int] | None]
"""Number of a frame, where its crop lies between the top (left) and the bottom (right), in 0..1,
and the crop's edge in pixels; None stands for the whole frame."""


class Frames(Dataset[dict[str, Tensor]]):
    """Data set of the frames of one domain and split.

    A sample has ``image``: float32 ``[bands, H, W]`` in 0..1; and each label ``[H, W]``: int64, 255
    where unknown, or float32, NaN where unknown.

    Args:
        root: Folder with ``image/*.png`` and one folder per label.
        labels: The labels to read, by folder name; others are not opened.
        bands: Band numbers (1 red, 2 green, 3 blue) in the order wanted.
        crop: Edge of a crop in pixels, which no frame may be smaller than.

    Attributes:
        images: Paths of the images, sorted by name.

    Raises:
        InputError: If there are no images, one lacks a label, or the first is smaller than a crop.

    Example:
        >>> frames = Frames(Path("frames"), {"depth": "values"}, bands=[1, 2, 3], crop=32)
        >>> len(frames), frames[0, (0.5, 0.5, 32)]["depth"].shape
        (2, torch.Size([32, 32]))
    """

    def __init__(
        self, root: Path, labels: Mapping[str, LabelKind], bands: Sequence[int], crop: int
    ) -> None:
        self.images = frame_files(root / "image")
        if not self.images:
            raise MissingFileError(root / "image", "holds no .png files", "put the images there")
        if not bands or not set(bands) <= {1, 2, 3}:
            fault = f"must be among 1, 2 and 3 for street views, got {list(bands)}"
            raise InvalidValueError("bands", fault, "choose red (1), green (2) or blue (3)")
        for name, kind in labels.items():
            existing = {file.name for file in (root / name).glob("*")}
            for image in self.images:
                label = label_file(root, name, image, kind)
                if label.name not in existing:
                    remedy = f"every image needs its {name}"
                    raise MissingFileError(label, "does not exist", remedy)
        self.root = root
        self.labels = dict(labels)
        self.channels = [number - 1 for number in bands]
        self.crop = crop
        self._window(self.images[0], read_image(self.images[0]), (0, 0, crop))

    def __len__(self) -> int:
        """Return the number of frames."""
        return len(self.images)

    def __getitem__(self, query: Query) -> dict[str, Tensor]:
        """Read a frame, or a crop of it.

        Raises:
            InputError: If a file cannot be read, is smaller than a crop, or image and label differ
                in size.
        """
        number, place = query
        path = self.images[number]
        pixels = read_image(path)
        window = self._window(path, pixels, place)
        image = np.moveaxis(pixels[window][..., self.channels], -1, 0)
        sample = {"image": torch.from_numpy(np.ascontiguousarray(image)).float() / 255}
        for name, kind in self.labels.items():
            label_path = label_file(self.root, name, path, kind)
            label = read_labels(label_path, kind)
            check_size(label_path, label, pixels)
            tensor = torch.from_numpy(label[window].copy())
            sample[name] = tensor.long() if kind == "classes" else tensor
        return sample

    def _window(
        self, path: Path, pixels: UInt8Array, place: tuple[float, float, int] | None
    ) -> tuple[slice, ...]:
        """Return the rows and columns of a crop, which is at most as large as the frame."""
        if place is None:
            return slice(None), slice(None)
        if min(pixels.shape[:2]) < self.crop:
            fault = f"is smaller than a crop of {self.crop} px"
            raise InputError(path, fault, "use a smaller crop or larger frames")
        *position, edge = place
        edge = min(edge, *pixels.shape[:2])
        starts = [
            int(share * (size - edge + 1))
            for share, size in zip(position, pixels.shape[:2], strict=True)
        ]
        return tuple(slice(start, start + edge) for start in starts)


class RandomCrops(Sampler[Query]):
    """Sampler of random crops of random frames, as :class:`tiles.datasets.RandomChips` of scenes.

    Every pass yields other crops; the same seed and pass yield the same crops, whatever else draws
    random numbers.

    Args:
        frames: Number of frames.
        size: Edge of a crop in pixels.
        length: Crops per pass.
        seed: Seed of the random numbers.
        magnification: Smallest and largest magnification `m`, drawn for each crop: it covers
            ``size / m`` pixels, and is to be resampled to `size`.

    Example:
        >>> number, place = next(iter(RandomCrops(frames=10, size=32, length=4, seed=0)))
        >>> number < 10, 0 <= place[0] < 1, place[2]
        (True, True, 32)
    """

    def __init__(
        self,
        frames: int,
        size: int,
        length: int,
        seed: int,
        magnification: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        self.frames = frames
        self.size = size
        self.length = length
        self.seed = seed
        self.magnification = magnification
        self.passes = 0

    def __iter__(self) -> Iterator[Query]:
        """Yield the crops of one pass."""
        generator = torch.Generator().manual_seed(self.seed + 1_000_003 * self.passes)
        self.passes += 1
        numbers = torch.randint(self.frames, (self.length,), generator=generator)
        positions = torch.rand(self.length, 2, generator=generator, dtype=torch.float64)
        sizes = chip_sizes(self.size, self.magnification, self.length, generator)
        for number, (row, column), size in zip(
            numbers.tolist(), positions.tolist(), sizes, strict=True
        ):
            yield number, (row, column, size)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next pass; Lightning calls this, also when it resumes."""
        self.passes = epoch

    def __len__(self) -> int:
        """Return the number of crops per pass."""
        return self.length


class WholeFrames(Sampler[Query]):
    """Sampler of every frame once, whole, in order.

    Args:
        frames: Number of frames.

    Example:
        >>> list(WholeFrames(2))
        [(0, None), (1, None)]
    """

    def __init__(self, frames: int) -> None:
        self.frames = frames

    def __iter__(self) -> Iterator[Query]:
        """Yield the frames."""
        return ((number, None) for number in range(self.frames))

    def __len__(self) -> int:
        """Return the number of frames."""
        return self.frames


def check_size(path: Path, label: NDArray[Any], image: NDArray[Any]) -> None:
    """Check that a label has the size of its image.

    Args:
        path: File of the label, for the message.
        label: The label, ``[H, W]``.
        image: The image, ``[H, W, ...]``.

    Raises:
        InputError: If the sizes differ.

    Example:
        >>> check_size(Path("0.png"), np.zeros((4, 5)), np.zeros((4, 6)))
        Traceback (most recent call last):
        tiles.errors.InputError: 0.png: has 4 x 5 px, but its image has 4 x 6; \
bring both to one size
    """
    if label.shape != image.shape[:2]:
        sizes = " x ".join(map(str, label.shape)), " x ".join(map(str, image.shape[:2]))
        fault = f"has {sizes[0]} px, but its image has {sizes[1]}"
        raise InputError(path, fault, "bring both to one size")
