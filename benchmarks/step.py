"""Measure steps of SemiMTL relative to one of JTL with the same network, and where time goes.

    python benchmarks/step.py [--cases resnet18:128:4,resnet101:384:2] [--rounds 3] [--write]

Prints a Markdown table per case (encoder, crop, chips per domain), with the paper's decoders and
discriminators, training on the synthetic cities as `semimtl-geo train` does: milliseconds per
iteration of JTL, of SemiMTL, and of SemiMTL whose discriminators see blocks of 2 x 2 pixels
(model.adversarial.stride), also with half of the paper's width (model.discriminator_width), or see
blocks of 4 x 4 pixels. The systems take turns in one run, so that a machine whose speed drifts
affects all. Each row is a median, so that the parts need not add up to the row "step"; the
last line is "step" divided by JTL's:

- data: from the end of a step to the next batch: chips read, put together, checked, moved. With
  --workers 0 (as measured by default) nothing of it hides behind the step;
- augmentation: of the batch, on the device that trains;
- generator forward, backward: backward from the losses to its weights;
- discriminators forward: their answers, their losses, and the gradient to the predictions;
  discriminators backward: the gradient to their weights;
- optimisers: of the generator and of the discriminators;
- rest: supervised losses, logs, Lightning.

A step is all of it but data and augmentation; wanted of SemiMTL: at most 1.15 times JTL's with
ResNet101 at crop 384, and 1.4 times with ResNet18 at crop 128.
"""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from measuring import made_on, make_parser, publish, quiet, say, table
from stopwatch import Stopwatch, now

from semimtl_geo.data import Domain, DomainsDataModule
from semimtl_geo.learning.adversarial import AdversarialSettings
from semimtl_geo.learning.systems import SystemName
from semimtl_geo.networks.encoder import Encoder
from semimtl_geo.synthetic import write_cities
from semimtl_geo.tasks import Depth, Segmentation
from semimtl_geo.training.module import SemiMTL

SUPERVISED = {"city_a": ["landcover"], "city_b": ["height"]}
RUNS: dict[str, tuple[SystemName, int, int]] = {
    "JTL": ("jtl", 1, 64),
    "SemiMTL": ("semimtl", 1, 64),
    "stride 2": ("semimtl", 2, 64),
    "stride 2, width 32": ("semimtl", 2, 32),
    "stride 4": ("semimtl", 4, 64),
}
"""System, and stride and width of the discriminators."""
STEPS = 6
FIRST = 3
"""Warm-up steps that are not measured: they are slower, above all SemiMTL's."""
GSD = 0.27
WANTED = {("resnet101", 384): 1.15, ("resnet18", 128): 1.4}
PARTS = (
    "generator forward",
    "generator backward",
    "discriminators forward",
    "discriminators backward",
    "optimisers",
    "rest",
)
AROUND = ("data", "augmentation")


@dataclass(frozen=True)
class Case:
    """Settings of a training that is timed.

    Attributes:
        encoder: Its name.
        crop: Edge of a chip in pixels.
        batch: Chips per domain.
    """

    encoder: str
    crop: int
    batch: int

    @classmethod
    def parse(cls, text: str) -> Case:
        """From ``resnet18:128:4``."""
        encoder, crop, batch = text.split(":")
        return cls(encoder, int(crop), int(batch))


class Parts(lightning.Callback):
    """Seconds of the parts of each training step."""

    def __init__(self) -> None:
        self.watch = Stopwatch()
        self.steps: list[dict[str, float]] = []
        self.ended: float | None = None

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Measure the pieces of the trainer where they are called."""
        watch, model = self.watch, pl_module
        backwards = 0
        backward = model.manual_backward
        # Algorithm 1 steps G once per domain, and then D.
        of_generator = len(SUPERVISED)

        def of_either(*args: Any, **options: Any) -> Any:
            nonlocal backwards
            backwards += 1
            count = of_generator + (model.adversary is not None)
            last = model.adversary is not None and backwards % count == 0
            with watch.span(f"{'discriminators' if last else 'generator'} backward"):
                return backward(*args, **options)

        model.manual_backward = of_either
        model.generator.forward = watch.timed("generator forward", model.generator.forward)
        if model.adversary is not None:
            terms = watch.timed("discriminators forward", model.adversary.terms)
            object.__setattr__(model.adversary, "terms", terms)  # it is frozen
        for optimizer in trainer.optimizers:
            optimizer.step = watch.timed("optimisers", optimizer.step)
        model.training_step = watch.timed("rest", model.training_step)
        # Lightning sets this attribute without declaring it.
        data = trainer.datamodule  # type: ignore[attr-defined]
        data.augment.forward = watch.timed("augmentation", data.augment.forward)

    def on_train_batch_start(self, *args: Any) -> None:
        self.began = now()
        between = 0.0 if self.ended is None else self.began - self.ended
        self.watch.seconds["data"] += between - self.watch.seconds["augmentation"]

    def on_train_batch_end(self, *args: Any) -> None:
        self.ended = now()
        self.steps.append({**self.watch.take(), "step": self.ended - self.began})


def measure(
    system: SystemName, stride: int, width: int, case: Case, root: Path, workers: int
) -> list[dict[str, float]]:
    """Train for some steps; returns the seconds of the parts of each that counts."""
    lightning.seed_everything(0, verbose=False)
    data = DomainsDataModule(
        str(root),
        {name: Domain(supervised) for name, supervised in SUPERVISED.items()},
        gsd=GSD,
        crop=case.crop,
        batch_size=case.batch,
        iterations=FIRST + STEPS,
        workers=workers,
    )
    encoder = Encoder(case.encoder, weights=None)
    model = SemiMTL.for_data(
        data,
        [Segmentation(), Depth()],
        system,
        encoder=encoder,
        discriminator_width=width,
        adversarial=AdversarialSettings(stride=stride),
    )
    parts = Parts()
    trainer = lightning.Trainer(
        max_steps=FIRST + STEPS,
        precision="bf16-mixed",
        callbacks=[parts],
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, data)
    return parts.steps[FIRST:]


def step(case: Case, root: Path, workers: int, rounds: int) -> list[str]:
    """Measure all runs; returns the lines of the table."""
    steps: dict[str, list[dict[str, float]]] = {name: [] for name in RUNS}
    for number in range(rounds):
        for name in [*RUNS][:: -1 if number % 2 else 1]:
            steps[name] += measure(*RUNS[name], case, root, workers)
            say(f"{case}, {name}, round {number + 1} of {rounds}")
    seconds = {
        (part, name): statistics.median(taken.get(part, 0.0) for taken in steps[name])
        for name in RUNS
        for part in (*AROUND, *PARTS, "step")
    }
    rows = [
        (part, *(f"{1000 * seconds[part, name]:.0f}" for name in RUNS))
        for part in (*AROUND, *PARTS, "step")
    ]
    ratios = [seconds["step", name] / seconds["step", "JTL"] for name in RUNS]
    rows.append(("step / JTL's", *(f"{ratio:.2f}" for ratio in ratios)))
    wanted = WANTED.get((case.encoder, case.crop))
    goal = "" if wanted is None else f"; wanted of the last line: at most {wanted}"
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return [
        f"{case.encoder}, crop {case.crop}, {case.batch} + {case.batch} chips, bf16, {device}, "
        f"medians of {rounds * STEPS} steps{goal}",
        "",
        *table(("part, ms", *RUNS), rows),
        "",
    ]


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--cases", default="resnet18:128:4,resnet101:384:2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=0, help="worker processes per domain")
    parser.add_argument("--size", type=int, default=512, help="edge of a scene in pixels")
    args = parser.parse_args()
    quiet()
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        write_cities(Path(folder), scenes=4, size=args.size)
        for case in map(Case.parse, args.cases.split(",")):
            lines += step(case, Path(folder), args.workers, args.rounds)
    lines.append(made_on(["lightning", "semimtl-geo"]))
    publish("A training step", lines, args.write)


if __name__ == "__main__":
    main()
