"""Networks as programs of PyTorch (``torch.export``), which need no code of this package."""

from __future__ import annotations

from pathlib import Path

import torch

from semimtl_geo.export.fixed_network import FixedNetwork
from tiles.errors import InputError
from tiles.files import atomic_write, write_errors


def write_program(network: FixedNetwork, file: Path) -> None:
    """Write a network as a ``.pt2`` file for any number of images at once.

    Args:
        network: The network.
        file: The file.

    Raises:
        InputError: If the file cannot be written, or PyTorch cannot export the network.

    Example:
        >>> from semimtl_geo import Mapper
        >>> network = FixedNetwork(Mapper.load("semimtl.ckpt", "cpu").for_domain("city_a"))
        >>> write_program(network, Path("network.pt2"))
        >>> program = torch.export.load("network.pt2").module()
        >>> [answer.shape[0] for answer in program(torch.zeros(3, 3, 32, 32))]
        [3, 3]
    """
    image = network.example()
    # torch.export treats a batch size of 1 as a constant, so the example batch has 2 images.
    batch = {0: torch.export.Dim("batch", min=1)}
    try:
        with torch.no_grad():
            program = torch.export.export(
                network, (image.repeat(2, 1, 1, 1),), dynamic_shapes={"images": batch}
            )
    except (RuntimeError, TypeError, ValueError) as error:
        fault = f"cannot be exported by PyTorch ({' '.join(str(error).split())[:200]})"
        raise InputError(file, fault, "use another encoder") from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it has paths of this machine
    with write_errors(file), atomic_write(file) as part:
        torch.export.save(program, part)
