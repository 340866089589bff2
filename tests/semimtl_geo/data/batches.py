"""The batches of a data module, and whether they are the same."""

from __future__ import annotations

import torch
from torch import Tensor

from semimtl_geo.data.datamodule import DomainsDataModule

Batches = list[dict[str, dict[str, Tensor]]]


def training(data: DomainsDataModule) -> Batches:
    loader = data.train_dataloader()
    try:
        return [batch for batch, _, _ in loader]
    finally:
        loader.reset()  # if left to the garbage collector, workers are waited for, for seconds


def same(one: Batches, other: Batches) -> bool:
    """Bit for bit, unknown values too."""
    return len(one) == len(other) and all(
        set(first[name]) == set(second[name])
        and all(torch.equal(_bits(first[name][k]), _bits(second[name][k])) for k in first[name])
        for first, second in zip(one, other, strict=True)
        for name in first
    )


def _bits(data: Tensor) -> Tensor:
    return data.view(torch.int32) if data.dtype == torch.float32 else data
