"""Model cards for the Hugging Face hub: README.md with the metadata that it reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

from semimtl_geo.export.fixed_network import FixedNetwork
from semimtl_geo.networks.description import ModelDescription
from semimtl_geo.networks.model_card import ModelCard
from tiles.errors import InputError
from tiles.files import write_errors, write_text

LIBRARY: Final = "semimtl-geo"

USE: Final = """## Use

```python
from semimtl_geo import Mapper

maps = Mapper.load("{model}").map("orthophoto.tif", "maps")
```

Input: {bands}{ground}.

For other programs: {files}. They take images `[B, {count}, {tile}, {tile}]` from 0 to 1, and have
the BatchNorm statistics {statistics}.
"""


def check_hub_card(target: Path) -> None:
    """Check that an export would not overwrite a README.md of another origin.

    Raises:
        InputError: If the file exists and is not a model card of this package.
    """
    if target.is_file() and f"library_name: {LIBRARY}" not in target.read_text(
        encoding="utf-8", errors="replace"
    ):
        fault = "is not a model card that an export wrote"
        raise InputError(target, fault, "choose another folder")


def write_hub_card(
    target: Path,
    card: ModelCard,
    description: ModelDescription,
    model: Path,
    others: Sequence[Path],
    network: FixedNetwork,
) -> None:
    """Write the model card.

    Args:
        target: The file, ``README.md`` in the folder of the model.
        card: Settings of the network.
        description: Data, licences, scores and limits.
        model: The ``.safetensors`` file.
        others: The other files of the network.
        network: The network in these.

    Raises:
        InputError: If the file cannot be written.
    """
    metadata = {
        "library_name": LIBRARY,
        "pipeline_tag": "image-segmentation",
        "tags": ["remote-sensing", "land-cover", "height-estimation", "multi-task", "onnx"],
    }
    ground = f" at {card.gsd:g} m per pixel" if card.gsd is not None else ""
    named = ", ".join(f"`{file.name}`" for file in others)
    use = USE.format(
        model=model.name,
        bands=", ".join(card.bands),
        ground=ground,
        files=named,
        count=len(card.bands),
        tile=network.tile,
        statistics=network.statistics,
    )
    head = yaml.safe_dump(metadata, sort_keys=False)
    with write_errors(target):
        write_text(target, f"---\n{head}---\n{description.to_markdown()}\n{use}")
