"""Training and mapping on a GPU: images and pixels per second, and peak memory.

    python benchmarks/gpu.py [--encoder resnet101] [--crop 384] [--batch 4] [--steps 30]
                             [--precision bf16-mixed] [--rounds 3] [--plain] [--device cuda]
                             [--warm-up 5] [--map-size 10240] [--write]

Prints two Markdown tables. The first, from one run in one precision with chips in memory:

- forward and backward: the generator alone on the same chips, which are on the GPU already, domain
  by domain: supervised losses and their gradients; no optimiser, discriminators or Lightning;
- JTL, SemiMTL: whole iterations of the trainer under Lightning, with copies of the chips from
  pinned memory, augmentation (--plain: none), the paper's decoders and discriminators, and both
  optimisers;
- images per second: of all domains together; medians, the three taking turns;
- share: images per second divided by those of forward and backward;
- over JTL: time per step divided by that of JTL;
- peak memory: the most that torch had allocated on the GPU.

The second, of a network with the same encoder and random weights, in tiles of two crops that
overlap by an eighth of one, in the precision that is measured to be fastest:

- pass: the network alone, once over each pixel of tiles that do not overlap, copies from the CPU
  included;
- map: `Mapper.map`, from the orthophoto's file to both maps as finished Cloud Optimized GeoTIFFs;
- share: pixels per second divided by those of the pass. Least seconds of all rounds.

Without a GPU it says so and exits with status 2; --device cpu runs it anyway, to see that it works:
--device cpu --precision 32-true --encoder resnet18 --crop 64 --batch 2 --steps 2.
"""

from __future__ import annotations

import argparse
import gc
import statistics
from collections.abc import Callable
from typing import Any

import lightning
import torch
from map_time import papers_network, time_map
from measuring import made_on, make_parser, publish, quiet, say, table
from stopwatch import now
from torch import Tensor
from torch.utils.data import DataLoader

from semimtl_geo.data.augmentation import Augmentation
from semimtl_geo.learning.systems import SYSTEMS, SystemName
from semimtl_geo.networks.encoder import Encoder
from semimtl_geo.tasks import Depth, Segmentation
from semimtl_geo.training.module import SemiMTL

SUPERVISED = {"a": ["landcover"], "b": ["height"]}
BARE = "forward and backward"
PRECISIONS = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16, "32-true": torch.float32}

Chips = dict[str, dict[str, Tensor]]


def make_chips(batch: int, crop: int) -> Chips:
    """One batch of every domain."""
    generator = torch.Generator().manual_seed(0)
    labels = {
        "landcover": torch.randint(0, 6, (batch, crop, crop), generator=generator),
        "height": 20 * torch.rand(batch, crop, crop, generator=generator),
    }
    return {
        name: {
            "image": torch.rand(batch, 3, crop, crop, generator=generator),
            **{task: labels[task] for task in supervised},
        }
        for name, supervised in SUPERVISED.items()
    }


class Augmented(SemiMTL):
    """Augments chips where the data module, which reads files, would."""

    augment = Augmentation().build()

    def on_after_batch_transfer(self, batch: Chips, dataloader_idx: int) -> Chips:
        return {name: self.augment(data) for name, data in batch.items()}


def make_model(
    system: SystemName, args: argparse.Namespace, kind: type[SemiMTL] = SemiMTL
) -> SemiMTL:
    encoder = Encoder(args.encoder, weights=None)
    return kind(
        [Segmentation(), Depth()], SUPERVISED, system=system, encoder=encoder, crop=args.crop
    )


class Clock(lightning.Callback):
    """When the steps that count began and ended; in between, nobody waits for the device."""

    def __init__(self, first: int, last: int) -> None:
        self.first = first
        self.last = last
        self.began = self.ended = 0.0

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx == self.first:
            self.began = now()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx == self.last:
            self.ended = now()


def train(system: SystemName, chips: Chips, args: argparse.Namespace) -> float:
    """Seconds of an iteration of the trainer."""
    model = make_model(system, args, SemiMTL if args.plain else Augmented)
    steps = args.warm_up + args.steps
    clock = Clock(args.warm_up, steps - 1)
    trainer = lightning.Trainer(
        max_steps=steps,
        accelerator="gpu" if args.device == "cuda" else "cpu",
        devices=1,
        precision=args.precision,
        callbacks=[clock],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    pinned = args.device == "cuda"
    batches = [chips] * steps
    loader: DataLoader[Any] = DataLoader(batches, batch_size=None, pin_memory=pinned)
    trainer.fit(model, loader)
    return (clock.ended - clock.began) / args.steps


def forward_and_backward(chips: Chips, args: argparse.Namespace) -> float:
    """Seconds of the generator's forward and backward pass on the same chips."""
    model = make_model("jtl", args).to(args.device).train()
    chips = {
        name: {key: pixels.to(args.device) for key, pixels in data.items()}
        for name, data in chips.items()
    }

    def step() -> None:
        model.generator.zero_grad()
        for k, data in enumerate(chips.values()):
            model.generator.use_domain(k)
            mixed = args.precision != "32-true"
            with torch.autocast(args.device, PRECISIONS[args.precision], enabled=mixed):
                outputs = model.generator(data["image"])
                loss = torch.stack(
                    [
                        task.weight * task.loss(outputs[task.name], task.target(data[task.label]))
                        for task in model.tasks
                        if task.label in data
                    ]
                ).sum()
            loss.backward()

    for _ in range(args.warm_up):
        step()
    began = now()
    for _ in range(args.steps):
        step()
    return (now() - began) / args.steps


def measure(args: argparse.Namespace) -> list[str]:
    """Measure training; all three take turns. Returns the lines of the table."""
    chips = make_chips(args.batch, args.crop)
    images = args.batch * len(SUPERVISED)
    work: dict[str, Callable[[], float]] = {
        BARE: lambda: forward_and_backward(chips, args),
        SYSTEMS["jtl"].title: lambda: train("jtl", chips, args),
        SYSTEMS["semimtl"].title: lambda: train("semimtl", chips, args),
    }
    seconds: dict[str, list[float]] = {name: [] for name in work}
    peaks = dict.fromkeys(work, 0)
    for number in range(args.rounds):
        for name, run in work.items():
            if args.device == "cuda":
                gc.collect()  # a trainer and its model hold each other
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            seconds[name].append(run())
            if args.device == "cuda":
                peaks[name] = max(peaks[name], torch.cuda.max_memory_allocated())
            say(f"round {number + 1} of {args.rounds}, {name}: {seconds[name][-1]:.3f} s")
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    joint = medians[SYSTEMS["jtl"].title]
    rows = [
        (
            name,
            f"{1000 * median:.1f}",
            f"{images / median:.1f}",
            f"{medians[BARE] / median:.2f}",
            "" if name == BARE else f"{median / joint:.2f}",
            f"{peaks[name] / 2**30:.1f}" if peaks[name] else "-",
        )
        for name, median in medians.items()
    ]
    head = ("", "ms per step", "images per second", "share", "over JTL", "peak GiB")
    return [
        f"{device_name(args)}: {args.encoder}, crop {args.crop}, "
        f"{args.batch} + {args.batch} images, {args.precision}, "
        f"{'no augmentation' if args.plain else 'augmentation on the device'}, medians of "
        f"{args.rounds} rounds of {args.steps} steps",
        "",
        *table(head, rows),
        "",
    ]


def device_name(args: argparse.Namespace) -> str:
    return torch.cuda.get_device_name() if args.device == "cuda" else "CPU"


def measure_mapping(args: argparse.Namespace) -> list[str]:
    """Measure a map; returns the lines of the table."""
    size, tile, overlap = args.map_size, 2 * args.crop, args.crop // 8
    network = papers_network(args.encoder, args.crop, tile, overlap, args.device)
    seconds = time_map("map", network, size, args.rounds)
    rows = [
        (name, f"{taken:.2f}", f"{size**2 / 1e6 / taken:.1f}", f"{seconds.bare / taken:.2f}")
        for name, taken in (("pass", seconds.bare), ("map", seconds.map))
    ]
    return [
        f"{device_name(args)}: {args.encoder}, {size} x {size} px, tiles of {tile} px that overlap "
        f"by {overlap}, {seconds.precision}",
        "",
        *table(("", "s", "million pixels per second", "share"), rows),
        "",
    ]


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--encoder", default="resnet101")
    parser.add_argument("--crop", type=int, default=384)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument(
        "--warm-up", type=int, default=5, help="steps before the clock: cuDNN tries its algorithms"
    )
    parser.add_argument("--precision", choices=PRECISIONS, default="bf16-mixed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plain", action="store_true", help="without augmentation")
    parser.add_argument(
        "--map-size", type=int, default=10240, help="edge of the map: a multiple of 512 px"
    )
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.exit(2, "benchmarks/gpu.py: this machine has no GPU that torch can use\n")
    quiet()
    lines = [*measure(args), *measure_mapping(args)]
    lines.append(made_on(["lightning", "segmentation-models-pytorch", "kornia"]))
    publish("Training and mapping on a GPU", lines, args.write)


if __name__ == "__main__":
    main()
