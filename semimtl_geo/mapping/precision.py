"""Precision that maps are predicted in."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any, Final, Literal, get_args

import torch

from tiles.errors import InvalidValueError

Precision = Literal["auto", "float32", "bfloat16", "float16"]
"""Type of a network's numbers; ``auto`` is that which is measured fastest on the machine."""

PRECISIONS: Final[tuple[Precision, ...]] = get_args(Precision)

GAIN: Final = 0.9
"""Half precision must take less than this share of float32's time to be chosen."""


def check_precision(precision: str) -> Precision:
    """Return a precision by its name.

    Raises:
        InvalidValueError: If there is none of this name.
    """
    for known in PRECISIONS:
        if precision == known:
            return known
    fault = f"must be one of {', '.join(PRECISIONS)}, got {precision!r}"
    raise InvalidValueError("precision", fault, "name one of them")


@lru_cache
def fastest_precision(device: str = "cpu") -> Precision:
    """Measure in which precision convolutions are fastest.

    This takes milliseconds. A network on a CPU with instructions for bfloat16 is 2 to 5 times as
    fast with it; a CPU without them emulates it, 10 times slower than float32.

    Args:
        device: Name of the device.

    Returns:
        ``bfloat16``, or ``float16`` on a GPU without it, where that is faster than ``float32``.

    Example:
        >>> fastest_precision("cpu") in ("bfloat16", "float32")
        True
    """
    kind = torch.device(device).type
    half: Precision = "bfloat16"
    if kind == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        half = "float16"
    # As much work as keeps the device busy: milliseconds of a CPU, or of a GPU.
    count, channels, edge = (4, 64, 32) if kind == "cpu" else (8, 256, 128)
    layer = torch.nn.Conv2d(channels, channels, 3, padding=1).to(device)
    layer = layer.to(memory_format=torch.channels_last)
    images = torch.rand(count, channels, edge, edge, device=device)
    images = images.contiguous(memory_format=torch.channels_last)

    def seconds(precision: Precision) -> float:
        times = []
        with torch.inference_mode(), autocast(kind, precision):
            for _ in range(8):
                start = time.perf_counter()
                layer(images).float().sum().item()  # waits for a GPU
                times.append(time.perf_counter() - start)
        return min(times)

    return half if seconds(half) < GAIN * seconds("float32") else "float32"


def fastest_precision_here() -> Precision:
    """Return the fastest precision on the first GPU of this machine, or on its CPU."""
    return fastest_precision("cuda" if torch.cuda.is_available() else "cpu")


def autocast(kind: str, precision: Precision) -> AbstractContextManager[Any]:
    """Return the context in which a network predicts in a precision.

    Args:
        kind: Kind of the device, such as ``cpu``.
        precision: A precision other than ``auto``.
    """
    if precision == "float32":
        return nullcontext()
    return torch.autocast(kind, torch.float16 if precision == "float16" else torch.bfloat16)
