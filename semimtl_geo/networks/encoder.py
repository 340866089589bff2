"""The shared encoder: any of segmentation_models_pytorch's, dilated, weights loaded safely."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import segmentation_models_pytorch.encoders as smp_encoders
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from tiles.errors import InputError

# What torch's restricted unpickler raises on bytes that are no pickle, or one of something else.
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
)
_HEADS = ("fc.", "classifier.", "head.", "last_linear.")


@dataclass(frozen=True)
class Encoder:
    """Which encoder, and what it starts from.

    Attributes:
        name: A name of segmentation_models_pytorch (``resnet101``), or ``tu-`` and a name of timm.
        weights: ``imagenet``; or a file with a state dict (``.safetensors``, or ``.pth`` of plain
            tensors) of this architecture, such as torchvision's or timm's; or None: random.
        output_stride: The features are this many times smaller than the image; the last stages are
            dilated for it (section 3.4 and PSPNet: 8).
        options: Further arguments of a timm model (``channels`` of a slimmer ResNet, say).
    """

    name: str = "resnet101"
    weights: str | None = "imagenet"
    output_stride: int = 8
    options: dict[str, Any] = field(default_factory=dict)

    def build(self, in_channels: int) -> nn.Module:
        """Make the encoder, its weights loaded.

        Args:
            in_channels: Bands of an image.

        Raises:
            InputError: If the name is unknown, or the weights cannot be loaded.
        """
        weights = self.weights if self.weights == "imagenet" else None
        file_bands = 3 if self.weights not in (None, "imagenet") else in_channels
        try:
            encoder: nn.Module = smp_encoders.get_encoder(
                self.name,
                in_channels=file_bands,
                depth=5,
                weights=(True if weights and self.name.startswith("tu-") else weights),
                output_stride=self.output_stride,
                **self.options,
            )
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise InputError(
                f"encoder {self.name}",
                f"cannot be built ({str(error)[:200]})",
                "use a name of segmentation_models_pytorch, or tu- and a name of timm",
            ) from error
        except OSError as error:  # the hub's errors, when it cannot be reached
            raise InputError(
                f"encoder {self.name}",
                f"its ImageNet weights cannot be fetched ({str(error)[:200]})",
                "give a local file as weights, or none",
            ) from error
        if self.weights not in (None, "imagenet"):
            _load(encoder, Path(str(self.weights)))
            if in_channels != file_bands:
                _set_bands(encoder, in_channels)
        return encoder


def read_state_dict(path: Path) -> Mapping[str, Any]:
    """Read a file of tensors without running any code in it.

    Raises:
        InputError: If it is missing, or holds anything but tensors and plain values.
    """
    if not path.is_file():
        raise InputError(path, "no such file", "check the path")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        raise InputError(
            path,
            "cannot be loaded safely: it is damaged, or holds more than tensors and plain values",
            "use a file saved by torch.save(state_dict) or safetensors",
        ) from error
    except SafetensorError as error:
        raise InputError(path, f"damaged safetensors file ({error})", "fetch it again") from error
    if not isinstance(loaded, Mapping) or not all(isinstance(key, str) for key in loaded):
        raise InputError(path, "holds no state dict", "use a file saved by torch.save(state_dict)")
    return loaded


def _load(encoder: nn.Module, path: Path) -> None:
    state = read_state_dict(path)
    if isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]
    own = encoder.state_dict()
    # segmentation_models_pytorch wraps timm's models as `.model`.
    prefix = "model." if all(key.startswith("model.") for key in own) else ""
    if not any(key.startswith(prefix) for key in state):
        state = {prefix + key: value for key, value in state.items()}
    state = {k: v for k, v in state.items() if not k.removeprefix(prefix).startswith(_HEADS)}
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
            path,
            f"is not of this encoder: {len(odd)} entries do not fit, {odd[0]} among them",
            "give the weights of the encoder that the configuration names",
        )
    own.update(state)
    # The smp class's own method would look for its classification head.
    nn.Module.load_state_dict(encoder, own)


def _set_bands(encoder: nn.Module, bands: int) -> None:
    """Adapt the first convolution to another number of bands, keeping the scale of its answers."""
    for parent in encoder.modules():
        for name, child in parent.named_children():
            if isinstance(child, nn.Conv2d):
                new = nn.Conv2d(
                    bands,
                    child.out_channels,
                    child.kernel_size,  # type: ignore[arg-type]  # torch types it as any-length
                    child.stride,  # type: ignore[arg-type]
                    child.padding,  # type: ignore[arg-type]
                    child.dilation,  # type: ignore[arg-type]
                    bias=child.bias is not None,
                )
                with torch.no_grad():
                    cycle = torch.arange(bands) % child.in_channels
                    new.weight.copy_(child.weight[:, cycle] * (child.in_channels / bands))
                    if child.bias is not None and new.bias is not None:
                        new.bias.copy_(child.bias)
                setattr(parent, name, new)
                return
