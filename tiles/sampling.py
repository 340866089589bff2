"""Where chips are cut: at random for training, on a grid for evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pandas as pd
import torch
from torchgeo.datasets import GeoDataset
from torchgeo.samplers import GeoSampler, RandomGeoSampler

from tiles.errors import InputError
from tiles.grid import tile_starts

Query = tuple[slice, slice, slice]


class RandomChips(RandomGeoSampler):
    """Random chips, each from a scene drawn by its area, so that a batch mixes scenes.

    Every pass yields other chips; the same seed and pass yield the same ones, whatever else draws
    random numbers.

    Args:
        dataset: The scenes.
        size: Edge of a chip in pixels.
        length: Chips per pass.
        seed: Of the draws.

    Raises:
        InputError: If no scene is as large as a chip.
    """

    def __init__(self, dataset: GeoDataset, size: int, length: int, seed: int) -> None:
        super().__init__(dataset, size, length)
        if not self.bounds:
            raise InputError(
                f"crop of {size} px", "no scene is as large", "use a smaller crop or larger scenes"
            )
        self.seed = seed
        self.passes = 0

    def __iter__(self) -> Iterator[Query]:
        """Yield the chips of one pass."""
        # torch.multinomial inside torchgeo's sampler ignores its `generator`, so that the global
        # one must be seeded; fork_rng gives it back as it was.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed + 1_000_003 * self.passes)
            queries = list(super().__iter__())
        self.passes += 1
        return iter(queries)


class GridChips(GeoSampler):
    """Chips that cover every scene from its top left corner; the last ones end where it ends.

    A scene smaller than a chip gives one chip, which overhangs to the right and below and is
    unknown there.

    Args:
        dataset: The scenes.
        size: Edge of a chip in pixels.
        overlap: Pixels that neighbours share.
    """

    def __init__(self, dataset: GeoDataset, size: int, overlap: int = 0) -> None:
        super().__init__(dataset)
        xres, yres = self.res
        self.queries: list[Query] = []
        intervals = [pd.Interval(span.left, span.right) for span in self.index.index]
        for (left, bottom, right, top), span in zip(
            self.index.geometry.bounds.to_numpy(), intervals, strict=True
        ):
            columns = tile_starts(max(1, round((right - left) / xres)), size, overlap)
            rows = tile_starts(max(1, round((top - bottom) / yres)), size, overlap)
            for row, column in product(rows, columns):
                x, y = left + column * xres, top - row * yres
                self.queries.append(
                    (
                        slice(x, x + size * xres),
                        slice(y - size * yres, y),
                        slice(span.left, span.right),
                    )
                )

    def __iter__(self) -> Iterator[Query]:
        """Yield the chips, scene by scene, row by row."""
        return iter(self.queries)

    def __len__(self) -> int:
        """Number of chips."""
        return len(self.queries)
