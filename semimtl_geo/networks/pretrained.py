"""Named weights of encoders: ImageNet's from the package or a hub, and torchgeo's."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

from tiles.errors import InputError

IMAGENET: Final = "imagenet"
"""Name of the weights that classify ImageNet."""

PACKAGED: Final = ("mobilenet_v2",)
"""Encoders whose ImageNet weights are in the package, so that nothing is downloaded. Their source
and licence are in ``semimtl_geo/networks/imagenet/README.md``."""

TORCHGEO: Final = "torchgeo:"
"""Prefix of the names of torchgeo's weights, which were trained on images from above."""


def packaged_file(encoder: str) -> Path:
    """Return the file of ImageNet weights of an encoder of :data:`PACKAGED`."""
    folder = resources.files("semimtl_geo.networks") / "imagenet"
    return Path(str(folder / f"{encoder}.safetensors"))


def fetch_torchgeo(name: str) -> Mapping[str, Any]:
    """Fetch weights of torchgeo, or read them from the cache of torch.hub.

    Args:
        name: Name of the weights, such as ``ResNet50_Weights.FMOW_RGB_GASSL``.

    Raises:
        InputError: If torchgeo has no such weights, or they cannot be fetched.
    """
    from torchgeo.models import get_weight

    try:
        weights = get_weight(name)
    except ValueError as error:
        fault = "is not the name of weights in torchgeo"
        remedy = "give one such as torchgeo:ResNet50_Weights.FMOW_RGB_GASSL"
        raise InputError(f"weights {TORCHGEO}{name}", fault, remedy) from error
    try:
        # Without weights_only, a file with code in it would run that code.
        state: Mapping[str, Any] = weights.get_state_dict(
            progress=False, check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError) as error:
        fault = f"cannot be fetched ({str(error)[:200]})"
        remedy = "give the file as weights, or check the internet connection"
        raise InputError(f"weights {TORCHGEO}{name}", fault, remedy) from error
    return state
