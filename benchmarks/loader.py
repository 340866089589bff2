"""Chips per second of the training loader, relative to a training step's need and to torchgeo.

    python benchmarks/loader.py [--iterations 200] [--rounds 3] [--write]

Prints a Markdown table of chips per second on the synthetic cities, as `configs/cities` trains on
them (two cities, chips of 128 px at 0.27 m), but with one worker process per city:

- ours: the loader of training;
- ours, without processes: the same, which reads in the process that takes the batches;
- ours, no file kept: as with files too large to be kept (`tiles.datasets.chip_reader`), where each
  chip is read anew;
- a step needs: chips per second that JTL consumes when data are ready at once and augmentation is
  free. JTL has the shortest step of the systems that train on both cities. The goal of the loader
  is at least 3 times that;
- torchgeo: RasterDataset of the images, RasterDataset of the labels, their intersection, and
  RandomGeoSampler, with torchgeo's defaults, at the same resolution, in as many chips and
  processes. The goal of the loader is at least 3 times that;
- torchgeo, our chips: the same data sets, asked for the very chips that ours cuts.

Medians; they take turns. The clock starts when the processes have delivered their first batches.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from lightning.pytorch.utilities import CombinedLoader
from measuring import made_on, make_parser, publish, quiet, say, table
from step import FIRST as FIRST_STEPS
from step import Parts
from torch.utils.data import DataLoader, Sampler
from torchgeo.datasets import GeoDataset, RasterDataset, stack_samples
from torchgeo.samplers import RandomGeoSampler, Units

import tiles.datasets.chip_reader
from semimtl_geo.commands.demonstration import training_precision
from semimtl_geo.data.datamodule import DomainsDataModule
from semimtl_geo.synthetic import write_cities
from semimtl_geo.training.cli import TrainingCLI, packaged_config
from tiles.datasets.samplers import RandomChips

FIRST = 8
"""Batches before the clock starts: more than the worker processes prepare ahead."""
OURS, ALONE, UNKEPT = "ours", "ours, without processes", "ours, no file kept"
NEEDED = "a step needs"
THEIRS, SAME = "torchgeo", "torchgeo, our chips"


class Images(RasterDataset):
    """Images, read by torchgeo's own data set."""

    filename_glob = "*.tif"
    is_image = True


class Labels(RasterDataset):
    """Labels, read by torchgeo's own data set."""

    filename_glob = "*.tif"
    is_image = False


def configured(root: Path, iterations: int, *args: str, **callbacks: Any) -> TrainingCLI:
    """Model, data and trainer of `configs/cities/base.yaml` for JTL."""
    given = [
        f"--config={packaged_config('cities/base.yaml')}",
        "--model.system=jtl",
        f"--data.root={root}",
        f"--data.iterations={iterations}",
        f"--out={root / 'run'}",
        "--trainer.max_epochs=1",
        "--trainer.limit_val_batches=0",
        "--trainer.logger=false",
        "--trainer.enable_progress_bar=false",
        "--trainer.enable_model_summary=false",
        *args,
    ]
    return TrainingCLI(given, **callbacks)


def torchgeo_loader(data: DomainsDataModule, own_sampler: bool) -> CombinedLoader:
    """The same chips by torchgeo alone."""
    loaders = {}
    length = data.iterations * data.batch_size
    for name in data.domains:
        folder = data.folder(name, "train")
        dataset: GeoDataset = Images(folder / "image", res=data.gsd)
        for label in data.labels[name]:
            dataset = dataset & Labels(folder / label, res=data.gsd)
        sampler: Sampler[Any]
        if own_sampler:
            sampler = RandomGeoSampler(dataset, size=data.crop, length=length, units=Units.PIXELS)
        else:
            sampler = RandomChips(dataset, data.crop, length, data.seed)
        loaders[name] = DataLoader(
            dataset,
            batch_size=data.batch_size,
            sampler=sampler,
            collate_fn=stack_samples,
            num_workers=data.workers,
        )
    return CombinedLoader(loaders, mode="min_size")


def delivered(make: Callable[[], Iterable[Any]], data: DomainsDataModule) -> float:
    """Chips per second of a loader by itself."""
    count, began = 0, 0.0
    loader = iter(make())
    for number, _ in enumerate(loader):
        if number == FIRST:
            began = time.perf_counter()
        count = max(0, number - FIRST)
    return count * data.batch_size * len(data.domains) / (time.perf_counter() - began)


def unkept(data: DomainsDataModule) -> float:
    """Chips per second where every chip is read from its file; worker processes must be forked."""
    with patch.object(tiles.datasets.chip_reader, "CACHE_BYTES", 0):
        return delivered(data.train_dataloader, data)


def needed(root: Path, iterations: int, precision: str) -> float:
    """Chips per second that JTL uses up; neither reading nor augmentation count."""
    parts = Parts()
    args = ("--data.workers=0", f"--trainer.precision={precision}", "--trainer.accelerator=auto")
    cli = configured(root, iterations, *args, callbacks=[parts])
    cli.trainer.fit(cli.model, cli.datamodule)
    data = cli.datamodule
    seconds = statistics.median(taken["step"] for taken in parts.steps[FIRST_STEPS:])
    return data.batch_size * len(data.domains) / seconds


def loader(root: Path, iterations: int, rounds: int) -> list[str]:
    """Measure all in turns; returns the lines of the table."""
    data, alone = (
        configured(root, iterations + FIRST, f"--data.workers={workers}").datamodule
        for workers in (1, 0)
    )
    precision = training_precision()
    work: dict[str, Callable[[], float]] = {
        OURS: partial(delivered, data.train_dataloader, data),
        ALONE: partial(delivered, alone.train_dataloader, alone),
        UNKEPT: partial(unkept, data),
        NEEDED: partial(needed, root, max(10, iterations // 10), precision),
        THEIRS: partial(delivered, partial(torchgeo_loader, data, True), data),
        SAME: partial(delivered, partial(torchgeo_loader, data, False), data),
    }
    found: dict[str, list[float]] = {name: [] for name in work}
    for number in range(rounds):
        for name, run in work.items():
            found[name].append(run())
            say(f"round {number + 1} of {rounds}, {name}: {found[name][-1]:.0f} chips/s")
    medians = {name: statistics.median(taken) for name, taken in found.items()}
    rows = [
        (name, f"{median:.0f}", "" if name == OURS else f"{medians[OURS] / median:.1f}")
        for name, median in medians.items()
    ]
    return [
        f"The synthetic cities, {len(data.domains)} x {data.batch_size} chips of {data.crop} px, "
        f"two worker processes in all, {precision}, medians of {rounds} rounds of {iterations} "
        "batches; wanted of ours: at least 3 times each of the others",
        "",
        *table(("", "chips per second", "ours over it"), rows),
        "",
        made_on(["lightning", "torchgeo", "semimtl-geo"]),
    ]


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scenes", type=int, default=8, help="for training, of each city")
    parser.add_argument("--size", type=int, default=384, help="edge of a scene in pixels")
    args = parser.parse_args()
    quiet()
    with tempfile.TemporaryDirectory() as folder:
        write_cities(Path(folder), scenes=args.scenes, size=args.size)
        lines = loader(Path(folder), args.iterations, args.rounds)
    publish("The loader", lines, args.write)


if __name__ == "__main__":
    main()
