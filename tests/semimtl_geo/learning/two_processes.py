"""Trains by one or two processes; test_parallel.py starts it.

python -m tests.semimtl_geo.learning.two_processes OUT PROCESSES [ARGUMENTS OF TRAIN ...]
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader

from semimtl_geo.learning.adversarial import AdversarialSettings
from semimtl_geo.learning.consistency import Consistency
from semimtl_geo.learning.optimisation import Optimisation
from semimtl_geo.tasks import Depth, Segmentation
from semimtl_geo.training.cli import train
from semimtl_geo.training.module import SemiMTL
from tests.semimtl_geo.conftest import CLASSES, COLORS, TINY, Batch

DOMAINS = {"a": ["landcover"], "b": ["height"], "c": []}
STEPS = 3
CHIPS = 4
"""In the batches of all processes together."""


@dataclass(frozen=True)
class Plain(Depth):
    """BerHu's threshold is of a process's own pixels; a mean of absolute errors knows none."""

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output[:, 0] - target / self.scale).abs().mean()


class Halves(lightning.Callback):
    """Gives each process its part of a batch that is the same everywhere."""

    def __init__(self, frozen: bool) -> None:
        self.frozen = frozen

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Batch, index: int) -> None:
        share = CHIPS // trainer.world_size
        mine = slice(trainer.global_rank * share, (trainer.global_rank + 1) * share)
        for data in batch.values():
            for key in data:
                data[key] = data[key][mine]
        for layer in module.modules():
            if self.frozen and isinstance(layer, _BatchNorm):
                layer.eval()


def batches() -> list[Batch]:
    """Every label is known: a mean over known pixels would differ between processes."""
    draw = torch.Generator().manual_seed(3)
    made: list[Batch] = []
    for _ in range(STEPS):
        batch = {name: {"image": torch.rand(CHIPS, 3, 32, 32, generator=draw)} for name in DOMAINS}
        batch["a"]["landcover"] = torch.randint(0, 3, (CHIPS, 32, 32), generator=draw)
        batch["b"]["height"] = 20 * torch.rand(CHIPS, 32, 32, generator=draw)
        made.append(batch)
    return made


def make(prior: Consistency | None = None) -> SemiMTL:
    """The same network in every process."""
    torch.manual_seed(0)
    model = SemiMTL(
        [Segmentation("landcover", 1.0, classes=CLASSES, colors=COLORS), Plain("height", 0.5)],
        DOMAINS,
        encoder=TINY,
        decoder_width=16,
        discriminator_width=4,
        crop=32,
        consistency=prior,
        adversarial=AdversarialSettings(0.1, 0.1),
        # Adam's first steps are the signs of gradients, also of those that are all but zero.
        optimisation=Optimisation(lr=0.1, discriminator_lr=1e-6, clip=1.0),
    )
    for layer in model.modules():
        if isinstance(layer, nn.Dropout2d):
            layer.p = 0.0
    return model


def fit(processes: int, frozen: bool) -> dict[str, Tensor]:
    """A few iterations; returns all that was learnt."""
    # Its loss of the mean heights is of a process's own chips: not what one process learns.
    model = make(None if frozen else Consistency({CLASSES[0]: (0.0, 0.0), CLASSES[1]: (2.0, 30.0)}))
    trainer = lightning.Trainer(
        max_steps=STEPS,
        accelerator="cpu",
        devices=processes,
        strategy="ddp" if processes > 1 else "auto",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=[Halves(frozen)],
    )
    trainer.fit(model, DataLoader(batches(), batch_size=None))  # type: ignore[arg-type]
    return model.state_dict()


def main(out: Path, processes: int, arguments: list[str]) -> None:
    learnt = {"frozen": fit(processes, True), "training": fit(processes, False)}
    rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
    torch.save(learnt, out / f"{rank}.pt")
    train(arguments)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
