"""Batches of samples, stacked in the workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import default_collate


@dataclass(frozen=True)
class StackSamples:
    """Collate function of one domain.

    It holds plain values only, so that it can be pickled for spawned workers.

    Attributes:
        tasks: Tasks whose labels may be used; all others are left out.
        fill: Colour of unknown image pixels in 0..1, per band.

    Example:
        >>> image = torch.tensor([[[0.2, torch.nan]]])
        >>> stack = StackSamples(tasks=["height"], fill=(0.5,))
        >>> stack([{"image": image, "height": torch.zeros(1, 2), "landcover": torch.ones(1, 2)}])
        {'image': tensor([[[[0.2000, 0.5000]]]]), 'height': tensor([[[0., 0.]]])}
    """

    tasks: Sequence[str]
    fill: tuple[float, ...]

    def __call__(self, samples: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
        """Stack the samples, and fill unknown image pixels."""
        keys = ["image", *self.tasks]
        # A worker stacks straight into shared memory; no copy is made after that.
        batch: dict[str, Tensor] = default_collate(
            [{key: sample[key] for key in keys} for sample in samples]
        )
        images = batch["image"]
        fill = torch.tensor(self.fill).view(-1, 1, 1)
        torch.where(torch.isnan(images), fill, images, out=images)
        return batch


@dataclass(frozen=True)
class StackNamed:
    """Collate function of validation batches, which bear the name of their domain.

    Attributes:
        domain: Name of the domain.
        stack: Collate function of the domain.

    Example:
        >>> named = StackNamed("city_a", StackSamples(tasks=[], fill=(0.5,)))
        >>> list(named([{"image": torch.zeros(1, 2, 2)}]))
        ['city_a']
    """

    domain: str
    stack: StackSamples

    def __call__(self, samples: Sequence[dict[str, Tensor]]) -> dict[str, dict[str, Tensor]]:
        """Stack the samples."""
        return {self.domain: self.stack(samples)}
