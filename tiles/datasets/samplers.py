"""Samplers of chips: at random for training, on a grid for evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Sampler
from torchgeo.datasets import GeoDataset

from tiles.datasets.chip_reader import CHIP_TOLERANCE
from tiles.errors import InputError
from tiles.grid import tile_starts

Query = tuple[slice, slice, slice]


class _Chips(Sampler[Query]):
    """Square chips on the pixel grids of scenes, counted from a scene's top left corner.

    It does not subclass torchgeo's GeoSampler, whose interface differs between 0.8 and 0.10.

    Args:
        dataset: The scenes.
        size: Edge of a chip in pixels.
    """

    def __init__(self, dataset: GeoDataset, size: int) -> None:
        self.size = size
        self.res = dataset.res
        margin = CHIP_TOLERANCE * self.res[0]
        extents, times = [], []
        index = dataset.index
        # Scenes of the same place at another time are scenes of their own.
        for time in index.index.unique():
            at_time = index.geometry[index.index == time]
            distinct = _extents(at_time.bounds.to_numpy(), margin)
            extents.append(distinct)
            times += [slice(time.left, time.right)] * len(distinct)
        self.scenes = np.concatenate(extents)
        self.times = times

    def pixels(self, scene: int) -> tuple[float, float]:
        """Return the rows and columns of a scene, with fractions of pixels."""
        left, bottom, right, top = self.scenes[scene]
        return (top - bottom) / self.res[1], (right - left) / self.res[0]

    def query(self, scene: int, row: int, column: int, size: int) -> Query:
        """Return the chip of `size` pixels whose first is the pixel (row, column) of a scene."""
        xres, yres = self.res
        left, _, _, top = self.scenes[scene]
        x, y = float(left + column * xres), float(top - row * yres)
        return slice(x, x + size * xres), slice(y - size * yres, y), self.times[scene]


class RandomChips(_Chips):
    """Random chips, each from a scene drawn by its area, so that a batch mixes scenes.

    Every pass yields other chips; the same seed and pass yield the same ones, whatever else draws
    random numbers. torchgeo's own sampler takes the global random numbers, never draws a scene's
    last row and column, and refuses most scenes that are just as large as a chip.

    Args:
        dataset: The scenes.
        size: Edge of a chip in pixels.
        length: Chips per pass.
        seed: Seed of the random positions.
        magnification: Smallest and largest magnification `m`, drawn for each chip: it covers
            ``size / m`` pixels, and is to be resampled to `size`. It covers a whole scene's shorter
            side at most.

    Raises:
        InputError: If no scene is as large as a chip.

    Example:
        >>> from tiles.datasets import scene_dataset
        >>> scenes = scene_dataset("data/city_b/train", {"height": "values"}, bands=[1, 2, 3])
        >>> sampler = RandomChips(scenes, size=32, length=4, seed=0)
        >>> [tuple(scenes[query]["image"].shape) for query in sampler][0]
        (3, 32, 32)
    """

    def __init__(
        self,
        dataset: GeoDataset,
        size: int,
        length: int,
        seed: int,
        magnification: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        super().__init__(dataset, size)
        whole = [[int(n + CHIP_TOLERANCE) for n in self.pixels(i)] for i in range(len(self.scenes))]
        # Whole rows and columns of the scenes that are large enough.
        self.shapes = {scene: shape for scene, shape in enumerate(whole) if min(shape) >= size}
        if not self.shapes:
            raise InputError(
                f"crop of {size} px", "no scene is as large", "use a smaller crop or larger scenes"
            )
        self.length = length
        self.seed = seed
        self.magnification = magnification
        self.passes = 0

    def __iter__(self) -> Iterator[Query]:
        """Yield the chips of one pass."""
        generator = torch.Generator().manual_seed(self.seed + 1_000_003 * self.passes)
        self.passes += 1
        scenes = list(self.shapes)
        areas = torch.tensor([np.prod(self.pixels(scene)) for scene in scenes])
        drawn = torch.multinomial(areas, self.length, replacement=True, generator=generator)
        places = torch.rand(self.length, 2, generator=generator, dtype=torch.float64)
        sizes = chip_sizes(self.size, self.magnification, self.length, generator)
        for number, place, size in zip(drawn.tolist(), places.tolist(), sizes, strict=True):
            scene = scenes[number]
            shape = self.shapes[scene]
            size = min(size, *shape)
            row, column = (
                int(share * (pixels - size + 1)) for share, pixels in zip(place, shape, strict=True)
            )
            yield self.query(scene, row, column, size)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next pass; Lightning calls this, also when it resumes."""
        self.passes = epoch

    def __len__(self) -> int:
        """Return the number of chips per pass."""
        return self.length


class DistributedSlice(Sampler[Any]):
    """Sampler of the chips of one of several processes, which take turns.

    Together, the batches of all processes are those of one process. A resumed run continues
    within a pass.

    Args:
        sampler: Sampler, the same in every process; its length is a multiple of ``processes``.
        process: Number of this process.
        processes: Number of processes.
        start: Number of its own chips that this process skips in the next pass.

    Example:
        >>> list(DistributedSlice([10, 11, 12, 13], process=1, processes=2))
        [11, 13]
    """

    def __init__(
        self, sampler: Sampler[Any], process: int = 0, processes: int = 1, start: int = 0
    ) -> None:
        self.sampler = sampler
        self.process = process
        self.processes = processes
        self.start = start

    def __iter__(self) -> Iterator[Any]:
        """Yield this process's part of one pass."""
        first = self.process + self.start * self.processes
        self.start = 0
        return islice(iter(self.sampler), first, None, self.processes)

    def __len__(self) -> int:
        """Return the number of chips per pass."""
        return len(self.sampler) // self.processes  # type: ignore[arg-type]  # not all have one

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next pass."""
        if hasattr(self.sampler, "set_epoch"):
            self.sampler.set_epoch(epoch)


class GridChips(_Chips):
    """Chips that cover every scene from its top left corner; the last ones end where it ends.

    A scene smaller than a chip gives one chip, which overhangs to the right and below and is
    unknown there, unless another scene follows.

    Args:
        dataset: The scenes.
        size: Edge of a chip in pixels.
        overlap: Pixels that neighbours share.

    Example:
        >>> from tiles.datasets import scene_dataset
        >>> scenes = scene_dataset("data/city_b/val", {"height": "values"}, bands=[1, 2, 3])
        >>> len(GridChips(scenes, size=48))  # two scenes of 96 x 96 pixels
        8
    """

    def __init__(self, dataset: GeoDataset, size: int, overlap: int = 0) -> None:
        super().__init__(dataset, size)
        self.queries: list[Query] = []
        for scene in range(len(self.scenes)):
            rows, columns = (
                tile_starts(max(1, round(pixels)), size, overlap) for pixels in self.pixels(scene)
            )
            self.queries += [self.query(scene, *start, size) for start in product(rows, columns)]

    def __iter__(self) -> Iterator[Query]:
        """Yield the chips, scene by scene, row by row."""
        return iter(self.queries)

    def __len__(self) -> int:
        """Return the number of chips."""
        return len(self.queries)


def chip_sizes(
    size: int, magnification: tuple[float, float], count: int, generator: torch.Generator
) -> list[int]:
    """Draw the edges of chips that are resampled to one size.

    Args:
        size: Edge of the resampled chips in pixels.
        magnification: Smallest and largest magnification, of which each is as likely.
        count: Number of chips.
        generator: Source of the random numbers.

    Returns:
        ``size / magnification`` of each chip, in whole pixels.

    Example:
        >>> chip_sizes(32, (0.5, 0.5), count=2, generator=torch.Generator())
        [64, 64]
    """
    low, high = magnification
    drawn = low + (high - low) * torch.rand(count, generator=generator, dtype=torch.float64)
    return [max(1, round(size / m)) for m in drawn.tolist()]


def _extents(bounds: NDArray[np.float64], margin: float) -> NDArray[np.float64]:
    """Drop extents within another one, and slivers where two scenes touch.

    An intersection of overlapping images and labels has such parts: the first image with the second
    label is part of the first image with its own.

    Args:
        bounds: Left, bottom, right and top, ``[N, 4]``.
        margin: Distance within which scenes touch.

    Returns:
        The others, in their order.
    """
    outward = np.array([1.0, 1.0, -1.0, -1.0])
    kept = []
    for number, extent in enumerate(bounds):
        left, bottom, right, top = extent
        around = ((bounds - extent) * outward <= margin).all(axis=1)
        within = ((extent - bounds) * outward <= margin).all(axis=1)
        twins = around & within
        # The first of equal extents is kept.
        redundant = (around & ~twins).any() or twins[:number].any()
        if not redundant and min(right - left, top - bottom) > margin:
            kept.append(number)
    return bounds[kept]
