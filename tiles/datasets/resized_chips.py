"""Resampling of chips that cover more or less ground to one size, for magnification at random."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from tiles.reading.resampling import resample, resampling_weights


@dataclass(frozen=True)
class ResizedChips(Dataset[dict[str, Tensor]]):
    """Data set whose samples are resampled to squares of one size.

    Attributes:
        dataset: A data set of square samples: ``image``, float32 ``[C, S, S]``, NaN where unknown,
            and labels ``[S, S]``. ``S`` may differ from sample to sample.
        size: Edge of the resampled samples in pixels.
        scales_values: Whether values are multiplied by the magnification, ``size / S``. Heights
            above ground stay the same; inverse depths are magnified, since an object that looks
            twice as large is half as far away (Eigen et al., NIPS 2014, section 3.4).

    Example:
        >>> chips = [{"image": torch.rand(3, 8, 8), "depth": torch.ones(8, 8)}]
        >>> sample = ResizedChips(chips, size=4, scales_values=True)[0]
        >>> sample["image"].shape, sample["depth"].unique().tolist()
        (torch.Size([3, 4, 4]), [0.5])
    """

    dataset: Any
    size: int
    scales_values: bool = False

    def __getitem__(self, query: Any) -> dict[str, Tensor]:
        """Read a sample and resample it."""
        sample = self.dataset[query]
        read = sample["image"].shape[-1]
        if read == self.size:
            return dict(sample)
        magnification = self.size / read
        # Nearest neighbours mix no label with another, nor with an unknown one.
        nearest = ((torch.arange(self.size) + 0.5) / magnification).long()
        weights = _weights(read, self.size)
        known = ~sample["image"].isnan().any(dim=0)
        image, _ = resample(sample["image"], known, weights, weights)
        if not known.all():
            image = torch.where(_take(known, nearest), image, torch.nan)
        resized = {"image": image}
        for key, label in sample.items():
            if isinstance(label, Tensor) and key != "image":
                scaled = self.scales_values and label.is_floating_point()
                label = _take(label, nearest)
                resized[key] = label * magnification if scaled else label
        return resized


# Chips have few sizes, whose weights take as long to compute as to apply.
_weights = lru_cache(maxsize=256)(resampling_weights)


def _take(pixels: Tensor, numbers: Tensor) -> Tensor:
    """Return some rows and columns [N, N]; faster than pixels[numbers][:, numbers]."""
    return pixels.index_select(0, numbers).index_select(1, numbers)
