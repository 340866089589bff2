"""What the mosaicker costs besides the network, and its peak memory.

    python benchmarks/stitching.py [--size 6000]

Prints a Markdown table. The network is a 1 x 1 convolution to 6 classes; its own time is taken off.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
import torch
from rasterio.transform import from_origin
from rasterio.windows import Window

from tiles.geotiff import ClassMap
from tiles.mosaic import mosaic

BLOCK = 512
CLASSES = 6


def write_raster(path: Path, size: int) -> None:
    """A tiled raster of smooth waves and noise, uint8, 3 bands."""
    draws = np.random.default_rng(0)
    rows, columns = np.mgrid[:BLOCK, :size]
    with rasterio.open(
        path, "w", driver="GTiff", width=size, height=size, count=3, dtype="uint8",
        crs="EPSG:32632", transform=from_origin(4e5, 5.5e6, 0.1, 0.1),
        tiled=True, blockxsize=BLOCK, blockysize=BLOCK,
    ) as file:  # fmt: skip
        for top in range(0, size, BLOCK):
            height = min(BLOCK, size - top)
            waves = np.stack(
                [127 + 60 * np.sin(columns / 90 + b) + 60 * np.cos((rows + top) / 70 * (b + 1))
                 for b in range(3)]
            )  # fmt: skip
            noisy = (waves + draws.normal(0, 3, waves.shape)).clip(0, 255).astype(np.uint8)
            file.write(noisy[:, :height], window=Window(0, top, size, height))


def peak_gigabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=6000)
    parser.add_argument("--overlap", type=int, default=128)
    args = parser.parse_args()
    torch.manual_seed(0)
    network = torch.nn.Conv2d(3, CLASSES, 1)
    forward = 0.0

    def predict(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        nonlocal forward
        start = time.perf_counter()
        answer = {"landcover": network(batch / 255)}
        forward += time.perf_counter() - start
        return answer

    names = [f"class {i}" for i in range(CLASSES)]
    layer = ClassMap("landcover", names, [(40 * i, 9, 9) for i in range(CLASSES)])
    with tempfile.TemporaryDirectory() as folder:
        raster, out = Path(folder) / "raster.tif", Path(folder) / "map.tif"
        write_raster(raster, args.size)
        before = peak_gigabytes()
        start = time.perf_counter()
        mosaic(raster, predict, [layer], {"landcover": out}, tile=512, overlap=args.overlap)
        total = time.perf_counter() - start
    print(f"\n{args.size} x {args.size} x 3 uint8, tile 512, overlap {args.overlap}\n")
    print("| whole s | network s | besides s | peak GB | over start GB |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    peak, besides = peak_gigabytes(), total - forward
    print(f"| {total:.1f} | {forward:.1f} | {besides:.1f} | {peak:.2f} | {peak - before:.2f} |")


if __name__ == "__main__":
    main()
