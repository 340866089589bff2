"""What stitching costs besides the network, and its peak memory, beside other packages.

    python benchmarks/stitching.py [--size 6000] [--rounds 2] [--write]
    python benchmarks/stitching.py --memory [--write]

The first prints a Markdown table of `tiles.mosaic`, pytorch-toolbelt, tiler and MONAI, each of
which makes a class map (GeoTIFF) of the same orthophoto (GeoTIFF, uint8, 3 bands) with the same
tiles and the same network, a 1 x 1 convolution to 6 classes:

- whole s: seconds from the orthophoto's file to the map's, without the imports;
- network s: those in which the network ran, also waiting for processors and memory;
- besides s: the whole less the network's own seconds, which are the least of any run: the same are
  taken off for all, for waiting is the package's own cost;
- peak GB: greatest resident memory of the process, and over imports GB: how much of it came after
  the imports;
- wrong px: pixels that differ from the network's answer to the whole orthophoto. Pixels whose two
  best classes are all but equally good do not count, for rounding decides there.

Every measurement has a fresh process. The packages take turns, and each one's best round counts. A
package that is not installed is left out: `pip install -e .[bench]` brings them all.

`--memory` prints the peak of `tiles.mosaic` at 6000 x 6000 and at 60,000 x 60,000 pixels, in panels
of the same width. The orthophotos are sparse files, nodata but for their diagonal and one whole row
of blocks.

`--write` also writes the table into this folder: stitching.md, stitching-memory.md.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import multiprocessing
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import torch
from rasterio.transform import from_origin
from rasterio.windows import Window

TILE = 512
BLOCK = 512
BATCH = 4
CLASSES = 6
# Scores that differ by less are a tie; rounding in float32 makes about a tenth of it.
TIE = 1e-5
# Megabytes that GDAL may keep of blocks, for every package what `tiles` allows itself.
GDAL_CACHE = 128
OURS = "tiles.mosaic"

Predict = Callable[[torch.Tensor], torch.Tensor]
Stitch = Callable[..., None]


@dataclass(frozen=True)
class Measurement:
    """What one run took: seconds, gigabytes, pixels."""

    whole: float
    network: float
    peak: float
    over_imports: float
    wrong: int
    ties: int


# Each of these imports one package and returns what stitches with it.


def ours() -> Stitch:
    from tiles.layers import ClassMap
    from tiles.mosaic import mosaic

    names = [f"class {number}" for number in range(CLASSES)]
    layer = ClassMap("landcover", names, [(40 * number, 9, 9) for number in range(CLASSES)])

    def stitch(raster: Path, out: Path, predict: Predict, overlap: int, panel: int = 8192) -> None:
        mosaic(
            raster, lambda batch: {"landcover": predict(batch)}, [layer], {"landcover": out},
            tile=TILE, overlap=overlap, batch_size=BATCH, panel=panel,
        )  # fmt: skip

    return stitch


def toolbelt() -> Stitch:
    from pytorch_toolbelt.inference.tiles import ImageSlicer, TileMerger

    def stitch(raster: Path, out: Path, predict: Predict, overlap: int) -> None:
        image = np.ascontiguousarray(read_raster(raster).transpose(1, 2, 0))
        slicer = ImageSlicer(image.shape, TILE, TILE - overlap, weight="pyramid")
        merger = TileMerger(slicer.target_shape, CLASSES, slicer.weight)
        for tiles in batched(slicer.iter_split(image)):
            batch = np.stack([tile.transpose(2, 0, 1) for tile, _ in tiles])
            answer = predict(torch.from_numpy(batch).float())
            merger.integrate_batch(answer, [at for _, at in tiles])
        classes = merger.merge_().argmax(0).to(torch.uint8).numpy()
        write_map(raster, out, slicer.crop_to_orignal_size(classes))

    return stitch


def tiler() -> Stitch:
    from tiler import Merger, Tiler

    def stitch(raster: Path, out: Path, predict: Predict, overlap: int) -> None:
        image = read_raster(raster)
        # One class's plane; a window of zero at the border needs the frame that tiler computes.
        plane = Tiler(image.shape[1:], (TILE, TILE), overlap)
        shape, padding = plane.calculate_padding()
        plane.recalculate(data_shape=shape)
        padded = np.pad(image, [(0, 0), *padding], mode="reflect")
        slicer = Tiler(padded.shape, (len(image), TILE, TILE), overlap, channel_dimension=0)
        merger = Merger(plane, window="hann", logits=CLASSES, save_visits=False)
        for number, batch in slicer(padded, batch_size=BATCH):
            merger.add_batch(number, BATCH, predict(torch.from_numpy(batch).float()).numpy())
        write_map(raster, out, merger.merge(extra_padding=padding, argmax=True, dtype=np.uint8))

    return stitch


def monai() -> Stitch:
    from monai.inferers import sliding_window_inference

    def stitch(raster: Path, out: Path, predict: Predict, overlap: int) -> None:
        image = torch.from_numpy(read_raster(raster))[None].float()
        scores = sliding_window_inference(
            image, (TILE, TILE), BATCH, predict, overlap=overlap / TILE, mode="gaussian"
        )
        write_map(raster, out, scores[0].argmax(0).to(torch.uint8).numpy())

    return stitch


# By the name of the package: what loads it, and the distribution that it comes in.
PACKAGES: dict[str, tuple[Callable[[], Stitch], str]] = {
    OURS: (ours, "semimtl-geo"),
    "pytorch-toolbelt": (toolbelt, "pytorch-toolbelt"),
    "tiler": (tiler, "tiler"),
    "MONAI": (monai, "monai"),
}


def batched(items: Iterator[Any]) -> Iterator[list[Any]]:
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def create(path: Path, size: int, **options: Any) -> Any:
    """A tiled GeoTIFF of uint8, open for writing."""
    return rasterio.open(
        path, "w", driver="GTiff", width=size, height=size, dtype="uint8",
        crs="EPSG:32632", transform=from_origin(4e5, 5.5e6, 0.1, 0.1),
        tiled=True, blockxsize=BLOCK, blockysize=BLOCK, **options,
    )  # fmt: skip


def read_raster(path: Path) -> npt.NDArray[np.uint8]:
    with rasterio.open(path) as file:
        values: npt.NDArray[np.uint8] = file.read()
    return values


def write_map(raster: Path, path: Path, classes: npt.NDArray[np.uint8]) -> None:
    """Write a class map by rows of blocks; `tiles.mosaic` adds overviews and statistics to this."""
    size = len(classes)
    with create(path, size, count=1, nodata=255, compress="deflate") as file:
        for top in range(0, size, BLOCK):
            rows = classes[top : top + BLOCK]
            file.write(rows, 1, window=Window(0, top, size, len(rows)))


def write_dense(path: Path, size: int) -> None:
    """An orthophoto of smooth waves and noise."""
    draws = np.random.default_rng(0)
    rows, columns = np.mgrid[:BLOCK, :size]
    with create(path, size, count=3) as file:
        for top in range(0, size, BLOCK):
            height = min(BLOCK, size - top)
            waves = np.stack(
                [127 + 60 * np.sin(columns / 90 + b) + 60 * np.cos((rows + top) / 70 * (b + 1))
                 for b in range(3)]
            )  # fmt: skip
            noisy = (waves + draws.normal(0, 3, waves.shape)).clip(0, 255).astype(np.uint8)
            file.write(noisy[:, :height], window=Window(0, top, size, height))


def write_sparse(path: Path, size: int) -> None:
    """An orthophoto of nodata but for its diagonal and the middle row of blocks."""
    values = np.random.default_rng(0).integers(1, 255, (3, BLOCK, BLOCK), np.uint8)
    blocks = -(-size // BLOCK)
    with create(path, size, count=3, nodata=0, SPARSE_OK=True, BIGTIFF="YES") as file:
        for row in range(blocks):
            for column in range(blocks) if row == blocks // 2 else [row]:
                top, left = row * BLOCK, column * BLOCK
                part = values[:, : size - top, : size - left]
                file.write(part, window=Window(left, top, part.shape[2], part.shape[1]))


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


def peak_gigabytes() -> float:
    """Greatest resident memory of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage counts what the parent had before this process began
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


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


def afresh(work: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call a function in a fresh interpreter."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *args, **options).result()


def stitching(size: int, overlap: int, rounds: int) -> list[str]:
    """Measure all packages; returns the lines of the table."""
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
                print(f"round {number + 1}, {name}: {run.whole:.1f} s", file=sys.stderr)
    best = {name: min(all_, key=lambda run: run.whole) for name, all_ in runs.items()}
    network = min(run.network for all_ in runs.values() for run in all_)
    lines = [
        f"{size} x {size} x 3 uint8, tile {TILE}, overlap {overlap}, batches of {BATCH}, "
        f"{CLASSES} classes, best of {rounds} rounds; {best[OURS].ties} ties left out",
        "",
        "| package | whole s | network s | besides s | peak GB | over imports GB | wrong px |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {name} | {run.whole:.1f} | {run.network:.1f} | {run.whole - network:.1f} "
        f"| {run.peak:.2f} | {run.over_imports:.2f} | {run.wrong:,} |"
        for name, run in best.items()
    ]
    peers = {name: run.whole for name, run in best.items() if name != OURS and run.wrong == 0}
    if peers:
        fastest, whole = min(peers, key=lambda name: peers[name]), min(peers.values())
        besides = (best[OURS].whole - network) / (whole - network)
        notes.append(
            f"{OURS} over {fastest}, the fastest other that is correct: {besides:.2f} of the "
            f"seconds besides the network, {best[OURS].whole / whole:.2f} of the whole."
        )
    return [*lines, *([""] if notes else []), *notes, "", versions(list(runs))]


def memory(sizes: tuple[int, int], overlap: int, panel: int) -> list[str]:
    """Measure the peak memory at two sizes; returns the lines of the table."""
    runs = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            raster, out = Path(folder) / f"{size}.tif", Path(folder) / f"map_{size}.tif"
            afresh(write_sparse, raster, size)
            runs[size] = afresh(measure, OURS, raster, out, overlap, check=False, panel=panel)
            print(f"{size}: {runs[size].whole:.1f} s", file=sys.stderr)
    small, large = (runs[size] for size in sizes)
    lines = [
        f"{OURS}, sparse orthophotos (3 bands, nodata but for the diagonal and one row of "
        f"blocks), tile {TILE}, overlap {overlap}, panels of {panel} columns",
        "",
        "| pixels | whole s | peak GB | over imports GB |",
        "| ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {size:,} x {size:,} | {run.whole:.1f} | {run.peak:.3f} | {run.over_imports:.3f} |"
        for size, run in runs.items()
    ]
    over = large.over_imports / small.over_imports
    lines.append(f"| ratio | | {large.peak / small.peak:.3f} | {over:.3f} |")
    return [*lines, "", versions([OURS])]


def versions(names: list[str]) -> str:
    """When, on what and with what this ran."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        pairs = [line.partition(":") for line in info.read_text().splitlines()]
        models = [value.strip() for key, _, value in pairs if key.strip() == "model name"]
        processor = models[0] if models else processor
    packages = ["torch", "numpy", "rasterio", *(PACKAGES[name][1] for name in names)]
    numbers = [f"{package} {importlib.metadata.version(package)}" for package in packages]
    numbers += [f"GDAL {rasterio.__gdal_version__}", f"Python {platform.python_version()}"]
    date = datetime.datetime.now(tz=datetime.UTC).date()
    return f"{date}, {processor}, {os.cpu_count()} cores; {', '.join(numbers)}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=6000, help="pixels along the orthophoto")
    parser.add_argument("--overlap", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--memory", action="store_true", help="peaks at two sizes instead")
    parser.add_argument("--large", type=int, default=60_000, help="the larger size of --memory")
    parser.add_argument("--panel", type=int, default=4096, help="columns of a panel in --memory")
    parser.add_argument("--write", action="store_true", help="write the table into this folder")
    args = parser.parse_args()
    if args.memory:
        lines = memory((args.size, args.large), args.overlap, args.panel)
        name, title = "stitching-memory", "Memory of stitching"
    else:
        lines = stitching(args.size, args.overlap, args.rounds)
        name, title = "stitching", "Stitching"
    text = "\n".join(lines)
    print(f"\n{text}")
    if args.write:
        command = f"`python benchmarks/stitching.py{' --memory' if args.memory else ''} --write`"
        path = Path(__file__).with_name(f"{name}.md")
        path.write_text(f"# {title}\n\nMade by {command}.\n\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
