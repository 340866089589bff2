"""Model cards for the Hugging Face hub: README.md with the metadata that it reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from semimtl_geo.networks.description import ModelDescription
from semimtl_geo.networks.model_card import ModelCard
from tiles.files import write_errors, write_text

USE = """## Use

```python
from semimtl_geo import Mapper

maps = Mapper.load("{model}").map("orthophoto.tif", "maps")
```

Input: {bands}{ground}. {files}
"""


def write_hub_card(
    target: Path,
    card: ModelCard,
    description: ModelDescription,
    model: Path,
    others: Sequence[Path],
) -> None:
    """Write the model card.

    Args:
        target: The file, ``README.md`` in the folder of the model.
        card: Settings of the network.
        description: Data, licences, scores and limits.
        model: The ``.safetensors`` file.
        others: The other files of the network.

    Raises:
        InputError: If the file cannot be written.
    """
    metadata = {
        "library_name": "semimtl-geo",
        "pipeline_tag": "image-segmentation",
        "tags": ["remote-sensing", "land-cover", "height-estimation", "multi-task", "onnx"],
    }
    ground = f" at {card.gsd:g} m per pixel" if card.gsd is not None else ""
    named = ", ".join(f"`{file.name}`" for file in others)
    use = USE.format(
        model=model.name,
        bands=", ".join(card.bands),
        ground=ground,
        files=f"The same network for other programs: {named}." if named else "",
    )
    head = yaml.safe_dump(metadata, sort_keys=False)
    with write_errors(target):
        write_text(target, f"---\n{head}---\n{description.to_markdown()}\n{use}")
