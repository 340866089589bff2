from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from semimtl_geo.cities import write_cities
from semimtl_geo.networks.encoder import Encoder
from semimtl_geo.tasks import Depth, Segmentation, Task
from semimtl_geo.trainer import SemiMTL
from semimtl_geo.training import packaged_config, train

TINY = Encoder("tu-resnet10t", None, 8, {"channels": [8, 8, 16, 16], "stem_width": 8})
CLASSES = ("ground", "building", "tree")
CROP = 32
COLORS = ((255, 255, 255), (0, 0, 255), (0, 255, 0))
Batch = dict[str, dict[str, Tensor]]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def make_tasks() -> list[Task]:
    return [
        Segmentation("landcover", 1.0, classes=CLASSES, colors=COLORS),
        Depth("height", 0.5, 0.7, scale=10.0, adversary_gain=3.0),
    ]


@pytest.fixture
def make_model() -> Callable[..., SemiMTL]:
    """A network small enough for a test; settings as keywords."""

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
    """Random images and labels, a tenth of the labels unknown."""
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


@dataclass(frozen=True)
class Run:
    """What a training run leaves, and what it learnt from."""

    cities: Path
    out: Path
    args: tuple[str, ...]

    @property
    def checkpoint(self) -> Path:
        return self.out / "semimtl.ckpt"


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """SemiMTL on the embedded cities as a user trains it, for two iterations."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("run")
    write_cities(folder / "cities", scenes=1, size=96)
    args = (
        f"--config={packaged_config('cities/semimtl.yaml')}",
        f"--data.root={folder / 'cities'}",
        f"--data.crop={CROP}",
        "--data.batch_size=2",
        "--data.iterations=2",
        "--data.workers=0",
        "--model.encoder.options={channels: [8, 8, 16, 16], stem_width: 8}",
        "--model.decoder_width=16",
        "--model.discriminator_width=4",
        "--trainer.max_epochs=1",
        "--trainer.accelerator=cpu",
        "--trainer.log_every_n_steps=1",
        "--trainer.enable_progress_bar=false",
        "--trainer.enable_model_summary=false",
    )
    train([*args, f"--out={folder / 'out'}"])
    return Run(folder / "cities", folder / "out", args)
