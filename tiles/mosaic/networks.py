"""Networks that the mosaicker calls: modules of PyTorch, functions, and what they return."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy.typing as npt
import torch

from tiles.errors import InvalidValueError
from tiles.maps.layers import Layer

Scores = torch.Tensor | npt.NDArray[Any]
"""Scores of one layer, [B, K, S, S]."""

NetworkOutput = Scores | Mapping[str, Scores] | Sequence[Scores]
"""Scores of the only layer, of layers by name, or of all layers in their order."""

Network = Callable[[torch.Tensor], NetworkOutput]
"""Function from a batch, float32 [B, C, S, S], to scores; a ``torch.nn.Module`` is one."""


class TileNetwork:
    """A network, and what happens to a batch before it.

    Args:
        network: The network. A module is put into evaluation mode.
        scale: Value of the raster that becomes 1; None leaves values as they are.
        device: Device to which a module and its batches are moved; None leaves both where they are.

    Raises:
        InvalidValueError: If the scale is not positive.

    Example:
        >>> network = TileNetwork(torch.nn.Conv2d(3, 2, 1), scale=255)
        >>> network(torch.zeros(1, 3, 8, 8)).shape
        torch.Size([1, 2, 8, 8])
    """

    def __init__(
        self, network: Network, scale: float | None = None, device: str | torch.device | None = None
    ) -> None:
        if scale is not None and not scale > 0:
            fault = f"must be > 0, got {scale}"
            raise InvalidValueError("scale", fault, "give the value that becomes 1, such as 255")
        self.network, self.scale, self.device = network, scale, device
        if isinstance(network, torch.nn.Module):
            network.eval()
            if device is not None:
                network.to(device)

    def __call__(self, images: torch.Tensor) -> NetworkOutput:
        """Return the scores of a batch, float32 [B, C, S, S]."""
        if self.device is not None:
            images = images.to(self.device)
        if self.scale is not None:
            images = images / self.scale
        return self.network(images)


class PendingScores:
    """Scores of a batch that a GPU may still be computing and copying.

    Args:
        output: Output of the network.
        layers: The layers that have scores of their own.
        images: The batch, [B, C, S, S].

    Raises:
        ValueError: If a layer has no scores, or scores of another shape.

    Example:
        >>> from tiles.maps import ValueMap
        >>> images = torch.zeros(1, 3, 8, 8)
        >>> pending = PendingScores(images[:, :1], [ValueMap("height")], images)
        >>> {name: scores.shape for name, scores in pending.wait().items()}
        {'height': torch.Size([1, 1, 8, 8])}
    """

    def __init__(
        self, output: NetworkOutput, layers: Sequence[Layer], images: torch.Tensor
    ) -> None:
        scores = _named_scores(output, layers, images)
        self._scores = {name: _start_copy(tensor) for name, tensor in scores.items()}
        self._copied = []
        for device in {tensor.device for tensor in scores.values() if tensor.is_cuda}:
            self._copied.append(torch.cuda.Event())  # type: ignore[no-untyped-call]  # torch's
            self._copied[-1].record(torch.cuda.current_stream(device))

    @property
    def is_ready(self) -> bool:
        """True if there is nothing to wait for: no GPU has made the scores."""
        return not self._copied

    def wait(self) -> dict[str, torch.Tensor]:
        """Return the scores of each layer by its name, float32 [B, K, S, S] on the CPU."""
        for copied in self._copied:
            copied.synchronize()
        return self._scores


def _start_copy(scores: torch.Tensor) -> torch.Tensor:
    """Copy scores to the CPU; from a GPU, without waiting for them."""
    scores = scores.to(torch.float32)
    if not scores.is_cuda:
        return scores.cpu()
    return torch.empty_like(scores, device="cpu", pin_memory=True).copy_(scores, non_blocking=True)


def _named_scores(
    output: NetworkOutput, layers: Sequence[Layer], images: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Return the scores of each layer by its name, [B, K, S, S]."""
    named: Mapping[str, Scores]
    names = [layer.name for layer in layers]
    if isinstance(output, Mapping):
        named = output
    else:
        outputs: list[Scores] = [output]  # type: ignore[list-item]  # Narrowed by the next line.
        if isinstance(output, list | tuple):
            outputs = list(output)
        if len(outputs) != len(layers):
            raise ValueError(f"the network returned {len(outputs)} outputs for the layers {names}")
        named = dict(zip(names, outputs, strict=True))
    scores = {}
    for layer in layers:
        if layer.name not in named:
            raise ValueError(f"the network returned {sorted(named)}, not {layer.name!r}")
        tensor = torch.as_tensor(named[layer.name])
        wanted = (len(images), layer.channels, *images.shape[-2:])
        if tensor.shape != wanted:
            fault = f"{tuple(tensor.shape)} for {layer.name!r}, not {wanted}"
            raise ValueError(f"the network returned {fault}")
        scores[layer.name] = tensor
    return scores
