"""STAC Items of networks, with the Machine Learning Model extension (MLM)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pystac
import torch

from semimtl_geo.export.fixed_network import FixedNetwork
from semimtl_geo.mapping.stac import classifications
from semimtl_geo.networks.description import ModelDescription
from semimtl_geo.networks.model_card import ModelCard
from semimtl_geo.tasks import Segmentation, Task
from tiles.files import write_errors, write_text

EXTENSIONS: Final = (
    "https://stac-extensions.github.io/mlm/v1.5.0/schema.json",
    "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
)
ARTIFACTS: Final = {
    ".onnx": ("ONNX", "application/octet-stream; framework=onnx", "mlm:compiled"),
    ".pt2": (
        "torch.export.save",
        "application/octet-stream; framework=pytorch; profile=export",
        "mlm:compiled",
    ),
    ".safetensors": (
        "safetensors.torch.save_file",
        "application/octet-stream; framework=pytorch",
        "mlm:weights",
    ),
}
"""Artifact type, media type and further role of a file, by its ending."""


def write_model_item(
    target: Path,
    name: str,
    card: ModelCard,
    network: FixedNetwork,
    description: ModelDescription,
    files: Mapping[str, Path],
) -> None:
    """Write the STAC Item of a network; it has no place on earth.

    Args:
        target: The file.
        name: Name of the network, which identifies the Item.
        card: Settings of the network.
        network: The network as it was exported.
        description: Data, licences, scores and limits.
        files: Files of the network, in the folder of `target`, by the names of their assets.

    Raises:
        InputError: If the file cannot be written.
    """
    item = pystac.Item(
        id=name,
        geometry=None,
        bbox=None,
        datetime=datetime.now(UTC),
        properties=_properties(name, card, network, description),
        stac_extensions=[*EXTENSIONS],
    )
    for key, file in files.items():
        artifact, media_type, role = ARTIFACTS[file.suffix]
        more = {
            "mlm:artifact_type": artifact,
            "file:size": file.stat().st_size,
            # STAC allows bands of an Item only if an asset has some.
            "bands": [{"name": band} for band in card.bands],
        }
        words = "One image at a time." if file.suffix == ".onnx" else None
        asset = pystac.Asset(file.name, key, words, media_type, ["mlm:model", role], more)
        item.add_asset(key, asset)
    content = item.to_dict(include_self_link=False, transform_hrefs=False)
    with write_errors(target):
        write_text(target, json.dumps(content, indent=2) + "\n")


def _properties(
    name: str, card: ModelCard, network: FixedNetwork, description: ModelDescription
) -> dict[str, Any]:
    parameters = [*network.generator.parameters()]
    decoders = " and ".join(dict.fromkeys(task.decoder for task in network.tasks))
    edge = network.tile
    return {
        "title": description.title,
        "description": f"{description.data}\n\n{description.limits}",
        **({"gsd": card.gsd} if card.gsd is not None else {}),
        "bands": [{"name": band} for band in card.bands],
        "mlm:name": re.sub(r"\W", "-", f"semimtl-{name}-model", flags=re.ASCII),
        "mlm:architecture": f"{card.encoder.name} with {decoders} decoders",
        "mlm:framework": "PyTorch",
        "mlm:framework_version": torch.__version__.partition("+")[0],
        "mlm:tasks": sorted({_kind(task) for task in network.tasks}),
        "mlm:total_parameters": sum(tensor.numel() for tensor in parameters),
        "mlm:memory_size": sum(tensor.nbytes for tensor in parameters),
        "mlm:accelerator": None,
        "mlm:accelerator_constrained": False,
        "mlm:input": [
            {
                "name": "orthophoto",
                "bands": [*card.bands],
                "input": {
                    "shape": [-1, len(card.bands), edge, edge],
                    "dim_order": ["batch", "bands", "height", "width"],
                    "data_type": "float32",
                },
                "value_scaling": [{"type": "min-max", "minimum": 0, "maximum": 255}],
                "resize_type": None,
                "pre_processing_function": None,
            }
        ],
        "mlm:output": [_output(task, edge) for task in network.tasks],
        "mlm:hyperparameters": {
            "system": card.system,
            "tile": edge,
            "overlap": network.overlap,
            "domains": [*card.domains],
            "statistics": network.statistics,
            "white_of_more_than_8_bits": card.white,
        },
    }


def _output(task: Task, edge: int) -> dict[str, Any]:
    classes: list[dict[str, Any]] = []
    if isinstance(task, Segmentation):
        colors = task.class_colors
        classes = [one.to_dict() for one in classifications([*colors], [*colors.values()])]
    return {
        "name": task.name,
        "tasks": [_kind(task)],
        "result": {
            "shape": [-1, task.channels, edge, edge],
            "dim_order": ["batch", "class" if classes else "value", "height", "width"],
            "data_type": "float32",
        },
        "classification:classes": classes,
        "post_processing_function": None,
    }


def _kind(task: Task) -> str:
    """Return the task's name in MLM's list."""
    return "semantic-segmentation" if isinstance(task, Segmentation) else "regression"
