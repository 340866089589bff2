"""Street views without a georeference as a data set, and the crops that are cut from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from semimtl_geo.streetview.files import (
    frame_files,
    label_file,
    read_classes,
    read_image,
    read_values,
)
from tiles.datasets.scenes import LabelKind
from tiles.errors import InputError

Query = tuple[int, tuple[float, float] | None]
"""A frame's number, and how far down and right in 0..1 its crop is; None: the whole frame."""

READ: Final[dict[LabelKind, Callable[[Path], NDArray[Any]]]] = {
    "classes": read_classes,
    "values": read_values,
}


class Frames(Dataset[dict[str, Tensor]]):
    """The frames of one domain and split.

    A sample has ``image``: float32 ``[bands, H, W]`` in 0..1; and each label ``[H, W]``: int64, 255
    where unknown, or float32, NaN where unknown.

    Args:
        root: Folder with ``image/*.png`` and one folder per label.
        labels: The labels to read, by folder name; others are not looked for.
        bands: Band numbers (1 red, 2 green, 3 blue) in the order wanted.
        crop: Edge of a crop in pixels.

    Attributes:
        images: The images, by name.

    Raises:
        InputError: If there are no images, one lacks a label, or the first is smaller than a crop.
    """

    def __init__(
        self, root: Path, labels: Mapping[str, LabelKind], bands: Sequence[int], crop: int
    ) -> None:
        self.images = frame_files(root / "image")
        if not self.images:
            raise InputError(root / "image", "holds no .png files", "put the images there")
        if not bands or not set(bands) <= {1, 2, 3}:
            raise InputError(f"bands {list(bands)}", "frames have 1, 2 and 3", "choose among them")
        for name, kind in labels.items():
            there = {file.name for file in (root / name).glob("*")}
            for image in self.images:
                if (wanted := label_file(root, name, image, kind)).name not in there:
                    raise InputError(wanted, "no such file", f"every image needs its {name}")
        self.root = root
        self.labels = dict(labels)
        self.channels = [number - 1 for number in bands]
        self.crop = crop
        self._window(self.images[0], read_image(self.images[0]), (0, 0))

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.images)

    def __getitem__(self, query: Query) -> dict[str, Tensor]:
        """Read a frame, or a crop of it.

        Raises:
            InputError: If a file cannot be read, is smaller than a crop, or image and label differ
                in size.
        """
        number, place = query
        image = self.images[number]
        pixels = read_image(image)
        window = self._window(image, pixels, place)
        chosen = np.moveaxis(pixels[window][..., self.channels], -1, 0)
        sample = {"image": torch.from_numpy(np.ascontiguousarray(chosen)).float() / 255}
        for name, kind in self.labels.items():
            path = label_file(self.root, name, image, kind)
            label = READ[kind](path)
            check_size(path, label, pixels)
            tensor = torch.from_numpy(label[window].copy())
            sample[name] = tensor.long() if kind == "classes" else tensor
        return sample

    def _window(
        self, path: Path, pixels: NDArray[np.uint8], place: tuple[float, float] | None
    ) -> tuple[slice, ...]:
        """Rows and columns of a crop."""
        if place is None:
            return slice(None), slice(None)
        if min(pixels.shape[:2]) < self.crop:
            fault = f"is smaller than a crop of {self.crop} px"
            raise InputError(path, fault, "use a smaller crop or larger frames")
        starts = [
            int(share * (size - self.crop + 1))
            for share, size in zip(place, pixels.shape[:2], strict=True)
        ]
        return tuple(slice(start, start + self.crop) for start in starts)


class RandomCrops(Sampler[Query]):
    """Random crops of random frames, as :class:`tiles.datasets.RandomChips` of scenes.

    Every pass yields other crops; the same seed and pass yield the same ones, whatever else draws
    random numbers.

    Args:
        frames: Number of frames.
        length: Crops per pass.
        seed: Of the draws.
    """

    def __init__(self, frames: int, length: int, seed: int) -> None:
        self.frames = frames
        self.length = length
        self.seed = seed
        self.passes = 0

    def __iter__(self) -> Iterator[Query]:
        """Yield the crops of one pass."""
        generator = torch.Generator().manual_seed(self.seed + 1_000_003 * self.passes)
        self.passes += 1
        drawn = torch.randint(self.frames, (self.length,), generator=generator)
        places = torch.rand(self.length, 2, generator=generator, dtype=torch.float64)
        for number, place in zip(drawn.tolist(), places.tolist(), strict=True):
            yield number, tuple(place)

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass that of an epoch; Lightning calls this, also where it resumes."""
        self.passes = epoch

    def __len__(self) -> int:
        """Number of crops per pass."""
        return self.length


class WholeFrames(Sampler[Query]):
    """Every frame once, whole, in order.

    Args:
        frames: Number of frames.
    """

    def __init__(self, frames: int) -> None:
        self.frames = frames

    def __iter__(self) -> Iterator[Query]:
        """Yield the frames."""
        return ((number, None) for number in range(self.frames))

    def __len__(self) -> int:
        """Number of frames."""
        return self.frames


def check_size(path: Path, label: NDArray[Any], image: NDArray[Any]) -> None:
    """Check that a label is of its image's size.

    Raises:
        InputError: If it is not.
    """
    if label.shape != image.shape[:2]:
        sizes = " x ".join(map(str, label.shape)), " x ".join(map(str, image.shape[:2]))
        fault = f"is of {sizes[0]} px, its image of {sizes[1]}"
        raise InputError(path, fault, "bring both to one size")
