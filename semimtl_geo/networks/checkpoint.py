"""Reading trained networks with their model cards from files, without running code in them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from semimtl_geo.networks.description import ModelDescription
from semimtl_geo.networks.discriminator import Discriminator
from semimtl_geo.networks.generator import Generator
from semimtl_geo.networks.model_card import ModelCard
from semimtl_geo.networks.shared_file import FETCH, SUFFIX, read_shared_file
from semimtl_geo.networks.weights import load_weights, read_state_dict
from tiles.errors import InputError
from tiles.files import atomic_write, write_errors

KEY: Final = "semimtl_geo"
"""Key of the card in a Lightning checkpoint."""

# Errors that the libraries raise for an invalid card, or for weights that do not fit it.
_IMPOSSIBLE = (
    InputError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


def load_networks(
    path: str | PathLike[str],
) -> tuple[ModelCard, Generator, dict[str, Discriminator]]:
    """Read trained networks; no code in the file is run.

    Args:
        path: A checkpoint written by training, or a shared ``.safetensors`` file.

    Returns:
        Their card, the generator, and the discriminators by task (none if it has none), in
        evaluation mode on the CPU.

    Raises:
        InputError: If the file is missing, cannot be loaded safely, or is of something else.

    Example:
        >>> card, generator, discriminators = load_networks("semimtl.ckpt")
        >>> generator.training
        False
    """
    path = Path(path)
    read, remedy = _read_checkpoint, "give a checkpoint that `semimtl-geo train` wrote"
    if path.suffix == SUFFIX:
        read, remedy = _read_shared, FETCH
    plain, weights, texts = read(path)
    try:
        card = ModelCard.from_plain(plain)
        if texts is not None:
            card = replace(card, description=ModelDescription.from_plain(texts))
        generator = card.build_generator()
        discriminators = card.build_discriminators()
        load_weights(generator, _below("generator.", weights))
        for name, discriminator in discriminators.items():
            discriminator.load_state_dict(_below(f"discriminators.{name}.", weights))
            discriminator.eval()
        for network in (generator, *discriminators.values()):
            _check_finite(network)
    except _IMPOSSIBLE as error:
        fault = f"is damaged, or of another version ({' '.join(str(error).split())[:200]})"
        raise InputError(path, fault, remedy) from error
    return card, generator.eval(), discriminators


_Content = tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, str] | None]
"""Plain card, weights of all networks, and the texts of a description, as a file holds them."""


def _read_checkpoint(path: Path) -> _Content:
    checkpoint = read_state_dict(path)
    if KEY not in checkpoint or "state_dict" not in checkpoint:
        remedy = "give a checkpoint that `semimtl-geo train` wrote"
        raise InputError(path, "is not a checkpoint of semimtl_geo", remedy)
    return checkpoint[KEY], checkpoint["state_dict"], None


def _read_shared(path: Path) -> _Content:
    weights, card, texts = read_shared_file(path)
    return card, {f"generator.{name}": value for name, value in weights.items()}, texts


def update_card(path: str | PathLike[str], **entries: float | None) -> None:
    """Change entries of the model card in a checkpoint.

    Args:
        path: A checkpoint written by training.
        **entries: Values by the names of the card's attributes.

    Raises:
        InputError: If the checkpoint cannot be read or written.
        ValueError: If a value is impossible; the checkpoint stays as it is.
    """
    path = Path(path)
    content = dict(read_state_dict(path))
    content[KEY] = {**content[KEY], **entries}
    ModelCard.from_plain(content[KEY])
    with write_errors(path), atomic_write(path) as part:
        torch.save(content, part)


def load_generator(path: str | PathLike[str]) -> tuple[ModelCard, Generator]:
    """Read a trained generator; see :func:`load_networks`."""
    card, generator, _ = load_networks(path)
    return card, generator


def _check_finite(network: nn.Module) -> None:
    for name, value in network.state_dict().items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise ValueError(f"{name} is not finite")


def _below(prefix: str, weights: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)
    }


def fingerprint(path: str | PathLike[str]) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
