"""The format of shared models: a safetensors file whose metadata hold the model card.

The entry ``semimtl_geo`` of the metadata is the card as JSON
(:meth:`semimtl_geo.networks.ModelCard.to_plain`); ``title``, ``data``, ``licences``, ``scores`` and
``limits`` describe the model for people (:class:`semimtl_geo.networks.ModelDescription`). Tensors
are those of the generator: parameters are stored as float16, running statistics of BatchNorm as
float32, and parameters that several layers share are stored once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from tiles.errors import InputError, input_errors

SUFFIX: Final = ".safetensors"
CARD: Final = "semimtl_geo"
"""Entry of the metadata with the card."""
DTYPES: Final = (torch.float16, torch.float32, torch.int64)
FETCH: Final = "fetch it again, or give a file that `semimtl-geo export` wrote"


def write_shared_file(
    path: Path, tensors: Mapping[str, Tensor], card: Mapping[str, Any], texts: Mapping[str, str]
) -> None:
    """Write a file of this format.

    Args:
        path: The file.
        tensors: The weights by name, none of which share memory.
        card: The card as plain values.
        texts: The description, by part.
    """
    contiguous = {name: value.contiguous() for name, value in tensors.items()}
    # The library's own function for files raises no OSError when the disk is full.
    path.write_bytes(save(contiguous, {**texts, CARD: json.dumps(card), "format": "pt"}))


def read_shared_file(path: Path) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, str]]:
    """Read a file of this format, which is not trusted: no code in it is run.

    Args:
        path: The file.

    Returns:
        Weights by name, the card as plain values, and the other entries of the metadata.

    Raises:
        InputError: If the file is missing, damaged, or of something else.
    """
    if not path.is_file():
        fault = "is a folder" if path.is_dir() else "no such file"
        raise InputError(path, fault, "check the path")
    with (
        input_errors(path, "is a damaged safetensors file", FETCH, SafetensorError),
        safe_open(path, framework="pt") as file,
    ):
        texts = dict(file.metadata() or {})
        if CARD not in texts:
            raise InputError(path, "is not a model of semimtl_geo: it has no model card", FETCH)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
    try:
        card = json.loads(texts.pop(CARD))
    except (ValueError, RecursionError) as error:
        raise InputError(path, "has a model card that is no JSON", FETCH) from error
    if not isinstance(card, dict):
        raise InputError(path, "has a model card without entries", FETCH)
    for name, value in tensors.items():
        if value.dtype not in DTYPES or not bool(torch.isfinite(value).all()):
            fault = f"has weights that are not finite numbers ({name[:100]})"
            raise InputError(path, fault, FETCH)
    return tensors, card, texts
