"""Each package's way to stitch: from an orthophoto's file and a network to a class map's file.

Each function imports one package and returns what stitches with it, so that a process pays for the
package it measures only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import torch
from rasterio.windows import Window
from rasters import BLOCK, create

TILE = 512
BATCH = 4
CLASSES = 6
OURS = "tiles.mosaic"

Predict = Callable[[torch.Tensor], torch.Tensor]
Stitch = Callable[..., None]
"""Takes the orthophoto, the map to write, a `Predict` and the overlap."""


def ours() -> Stitch:
    from tiles.maps.layers import ClassMap
    from tiles.mosaic.mosaicker import mosaic

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
        write_map(out, slicer.crop_to_orignal_size(classes))

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
        write_map(out, merger.merge(extra_padding=padding, argmax=True, dtype=np.uint8))

    return stitch


def monai() -> Stitch:
    from monai.inferers import sliding_window_inference

    def stitch(raster: Path, out: Path, predict: Predict, overlap: int) -> None:
        image = torch.from_numpy(read_raster(raster))[None].float()
        scores = sliding_window_inference(
            image, (TILE, TILE), BATCH, predict, overlap=overlap / TILE, mode="gaussian"
        )
        write_map(out, scores[0].argmax(0).to(torch.uint8).numpy())

    return stitch


PACKAGES: dict[str, tuple[Callable[[], Stitch], str]] = {
    OURS: (ours, "semimtl-geo"),
    "pytorch-toolbelt": (toolbelt, "pytorch-toolbelt"),
    "tiler": (tiler, "tiler"),
    "MONAI": (monai, "monai"),
}
"""By the name of the package: what loads it, and the distribution that it comes in."""


def batched(items: Iterator[Any]) -> Iterator[list[Any]]:
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def read_raster(path: Path) -> npt.NDArray[np.uint8]:
    with rasterio.open(path) as file:
        values: npt.NDArray[np.uint8] = file.read()
    return values


def write_map(path: Path, classes: npt.NDArray[np.uint8]) -> None:
    """Write a class map by rows of blocks; `tiles.mosaic` adds overviews and statistics to this."""
    size = len(classes)
    with create(path, size, count=1, nodata=255, compress="deflate") as file:
        for top in range(0, size, BLOCK):
            rows = classes[top : top + BLOCK]
            file.write(rows, 1, window=Window(0, top, size, len(rows)))
