"""Between two grids of one extent: average when going coarser, bilinear when going finer.

GDAL's own resampling reads overviews where it finds them and depends on the window that is asked
for. Here every new pixel is made from fixed neighbours with fixed weights, so that it covers
exactly its ground and is the same whatever else is read with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch


@dataclass(frozen=True, eq=False)
class Taps:
    """What the new pixels along one axis are made from.

    Attributes:
        index: int64 [T, N], old pixels that the N new pixels are made from.
        weight: float32 [T, N], their weights, which sum to 1 for each new pixel; unused ones 0.
        first: int64 [N], the lowest old pixel with a weight.
        stop: int64 [N], one past the highest.
    """

    index: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float32]
    first: npt.NDArray[np.int64]
    stop: npt.NDArray[np.int64]

    def reach(self, start: int, stop: int) -> tuple[int, int]:
        """Old pixels (start, stop) that the new pixels [start, stop) need."""
        return int(self.first[start]), int(self.stop[stop - 1])

    def local(self, start: int, stop: int, origin: int, length: int) -> Taps:
        """The taps of the new pixels [start, stop) into `length` old pixels from `origin` on."""
        part = slice(start, stop)
        # Unused taps may point outside; they have no weight.
        index = np.clip(self.index[:, part] - origin, 0, length - 1)
        return Taps(index, self.weight[:, part], self.first[part], self.stop[part])


def make_taps(old: int, new: int) -> Taps:
    """Taps from `old` pixels along an axis to `new` pixels over the same extent.

    Args:
        old: Number of pixels that there are.
        new: Number of pixels wanted.

    Returns:
        The taps; positions are exact, for they are computed in integers.
    """
    pixel = np.arange(new, dtype=np.int64)
    if new < old:
        # In units of 1 / new of an old pixel, both pixels' borders are integers.
        start = pixel * old // new
        ends = -(-(pixel + 1) * old // new)
        number = start + np.arange(int((ends - start).max()), dtype=np.int64)[:, None]
        low = np.maximum(pixel * old, number * new)
        high = np.minimum((pixel + 1) * old, (number + 1) * new)
        weight = np.maximum(high - low, 0) / old
    else:
        offset = (2 * pixel + 1) * old - new
        left = offset // (2 * new)
        share = (offset - left * 2 * new) / (2 * new)
        number = np.stack([left, left + 1])
        weight = np.stack([1 - share, share])
    index = np.clip(number, 0, old - 1)
    used = weight > 0
    first = np.where(used, index, old).min(axis=0)
    stop = np.where(used, index, -1).max(axis=0) + 1
    return Taps(index, weight.astype(np.float32), first, stop)


def _apply(values: torch.Tensor, taps: Taps, axis: int) -> torch.Tensor:
    shape = [1] * values.ndim
    shape[axis] = -1
    total: torch.Tensor | None = None
    for index, weight in zip(taps.index, taps.weight, strict=True):
        # Multiplied and added apart: a fused operation rounds differently in vector tails, and
        # then pixels would depend on how the raster was cut.
        part = values.index_select(axis, torch.from_numpy(index))
        part *= torch.from_numpy(np.ascontiguousarray(weight)).view(shape)
        total = part if total is None else total.add_(part)
    assert total is not None  # noqa: S101 - there is at least one tap
    return total


def resample(
    values: torch.Tensor, known: torch.Tensor, rows: Taps, columns: Taps
) -> tuple[torch.Tensor, torch.Tensor]:
    """Resample layers from their known pixels only.

    Args:
        values: float32 [K, H, W].
        known: bool [H, W]; values elsewhere have no influence, NaN included.
        rows: Local taps from H rows.
        columns: Local taps from W columns.

    Returns:
        Values float32 [K, h, w], and known bool [h, w]: made from at least one known pixel.
    """

    def both(layers: torch.Tensor) -> torch.Tensor:
        return _apply(_apply(layers, rows, -2), columns, -1)

    if bool(known.all()):
        made = both(values)
        return made, torch.ones(made.shape[-2:], dtype=torch.bool)
    made = both(torch.where(known, values, 0.0))
    share = both(known.float())
    found = share > 0
    # Exactly 1 where nothing is missing, so that a pixel is the same here as in the branch above.
    share = torch.where(~found | (both((~known).float()) == 0), 1.0, share)
    return made.div_(share), found
