"""Seconds of a whole map, and of one pass of its network over the same pixels."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import rasterio
import torch
from measuring import say
from networks import paper_card
from rasters import write_dense
from stopwatch import now
from torch import Tensor

from semimtl_geo.mapping.mapper import Mapper
from semimtl_geo.mapping.precision import Precision
from semimtl_geo.mapping.predictor import Predictor
from semimtl_geo.mapping.settings import BATCH_PIXELS

TILE = 512


@dataclass(frozen=True)
class MapTime:
    """Seconds of a whole map and of one pass of its network, and the precision of both.

    Attributes:
        map: Seconds of `Mapper.map`, from the orthophoto's file to all maps as finished files.
        bare: Seconds of the network alone, once over each pixel, in tiles that do not overlap.
        precision: Precision of both.
    """

    map: float
    bare: float
    precision: Precision


def papers_network(
    encoder: str, crop: int, tile: int, overlap: int, device: str | None = None
) -> Mapper:
    """A network of random weights with the paper's decoders."""
    torch.manual_seed(0)
    card = replace(
        paper_card(encoder),
        batchnorm="mixed",
        crop=crop,
        pooling="crop",
        tile=tile,
        overlap=overlap,
    )
    return Mapper(card, card.build_generator(), device=device)


def time_map(title: str, mapper: Mapper, size: int, rounds: int) -> MapTime:
    """Measure a network on a raster of `size` x `size` px; returns the least of all rounds."""
    precision = mapper.precision_on()
    predict = Predictor(mapper.card, mapper.generator, None, mapper.device, 255.0, precision)
    maps, passes = [], []
    with tempfile.TemporaryDirectory() as folder:
        raster = Path(folder) / "raster.tif"
        write_dense(raster, size, mapper.card.gsd or 0.1)  # on the network's grid
        batches = list(_read_batches(raster))
        predict(batches[0])
        for number in range(rounds):
            start = now()
            for batch in batches:
                predict(batch)
            passes.append(now() - start)
            start = now()
            mapper.map(raster, Path(folder) / "maps")
            maps.append(now() - start)
            say(f"{title}, round {number + 1}: pass {passes[-1]:.2f} s, map {maps[-1]:.2f} s")
    return MapTime(min(maps), min(passes), precision)


def _read_batches(raster: Path) -> Iterator[Tensor]:
    """Batches of tiles that do not overlap."""
    with rasterio.open(raster) as file:
        values = torch.from_numpy(file.read())
    starts = range(0, values.shape[1], TILE)
    tiles = [values[:, y : y + TILE, x : x + TILE] for y in starts for x in starts]
    size = BATCH_PIXELS // TILE**2
    for start in range(0, len(tiles), size):
        batch = torch.stack(tiles[start : start + size]).float()
        yield batch.contiguous(memory_format=torch.channels_last)
