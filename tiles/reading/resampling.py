"""Resampling between two grids of one extent: averages to coarser, bilinear to finer pixels.

GDAL's own resampling uses overviews if a file has them, and its pixels depend on the window that is
read. Here every new pixel is computed from fixed neighbours with fixed weights, so that it covers
exactly its ground and is the same whatever else is read with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tiles.types import Float32Array, Float64Array, Int64Array, Span


@dataclass(frozen=True, eq=False)
class ResamplingWeights:
    """Weights with which the new pixels along one axis are computed from old pixels.

    Attributes:
        index: int64 [K, N], up to K old pixels for each of N new pixels.
        weight: float32 [K, N], weights of these, which sum to 1 for each new pixel; unused ones
            are 0.
        first: int64 [N], the first old pixel with a weight.
        stop: int64 [N], one past the last old pixel with a weight.

    Example:
        >>> weights = resampling_weights(old=4, new=2)
        >>> weights.weight.tolist()
        [[0.5, 0.5], [0.5, 0.5]]
        >>> weights.source_range(1, 2)
        (2, 4)
    """

    index: Int64Array
    weight: Float32Array
    first: Int64Array
    stop: Int64Array

    def source_range(self, start: int, stop: int) -> Span:
        """Return the old pixels (start, stop) that the new pixels [start, stop) need."""
        return int(self.first[start]), int(self.stop[stop - 1])

    def local(self, start: int, stop: int, origin: int, length: int) -> ResamplingWeights:
        """Return the weights within a window.

        Args:
            start: First new pixel of the window.
            stop: One past the last new pixel.
            origin: First old pixel that was read.
            length: Number of old pixels that were read.
        """
        window = slice(start, stop)
        # Indices without a weight may lie outside of the window.
        index = np.clip(self.index[:, window] - origin, 0, length - 1)
        return ResamplingWeights(
            index, self.weight[:, window], self.first[window], self.stop[window]
        )


def resampling_weights(old: int, new: int) -> ResamplingWeights:
    """Compute the weights from `old` pixels along an axis to `new` pixels over the same extent.

    Args:
        old: Number of pixels that there are.
        new: Number of pixels wanted. Fewer than `old` are area-weighted averages; others are
            interpolated linearly.

    Returns:
        The weights. Positions are exact, because they are computed in integers.

    Example:
        >>> resampling_weights(old=3, new=1).index.ravel().tolist()
        [0, 1, 2]
    """
    pixel = np.arange(new, dtype=np.int64)
    if new < old:
        # In units of 1 / new of an old pixel, the borders of both kinds of pixels are integers.
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
    return _weights(number, weight, old)


def weights_at(old: int, first: float, step: float, count: int) -> ResamplingWeights:
    """Compute the weights to new pixels that need not begin or end where the old ones do.

    Args:
        old: Number of old pixels.
        first: Start of the first new pixel, in old pixels.
        step: Size of a new pixel, in old pixels.
        count: Number of new pixels. Their centres lie in the old extent; a new pixel that extends
            beyond it is the average of its inner part.

    Returns:
        The weights: area-weighted averages if `step` > 1, and linear interpolation if not. They are
        those of :func:`resampling_weights`, to the precision of float32, where both have the same
        pixels.

    Example:
        >>> weights_at(old=4, first=1.0, step=2.0, count=1).weight.tolist()
        [[0.5], [0.5]]
    """
    # Rounded, so that common borders of old and new pixels coincide.
    borders = np.round(first + step * np.arange(count + 1), 9)
    if step > 1:
        low, high = np.clip(borders[:-1], 0, old), np.clip(borders[1:], 0, old)
        start = np.floor(low).astype(np.int64)
        most = int((np.ceil(high) - start).max(initial=1))
        number = start + np.arange(most, dtype=np.int64)[:, None]
        weight = np.maximum(np.minimum(high, number + 1) - np.maximum(low, number), 0)
        weight /= weight.sum(axis=0)
    else:
        left, share = np.divmod(np.round(borders[:-1] + step / 2 - 0.5, 9), 1)
        number = left.astype(np.int64) + np.arange(2)[:, None]
        weight = np.stack([1 - share, share])
    return _weights(number, weight, old)


def _weights(number: Int64Array, weight: Float64Array, old: int) -> ResamplingWeights:
    """Return the weights, with old pixels beyond the edge replaced by those at the edge."""
    index = np.clip(number, 0, old - 1)
    used = weight > 0
    first = np.where(used, index, old).min(axis=0)
    stop = np.where(used, index, -1).max(axis=0) + 1
    return ResamplingWeights(index, weight.astype(np.float32), first, stop)


def _apply(values: torch.Tensor, weights: ResamplingWeights) -> torch.Tensor:
    """Resample rows."""
    total: torch.Tensor | None = None
    for index, weight in zip(weights.index, weights.weight, strict=True):
        # Multiply and add separately: a fused operation rounds differently in vector tails, and
        # pixels would depend on how the raster was cut.
        part = values.index_select(-2, torch.from_numpy(index))
        part *= torch.from_numpy(np.ascontiguousarray(weight))[:, None]
        total = part if total is None else total.add_(part)
    assert total is not None  # noqa: S101 - each new pixel has at least one weight
    return total


def resample(
    values: torch.Tensor,
    known: torch.Tensor,
    rows: ResamplingWeights,
    columns: ResamplingWeights,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Resample layers from their known pixels only.

    Args:
        values: float32 [K, H, W].
        known: bool [H, W]; values elsewhere have no influence, NaN included.
        rows: Local weights from H to h rows.
        columns: Local weights from W to w columns.

    Returns:
        Values, float32 [K, h, w], and which of them come from at least one known pixel, bool
        [h, w].

    Example:
        >>> values, known = torch.tensor([[[1.0, 3.0]]]), torch.tensor([[True, False]])
        >>> halves = resampling_weights(1, 1), resampling_weights(2, 1)
        >>> resample(values, known, *halves)
        (tensor([[[1.]]]), tensor([[True]]))
    """

    def apply_both(layers: torch.Tensor) -> torch.Tensor:
        # Whole rows are gathered faster than single pixels, so columns are made rows.
        lines = _apply(layers, rows).transpose(-1, -2).contiguous()
        return _apply(lines, columns).transpose(-1, -2).contiguous()

    if bool(known.all()):
        resampled = apply_both(values)
        return resampled, torch.ones(resampled.shape[-2:], dtype=torch.bool)
    resampled = apply_both(torch.where(known, values, 0.0))
    share = apply_both(known.float())
    resampled_known = share > 0
    # Exactly 1 where nothing is missing, so that a pixel equals that of the branch above.
    complete = apply_both((~known).float()) == 0
    share = torch.where(~resampled_known | complete, 1.0, share)
    return resampled.div_(share), resampled_known
