from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from semimtl_geo.networks.encoder import Encoder
from semimtl_geo.tasks import Depth, Segmentation, Task
from semimtl_geo.training.module import SemiMTL
from tests.conftest import CROP as CROP
from tests.conftest import Run as Run

TINY = Encoder("tu-resnet10t", None, 8, {"channels": [8, 8, 16, 16], "stem_width": 8})
CLASSES = ("ground", "building", "tree")
COLORS = ((255, 255, 255), (0, 0, 255), (0, 255, 0))
Batch = dict[str, dict[str, Tensor]]


def make_tasks() -> list[Task]:
    return [
        Segmentation("landcover", 1.0, classes=CLASSES, colors=COLORS),
        Depth("height", 0.5, 0.7, scale=10.0, discriminator_gain=3.0),
    ]


@pytest.fixture
def make_model() -> Callable[..., SemiMTL]:
    """Return a function that makes a small model with the settings given as keywords."""

    def make(**settings: object) -> SemiMTL:
        torch.manual_seed(int(settings.pop("seed", 0)))  # type: ignore[call-overload]
        defaults: dict[str, object] = {
            "tasks": make_tasks(),
            "domains": {"a": ["landcover"], "b": ["height"]},
            "encoder": TINY,
            "decoder_width": 16,
            "discriminator_width": 4,
            "crop": 32,
        }
        return SemiMTL(**(defaults | settings))  # type: ignore[arg-type]

    return make


def make_batch(domains: dict[str, list[str]], size: int = 32, count: int = 2) -> Batch:
    """Make random images and labels, of which a tenth are unknown."""
    generator = torch.Generator().manual_seed(1)
    batch: Batch = {}
    for name, supervised in domains.items():
        data = {"image": torch.rand(count, 3, size, size, generator=generator)}
        hidden = torch.rand(count, size, size, generator=generator) < 0.1
        if "landcover" in supervised:
            classes = torch.randint(0, 3, (count, size, size), generator=generator)
            data["landcover"] = torch.where(hidden, 255, classes)
        if "height" in supervised:
            heights = 20 * torch.rand(count, size, size, generator=generator)
            data["height"] = torch.where(hidden, torch.nan, heights)
        batch[name] = data
    return batch
