"""What a step of SemiMTL costs over a step of JTL, with the same network, in one run.

    python benchmarks/step.py [--encoder resnet18] [--crop 128] [--batch 2] [--rounds 3] [--write]

Prints a Markdown table, of medians. The two take turns, so that a machine whose speed drifts tells
on both.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import lightning
import torch
from measuring import made_on, make_parser, publish, table
from torch.utils.data import DataLoader

from semimtl_geo.networks.encoder import Encoder
from semimtl_geo.tasks import Depth, Segmentation
from semimtl_geo.trainer import SemiMTL

DOMAINS = {"a": ["landcover"], "b": ["height"]}
STEPS = 3


class Clock(lightning.Callback):
    """Seconds of each training step."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_batch_start(self, *args: Any) -> None:
        self.start = time.perf_counter()

    def on_train_batch_end(self, *args: Any) -> None:
        self.seconds.append(time.perf_counter() - self.start)


def step_seconds(system: str, encoder: Encoder, crop: int, batch: int, steps: int) -> list[float]:
    tasks = [Segmentation(), Depth()]
    model = SemiMTL(tasks, DOMAINS, system=system, encoder=encoder, crop=crop)  # type: ignore[arg-type]
    data = {
        name: {"image": torch.rand(batch, 3, crop, crop)}
        | (
            {"landcover": torch.randint(0, 6, (batch, crop, crop))}
            if "landcover" in supervised
            else {"height": 20 * torch.rand(batch, crop, crop)}
        )
        for name, supervised in DOMAINS.items()
    }
    clock = Clock()
    trainer = lightning.Trainer(
        max_steps=steps + 1,
        accelerator="cpu",
        precision="bf16-mixed",
        callbacks=[clock],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    loader: DataLoader[Any] = DataLoader([data] * (steps + 1), batch_size=None)
    trainer.fit(model, loader)
    return clock.seconds[1:]


def step(encoder: Encoder, crop: int, batch: int, rounds: int) -> list[str]:
    """Measure both systems; returns the lines of the table."""
    seconds: dict[str, list[float]] = {"jtl": [], "semimtl": []}
    for _ in range(rounds):
        for system, taken in seconds.items():
            taken += step_seconds(system, encoder, crop, batch, STEPS)
    medians = {system: statistics.median(taken) for system, taken in seconds.items()}
    rows = [
        (system, f"{median:.3f}", f"{median / medians['jtl']:.2f}")
        for system, median in medians.items()
    ]
    return [
        f"{encoder.name}, the paper's decoders and discriminators, crop {crop}, {batch} + {batch} "
        f"images, bf16, CPU, medians of {rounds * STEPS} steps",
        "",
        *table(("system", "seconds per step", "over JTL"), rows),
        "",
        made_on(["lightning", "semimtl-geo"]),
    ]


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    encoder = Encoder(args.encoder, weights=None)
    publish("A training step", step(encoder, args.crop, args.batch, args.rounds), args.write)


if __name__ == "__main__":
    main()
