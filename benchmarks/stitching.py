"""Measure the time of stitching outside the network, and its memory, beside other packages.

    python benchmarks/stitching.py [--size 6000] [--rounds 2] [--write]

Prints a Markdown table of `tiles.mosaic`, pytorch-toolbelt, tiler and MONAI, each of which makes a
class map (GeoTIFF) of the same orthophoto (GeoTIFF, uint8, 3 bands) with the same tiles and the
same network, a 1 x 1 convolution to 6 classes:

- total s: seconds from the orthophoto's file to the map's, without the imports;
- network s: those in which the network ran, also waiting for processors and memory;
- other s: the total less the network's own seconds, which are the least of any run: the same are
  taken off for all, for waiting is the package's own cost;
- peak GB: greatest resident memory of the process, and beyond imports GB: how much of it came after
  the imports;
- wrong px: pixels that differ from the network's answer to the whole orthophoto. Pixels whose two
  best classes are all but equally good do not count, for rounding decides there.

Every measurement has a fresh process. The packages take turns, and each one's best round counts. A
package that is not installed is left out: `pip install -e .[bench]` brings them all.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rasterio
import torch
from measuring import afresh, made_on, make_parser, peak_gigabytes, publish, say, table
from peers import BATCH, CLASSES, OURS, PACKAGES, TILE
from rasterio.windows import Window
from rasters import BLOCK, write_dense

# Scores that differ by less are a tie; rounding in float32 makes about a tenth of it.
TIE = 1e-5
# Megabytes that GDAL may keep of blocks, for every package what `tiles` allows itself.
GDAL_CACHE = 128


@dataclass(frozen=True)
class Measurement:
    """Seconds, gigabytes and pixels of one run."""

    whole: float
    network: float
    peak: float
    over_imports: float
    wrong: int
    ties: int


def make_network() -> torch.nn.Conv2d:
    """A 1 x 1 convolution of values 0..1 that finds every class in the waves."""
    torch.manual_seed(0)
    network = torch.nn.Conv2d(3, CLASSES, 1).requires_grad_(False)
    network.bias = torch.nn.Parameter(-network.weight.sum((1, 2, 3)) / 2, requires_grad=False)
    return network


def count_wrong(network: torch.nn.Conv2d, raster: Path, path: Path) -> tuple[int, int]:
    """Pixels of a map that are not what the network answers in float64, and ties left out."""
    network, wrong, ties = network.double(), 0, 0
    with rasterio.open(raster) as source, rasterio.open(path) as file:
        if file.shape != source.shape:
            raise ValueError(f"the map has {file.shape} pixels, not {source.shape}")
        for top in range(0, source.height, BLOCK):
            window = Window(0, top, source.width, min(BLOCK, source.height - top))
            scores = network(torch.from_numpy(source.read(window=window)).double() / 255)
            (best, second), numbers = scores.topk(2, dim=0)
            clear = best - second > TIE
            different = torch.from_numpy(file.read(1, window=window)) != numbers[0]
            wrong += int((different & clear).sum())
            ties += int((~clear).sum())
    return wrong, ties


def measure(
    name: str, raster: Path, out: Path, overlap: int, check: bool, **options: Any
) -> Measurement:
    """Run one package in this process, which should be fresh."""
    network, seconds = make_network(), 0.0

    def predict(batch: torch.Tensor) -> torch.Tensor:
        nonlocal seconds
        start = time.perf_counter()
        answer: torch.Tensor = network(batch / 255)
        seconds += time.perf_counter() - start
        return answer

    stitch = PACKAGES[name][0]()
    before = peak_gigabytes()
    start = time.perf_counter()
    with rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE, GDAL_NUM_THREADS="ALL_CPUS"), torch.no_grad():
        stitch(raster, out, predict, overlap, **options)
    whole, peak = time.perf_counter() - start, peak_gigabytes()
    wrong, ties = count_wrong(network, raster, out) if check else (0, 0)
    return Measurement(whole, seconds, peak, peak - before, wrong, ties)


def measure_all(
    size: int, overlap: int, rounds: int
) -> tuple[dict[str, list[Measurement]], list[str]]:
    """The runs of each package that is installed, and notes on those that are not."""
    runs: dict[str, list[Measurement]] = {name: [] for name in PACKAGES}
    notes = []
    with tempfile.TemporaryDirectory() as folder:
        raster = Path(folder) / "raster.tif"
        afresh(write_dense, raster, size)
        for number in range(rounds):
            for name in list(runs):
                out = Path(tempfile.mkdtemp(dir=folder)) / "map.tif"
                try:
                    run = afresh(measure, name, raster, out, overlap, check=True)
                except ImportError as error:
                    if name == OURS:
                        raise
                    notes.append(f"{name} is not installed and left out ({error}).")
                    del runs[name]
                    continue
                runs[name].append(run)
                say(f"round {number + 1}, {name}: {run.whole:.1f} s")
    return runs, notes


def stitching(size: int, overlap: int, rounds: int) -> list[str]:
    """Measure all packages; returns the lines of the table."""
    runs, notes = measure_all(size, overlap, rounds)
    best = {name: min(all_, key=lambda run: run.whole) for name, all_ in runs.items()}
    network = min(run.network for all_ in runs.values() for run in all_)
    header = (
        *("package", "total s", "network s", "other s"),
        *("peak GB", "beyond imports GB", "wrong px"),
    )
    rows = [
        (
            *(name, f"{run.whole:.1f}", f"{run.network:.1f}", f"{run.whole - network:.1f}"),
            *(f"{run.peak:.2f}", f"{run.over_imports:.2f}", f"{run.wrong:,}"),
        )
        for name, run in best.items()
    ]
    peers = {name: run.whole for name, run in best.items() if name != OURS and run.wrong == 0}
    if peers:
        fastest, whole = min(peers, key=lambda name: peers[name]), min(peers.values())
        other = (best[OURS].whole - network) / (whole - network)
        notes.append(
            f"Compared with {fastest}, the fastest other package without wrong pixels, {OURS} "
            f"takes {best[OURS].whole / whole:.2f} of the total time and {other:.2f} of the time "
            "outside the network."
        )
    return [
        f"{size} x {size} x 3 uint8, tile {TILE}, overlap {overlap}, batches of {BATCH}, "
        f"{CLASSES} classes, best of {rounds} rounds; {best[OURS].ties} ties left out",
        "",
        *table(header, rows),
        *([""] if notes else []),
        *notes,
        "",
        made_on([PACKAGES[name][1] for name in runs]),
    ]


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--size", type=int, default=6000, help="pixels along the orthophoto")
    parser.add_argument("--overlap", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    publish("Stitching", stitching(args.size, args.overlap, args.rounds), args.write)


if __name__ == "__main__":
    main()
