"""BatchNorm with statistics per domain, and statistics re-estimated on new images.

In training by several processes, each normalises by its own part of a batch, and the running
statistics are averaged (:mod:`semimtl_geo.learning.distributed`); with ``trainer.sync_batchnorm``
(GPUs only) they normalise by the whole batch, as one process would.

Evaluation statistics affect an unlabelled domain more than any loss does, so this module alone
handles them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Final, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

BatchNormMode = Literal["per_domain", "alternating", "mixed"]
"""``per_domain``: each domain is forwarded alone and keeps its own running statistics (scale and
shift are shared). ``alternating``: each is forwarded alone, the running statistics are shared.
``mixed``: all domains are forwarded as one batch, so that batch statistics are shared too."""
BATCHNORM_MODES: Final = get_args(BatchNormMode)


class DomainBatchNorm(nn.Module):
    """A BatchNorm layer with running statistics per domain and a shared scale and shift.

    Args:
        norm: The layer to take the place of. Any kind of BatchNorm (timm's layers that include the
            activation too).
        domains: Number of domains.

    Example:
        >>> layer = DomainBatchNorm(nn.BatchNorm2d(8), domains=2)
        >>> layer.active = 1  # statistics of the second domain
        >>> layer(torch.zeros(1, 8, 4, 4)).shape
        torch.Size([1, 8, 4, 4])
    """

    def __init__(self, norm: _BatchNorm, domains: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([norm, *(copy.deepcopy(norm) for _ in range(domains - 1))])
        for other in self.norms[1:]:
            other.weight, other.bias = norm.weight, norm.bias
        self.active = 0

    def forward(self, features: Tensor) -> Tensor:
        """Normalise ``[B, C, H, W]`` with the active domain's statistics."""
        normalised: Tensor = self.norms[self.active](features)
        return normalised


def split_by_domain(module: nn.Module, domains: int) -> None:
    """Replace every BatchNorm layer inside a module by a :class:`DomainBatchNorm`."""
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm):
            setattr(module, name, DomainBatchNorm(child, domains))
        else:
            split_by_domain(child, domains)


def use_domain(module: nn.Module, domain: int) -> None:
    """Make every :class:`DomainBatchNorm` use a domain's statistics (numbered from 0)."""
    for layer in module.modules():
        if isinstance(layer, DomainBatchNorm):
            layer.active = domain


def active_norms(module: nn.Module) -> Iterator[_BatchNorm]:
    """Return the BatchNorm layers that the next forward pass uses."""
    for child in module.children():
        if isinstance(child, DomainBatchNorm):
            active = child.norms[child.active]
            assert isinstance(active, _BatchNorm)  # noqa: S101 - what the constructor put there
            yield active
        elif isinstance(child, _BatchNorm):
            yield child
        else:
            yield from active_norms(child)


def sync_drops_activations(module: nn.Module) -> bool:
    """Return whether torch's conversion to SyncBatchNorm would drop activations of layers.

    Some of timm's include the activation.
    """
    norms = (layer for layer in module.modules() if isinstance(layer, _BatchNorm))
    return any(type(norm).__module__.partition(".")[0] != "torch" for norm in norms)


@contextmanager
def _estimating(norms: list[_BatchNorm]) -> Iterator[None]:
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()


@torch.no_grad()
def reestimate(network: nn.Module, batches: Iterable[Tensor]) -> int:
    """Replace the active running statistics by those of new images; no labels are needed.

    This is AdaBN (Li et al., Pattern Recognition 2018): means over all images, and the mean of the
    variances within batches. Everything else stays as it is; the network is left in evaluation
    mode.

    Args:
        network: Takes ``[B, C, H, W]``.
        batches: Images as in training, float32 ``[B, C, H, W]`` in 0..1.

    Returns:
        The number of images seen.

    Raises:
        ValueError: If there are no batches, which would leave the network without statistics.

    Example:
        >>> network = nn.Sequential(nn.BatchNorm2d(3))
        >>> reestimate(network, [torch.full((2, 3, 8, 8), 0.5)])
        2
        >>> network[0].running_mean.tolist()
        [0.5, 0.5, 0.5]
    """
    network.eval()
    seen = 0
    iterator = iter(batches)
    first = next(iterator, None)
    if first is None:
        raise ValueError("no images to estimate BatchNorm statistics from")
    norms = list(active_norms(network))
    with _estimating(norms):
        for batch in chain([first], iterator):
            seen += len(batch)
            for norm in norms:
                norm.momentum = len(batch) / seen  # Every image has the same weight in the average.
            network(batch)
    return seen
