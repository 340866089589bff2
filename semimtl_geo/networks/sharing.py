"""Writing trained networks to files that can be shared: small, safe to load, and described."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from pathlib import Path

import torch

from semimtl_geo.networks.checkpoint import load_generator
from semimtl_geo.networks.description import ModelDescription
from semimtl_geo.networks.shared_file import SUFFIX, write_shared_file
from semimtl_geo.networks.weights import entries_by_tensor
from tiles.errors import InputError, InvalidValueError
from tiles.files import atomic_write, output_path, write_errors


def save_model(
    checkpoint: str | PathLike[str], out: str | PathLike[str], description: ModelDescription
) -> Path:
    """Write the generator of a checkpoint to a ``.safetensors`` file with its model card.

    The file has half the size of the weights: they are rounded to float16. It holds no state of the
    optimiser, no discriminators (so that it cannot map plausibility), and nothing
    about the machine that it was made on. :meth:`semimtl_geo.Mapper.load` reads it.

    Args:
        checkpoint: A checkpoint that training wrote, or another shared file.
        out: The file, whose name ends in ``.safetensors``.
        description: The model card's text.

    Returns:
        The file.

    Raises:
        InputError: If the checkpoint cannot be used, its weights exceed the range of float16, or
            the file cannot be written.

    Example:
        >>> description = ModelDescription(
        ...     title="Two cities",
        ...     data="Synthetic scenes.",
        ...     licences="MIT.",
        ...     scores="None were measured.",
        ...     limits="It has never seen a real city.",
        ... )
        >>> file = save_model("semimtl.ckpt", "cities.safetensors", description)
        >>> file.stat().st_size < Path("semimtl.ckpt").stat().st_size / 2
        True
        >>> from semimtl_geo import Mapper
        >>> Mapper.load(file).card.description.title
        'Two cities'
    """
    target = output_path(out)
    if target.suffix != SUFFIX:
        raise InvalidValueError(target, f"does not end in {SUFFIX}", f"name it MODEL{SUFFIX}")
    card, generator = load_generator(checkpoint)
    tensors = {}
    for names, value in entries_by_tensor(generator):
        tensor = value.detach()
        if isinstance(value, torch.nn.Parameter) and value.is_floating_point():
            tensor = tensor.half()
        if not bool(torch.isfinite(tensor).all()):
            fault = f"has weights that float16 cannot represent ({names[0]})"
            raise InputError(checkpoint, fault, "train with a smaller learning rate")
        tensors[names[0]] = tensor
    shared = replace(card, discriminator_width=0, sources=0)
    with write_errors(target), atomic_write(target) as part:
        write_shared_file(part, tensors, shared.to_plain(), description.to_plain())
    return target
