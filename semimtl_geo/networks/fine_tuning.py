"""Fine-tuning: a network that starts from the weights of a trained one."""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Sequence
from os import PathLike

import torch
from torch import Tensor, nn

from semimtl_geo.networks.checkpoint import load_generator
from tiles.errors import InputError

_DOMAIN = re.compile(r"\.norms\.\d+\.")
"""Part of the name of a tensor that belongs to BatchNorm with statistics per domain."""


def start_from(network: nn.Module, path: str | PathLike[str], bands: Sequence[str] = ()) -> None:
    """Copy the weights of a trained network into another one, wherever the layers are the same.

    BatchNorm statistics of every domain become the mean over the domains of the trained network.
    A decoder of another task, width or kind keeps the values that it has, which a warning says.

    Args:
        network: The network that is to be trained, a :class:`~semimtl_geo.networks.Generator`.
        path: A checkpoint or a shared file, as for :func:`~semimtl_geo.networks.load_networks`.
        bands: Names of the bands that the network will see. A warning says if they are others than
            the trained network's.

    Raises:
        InputError: If the file cannot be used, or its encoder is another one.

    Example:
        >>> from semimtl_geo.models import find_model
        >>> card, network = load_generator(find_model("towns"))
        >>> start_from(network, find_model("towns"))
    """
    card, trained = load_generator(path)
    found: dict[str, list[Tensor]] = defaultdict(list)
    for name, value in trained.state_dict().items():
        found[_DOMAIN.sub(".", name)].append(value)
    own, odd = network.state_dict(), []
    for name, value in own.items():
        values = found.get(_DOMAIN.sub(".", name), [])
        if not values or values[0].shape != value.shape:
            odd.append(name)
            continue
        # Only BatchNorm statistics differ between domains; the mean of equal copies is the same.
        own[name] = torch.stack(values).double().mean(0).to(value.dtype)
    if any(name.startswith("encoder.") for name in odd):
        fault = f"has another encoder or other bands: {card.encoder.name}, {', '.join(card.bands)}"
        raise InputError(path, fault, "set model.encoder and model.bands as in its model card")
    network.load_state_dict(own)
    if bands and [name.lower() for name in bands] != [name.lower() for name in card.bands]:
        fault = f"was trained on {', '.join(card.bands)}, and starts here on {', '.join(bands)}"
        warnings.warn(f"{path}: {fault}", stacklevel=2)
    if decoders := sorted({name.split(".")[1] for name in odd}):
        missing = ", ".join(decoders)
        fault = f"lacks layers of these decoders, which keep their initial weights: {missing}"
        warnings.warn(f"{path}: {fault}", stacklevel=2)
