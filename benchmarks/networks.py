"""Measure the time of a whole map relative to the bare forward passes of a real network.

    python benchmarks/networks.py [--size 3200] [--rounds 2] [--write]

Prints a Markdown table for this package's generator (6 classes of land cover and heights, decoders
of width 512) with ResNet18 and ResNet101, both of random weights, in float32 on the CPU, in tiles
of 512 px that overlap by 128:

- mosaic s: seconds of the whole `tiles.mosaic`, from the orthophoto's file (GeoTIFF, uint8, 3
  bands) to both maps as finished Cloud Optimized GeoTIFFs, the forward passes included;
- bare s: seconds of the forward passes alone: the very `Predictor` of `Mapper.map`, that is scaling
  by 255, normalisation, encoder, decoders, up-sampling to the tile and the estimate (softmax,
  metres), on the very batches of the mosaic, one after another, answers thrown away. The mosaicker
  fills up a panel's last batch with a tile that it has; the table says how many it predicted;
- mosaic / bare: wanted at most 1.05. Tiles overlap in both, so that it counts what comes on top:
  reading, cutting, blending, writing, waiting. It is the fastest mosaic over the fastest bare
  pass; there is one more bare pass than mosaics;
- bare spread: the slowest bare pass over the fastest, which is how far to trust the ratio;
- without network s: seconds of the mosaic when the network answers zeros at once. Most of them
  hide behind a real network: tiles are read in another thread.

Each encoder has a fresh process, where bare and mosaic take turns under the same thread setting:
bare, mosaic, bare, mosaic, bare. The batches are recorded in the run without network, and one
forward pass goes before any clock. Imports and the making of the network are not counted.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from measuring import afresh, made_on, make_parser, publish, say, table
from rasters import write_dense

from semimtl_geo.mapping.predictor import Predictor
from semimtl_geo.networks.encoder import Encoder
from semimtl_geo.networks.model_card import ModelCard
from semimtl_geo.tasks import Depth, Segmentation
from tiles.grid import tile_starts
from tiles.mosaic.mosaicker import mosaic

TILE = 512
OVERLAP = 128
BATCH = 4
ENCODERS = ("resnet18", "resnet101")

Answer = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Measurement:
    """Seconds of all rounds, and what they were spent on."""

    mosaics: list[float]
    bare: list[float]
    without: float
    tiles: int
    predicted: int
    threads: int


def paper_card(encoder: str) -> ModelCard:
    """Settings of a network with the paper's decoders."""
    return ModelCard(
        system="semimtl",
        tasks=(Segmentation(), Depth()),
        domains=("a", "b"),
        batchnorm="alternating",
        encoder=Encoder(encoder, weights=None),
        decoder_width=512,
        bands=("NIR", "red", "green"),
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        gsd=None,
        crop=TILE,
    )


def make_predictor(encoder: str) -> Predictor:
    """This package's network with random weights."""
    torch.manual_seed(0)
    card = paper_card(encoder)
    return Predictor(card, card.build_generator().eval(), device="cpu", scale=255)


def measure(encoder: str, raster: Path, size: int, rounds: int) -> Measurement:
    """Measure one encoder in this process, which should be fresh."""
    predict = make_predictor(encoder)
    layers = [task.layer() for task in predict.card.tasks]
    batches: list[torch.Tensor] = []

    def record(images: torch.Tensor) -> Answer:
        batches.append(images)
        shape = images.shape
        return {layer.name: torch.zeros(shape[0], layer.channels, *shape[2:]) for layer in layers}

    def run(network: Callable[[torch.Tensor], Answer]) -> float:
        with tempfile.TemporaryDirectory(dir=raster.parent) as folder:
            files = {layer.name: Path(folder) / f"{layer.name}.tif" for layer in layers}
            start = time.perf_counter()
            mosaic(raster, network, layers, files, tile=TILE, overlap=OVERLAP, batch_size=BATCH)
            return time.perf_counter() - start

    def forward() -> float:
        start = time.perf_counter()
        for images in batches:
            predict(images)
        return time.perf_counter() - start

    without = run(record)
    tiles = len(tile_starts(size, TILE, OVERLAP)) ** 2
    predict(batches[0])
    mosaics, bare = [], [forward()]
    for number in range(rounds):
        mosaics.append(run(predict))
        bare.append(forward())
        say(f"{encoder}, round {number + 1}: mosaic {mosaics[-1]:.2f} s, bare {bare[-1]:.2f} s")
    predicted = sum(map(len, batches))
    return Measurement(mosaics, bare, without, tiles, predicted, torch.get_num_threads())


def networks(size: int, rounds: int) -> list[str]:
    """Measure all encoders; returns the lines of the table."""
    runs: dict[str, Measurement] = {}
    with tempfile.TemporaryDirectory() as folder:
        raster = Path(folder) / "raster.tif"
        afresh(write_dense, raster, size)
        for encoder in ENCODERS:
            runs[encoder] = afresh(measure, encoder, raster, size, rounds)
    rows = []
    for encoder, run in runs.items():
        whole, bare = min(run.mosaics), min(run.bare)
        rows.append(
            (
                *(encoder, f"{whole:.2f}", f"{bare:.2f}"),
                *(f"{whole / bare:.3f}", f"{max(run.bare) / bare:.3f}", f"{run.without:.2f}"),
            )
        )
    header = (
        *("encoder", "mosaic s", "bare s"),
        *("mosaic / bare", "bare spread", "without network s"),
    )
    return [
        f"{size} x {size} x 3 uint8 in {run.tiles} tiles of {TILE} ({run.predicted} predicted), "
        f"overlap {OVERLAP}, batches of {BATCH}, land cover and heights, float32, "
        f"{run.threads} threads, least of {rounds} mosaics and {rounds + 1} bare passes",
        "",
        *table(header, rows),
        "",
        made_on(["semimtl-geo", "segmentation-models-pytorch"]),
    ]


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--size", type=int, default=3200, help="pixels along the orthophoto")
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    publish("Real networks", networks(args.size, args.rounds), args.write)


if __name__ == "__main__":
    main()
