"""Several processes that train one network: their gradients, statistics and random numbers.

Lightning's DDP starts the processes. Its reducer wants one backward pass over all weights per step;
Algorithm 1 has one per mini-batch and one for the discriminators, each over a part of the weights.
So the reducer is switched off, and gradients are averaged here, before each optimiser's step.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer


def without_reducer(model: nn.Module | None) -> AbstractContextManager[None]:
    """Return a context in which DDP does not reduce gradients; it does nothing without DDP."""
    return model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext()


def average_gradients(optimizer: Optimizer) -> None:
    """Replace the gradients of an optimiser's weights by their means over all processes."""
    weights = (weight for group in optimizer.param_groups for weight in group["params"])
    average([weight.grad for weight in weights if weight.grad is not None])


def average_statistics(module: nn.Module) -> None:
    """Replace running statistics of BatchNorm by their means over all processes.

    Running statistics are linear in batch statistics, so averaging them once per iteration equals
    averaging after each forward pass. Those of SyncBatchNorm are already equal everywhere.
    """
    norms = [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]
    buffers = [s for norm in norms for s in (norm.running_mean, norm.running_var) if s is not None]
    average(buffers)


def average(tensors: Sequence[Tensor]) -> None:
    """Replace tensors by their means over all processes, in one message."""
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return
    if not tensors:
        return
    message = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(message)
    message /= dist.get_world_size()
    ends = torch.tensor([tensor.numel() for tensor in tensors]).cumsum(0)
    for tensor, mean in zip(tensors, message.tensor_split(ends[:-1]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def reseed(seed: int, iteration: int, rank: int = 0) -> None:
    """Make the random numbers of an iteration depend on nothing but these three.

    So a run that goes on after an interruption draws what it would have drawn, on every device and
    in every process, and no generator's state needs to be kept.
    """
    entropy = np.random.SeedSequence((seed % 2**64, iteration, rank))
    mixed = int(entropy.generate_state(1, np.uint64)[0])
    torch.manual_seed(mixed)
    random.seed(mixed)
    np.random.seed(mixed % 2**32)  # noqa: NPY002 - the libraries' global numbers
