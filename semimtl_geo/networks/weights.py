"""Files of weights: safe loading, and adaptation to an encoder."""

from __future__ import annotations

import pickle
import struct
import warnings
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from semimtl_geo.networks.encoder import Encoder
from semimtl_geo.networks.pretrained import (
    IMAGENET,
    PACKAGED,
    TORCHGEO,
    fetch_torchgeo,
    packaged_file,
)
from tiles.errors import InputError

# Errors of torch's restricted unpickler and of zipfile for damaged or foreign files.
_DAMAGED = (
    pickle.UnpicklingError,
    struct.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
_HEADS = ("fc.", "classifier.", "head.", "last_linear.")


def read_state_dict(path: Path) -> Mapping[str, Any]:
    """Read a file of tensors without running any code in it.

    Raises:
        InputError: If it is missing, or holds anything but tensors and plain values.
    """
    if not path.is_file():
        fault = "is a folder" if path.is_dir() else "no such file"
        raise InputError(path, fault, "check the path")
    damaged = "use a file saved by torch.save(state_dict) or safetensors"
    try:
        path.open("rb").close()  # zipfile would take a file that may not be read for no archive
        if path.suffix == ".safetensors":
            return load_file(path)
        # torch reads the parts of its archives without looking at their checksums.
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                broken = archive.testzip()
            if broken is not None:
                raise InputError(path, f"is damaged: the checksum of {broken} differs", damaged)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # The InputError describes the fault of the file.
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        raise InputError(
            path,
            "cannot be loaded safely: it is damaged, or holds more than tensors and plain values",
            damaged,
        ) from error
    except SafetensorError as error:
        fault = f"is a damaged safetensors file ({error})"
        raise InputError(path, fault, "fetch it again") from error
    except OSError as error:
        fault = f"cannot be read ({error.strerror or error})"
        raise InputError(path, fault, "check the file and its permissions") from error
    if not isinstance(loaded, Mapping) or not all(isinstance(key, str) for key in loaded):
        raise InputError(path, "holds no state dict", "use a file saved by torch.save(state_dict)")
    return loaded


def build_encoder(settings: Encoder, in_channels: int) -> nn.Module:
    """Make an encoder, with the weights that its settings name.

    Args:
        settings: Encoder, and the weights that it starts from.
        in_channels: Bands of an image. If the file's first convolution has another number, its
            bands are repeated cyclically and rescaled to preserve the size of activations.

    Raises:
        InputError: If it cannot be built, or its weights cannot be loaded safely, or do not fit.
    """
    encoder = settings.build(in_channels)
    weights = settings.weights
    if weights is not None and weights.startswith(TORCHGEO):
        _load(encoder, weights, fetch_torchgeo(weights.removeprefix(TORCHGEO)))
    elif weights == IMAGENET and settings.name in PACKAGED:
        file = packaged_file(settings.name)
        _load(encoder, file, read_state_dict(file))
    elif weights not in (None, IMAGENET):
        _load(encoder, weights, read_state_dict(Path(weights)))
    return encoder


def _load(encoder: nn.Module, source: str | Path, state: Mapping[str, Any]) -> None:
    """Load weights into an encoder; the source is named in errors."""
    if isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    own = encoder.state_dict()
    # segmentation_models_pytorch wraps timm's models as `.model`.
    prefix = "model." if all(key.startswith("model.") for key in own) else ""
    if not any(key.startswith(prefix) for key in state):
        state = {prefix + key: value for key, value in state.items()}
    state = {k: v for k, v in state.items() if not k.removeprefix(prefix).startswith(_HEADS)}
    first = next(key for key, value in own.items() if value.ndim == 4)
    if isinstance(state.get(first), Tensor):
        state |= {first: _with_bands(state[first], own[first].shape[1])}
    missing = {key for key in own if not key.endswith("num_batches_tracked")} - state.keys()
    foreign = state.keys() - own.keys()
    misshapen = {
        key
        for key in own.keys() & state.keys()
        if not isinstance(state[key], Tensor) or state[key].shape != own[key].shape
    }
    odd = sorted(missing | foreign | misshapen)
    if odd:
        raise InputError(
            source,
            f"is not of this encoder: {len(odd)} entries do not fit, {odd[0]} among them",
            "give the weights of the encoder that the configuration names",
        )
    own.update(state)
    # The smp class's own method would look for its classification head.
    nn.Module.load_state_dict(encoder, own)


def _with_bands(weight: Tensor, bands: int) -> Tensor:
    """Return the weight ``[O, C, h, w]`` of a convolution for another number of bands."""
    if weight.ndim != 4 or weight.shape[1] == bands:
        return weight
    turns = torch.arange(bands) % weight.shape[1]
    return weight[:, turns] * (weight.shape[1] / bands)


def entries_by_tensor(network: nn.Module) -> list[tuple[Sequence[str], Tensor]]:
    """Return the tensors of a network's state dict, each with the names of all its entries.

    BatchNorm with statistics per domain has several entries for one scale and one shift.
    """
    names: dict[int, list[str]] = {}
    tensors: dict[int, Tensor] = {}
    for name, value in network.state_dict(keep_vars=True).items():
        names.setdefault(id(value), []).append(name)
        tensors[id(value)] = value
    return [(names[key], tensors[key]) for key in names]


def load_weights(network: nn.Module, weights: Mapping[str, Any]) -> None:
    """Load a state dict in which one entry of each tensor is enough.

    Raises:
        RuntimeError: If a tensor is missing, too many, or of another shape.
    """
    copies = {
        other: weights[name]
        for names, _ in entries_by_tensor(network)
        for name in names
        for other in names
        if name in weights and other not in weights
    }
    network.load_state_dict({**weights, **copies})
