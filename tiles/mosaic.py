"""The mosaicker: cuts a raster into overlapping tiles, has them predicted, blends, streams out."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import torch

from tiles.band import Band
from tiles.errors import InputError
from tiles.feed import Batch, Feed, Strip, ahead
from tiles.geotiff import MapWriter
from tiles.grid import BLOCK
from tiles.journal import Mark, resume
from tiles.layers import ClassMap, Layer, PercentMap
from tiles.plan import Plan
from tiles.raster import GDAL_CACHE, Raster

Answer = Mapping[str, torch.Tensor | npt.NDArray[Any]]


def mosaic(
    raster: str | PathLike[str],
    predict: Callable[[torch.Tensor], Answer],
    layers: Sequence[Layer],
    out: Mapping[str, Path],
    *,
    tile: int = 512,
    overlap: int | None = None,
    batch_size: int = 4,
    gsd: float | None = None,
    bands: Sequence[int] | None = None,
    fill: Sequence[float] | float = 0.0,
    panel: int = 8192,
    tags: Mapping[str, str] | None = None,
    token: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Path]:
    """Map a raster of any size with any network.

    The maps lie on the raster's own grid. Pixels that are unknown in the raster (nodata, alpha 0,
    masked, NaN) are nodata in every map, and no others are. Memory depends on the tile, the
    panel and the number of channels, not on the raster.

    Finished rows are kept in a hidden folder beside each map. If a run ends early, however it does,
    the next one with the same arguments goes on after them, and makes the very same files.

    Args:
        raster: A georeferenced image, anything that GDAL reads.
        predict: From a batch, float32 [B, C, S, S] with the raster's values as they are, to
            {layer name: [B, K, S, S]}: K scores (probabilities or logits) for a `ClassMap` of K
            classes, K = 1 for a `ValueMap` or `PercentMap`. All tiles have the same size; batches
            are full but for the last of a panel.
        layers: The maps wanted.
        out: The file of each layer, by the layer's name.
        tile: Pixels along a tile (S).
        overlap: Pixels that neighbouring tiles share at least; by default half a tile.
        batch_size: Tiles per batch (B).
        gsd: Ground sampling distance in metres that the network expects. The raster is resampled
            to it, and the predictions back; by default, and within 1 %, nothing is resampled.
        bands: Numbers of the bands to read (C of them), from 1; by default all but alpha.
        fill: What the network sees in place of unknown pixels, one value or one per band.
        panel: Columns that are worked on at a time.
        tags: Where the maps come from; written into every file.
        token: What `predict` is, such as a hash of the network's weights: work that was kept by a
            run with another token is not gone on with.
        progress: Called with the number of tiles done and the number of all tiles.

    Returns:
        The files by layer name.

    Raises:
        InputError: Something that the user can mend, or another run makes one of the maps; no map
            was made then.
    """
    overlap = tile // 2 if overlap is None else overlap
    if batch_size < 1:
        raise InputError("batch_size", f"{batch_size} is no number of tiles", "give 1 or more")
    files = _check_files(raster, layers, out)
    with rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE, GDAL_NUM_THREADS="ALL_CPUS"), ExitStack() as stack:
        source = stack.enter_context(Raster(raster, bands))
        plan = Plan(source.grid, source.grid_at(gsd), tile, overlap, panel, BLOCK)
        filling = _fill(fill, len(source.bands))
        fingerprint = _fingerprint(
            *(source.state(), repr(plan.source), repr(plan.work), tile, overlap, panel, plan.block),
            *(batch_size, source.bands, filling.tolist(), sorted((tags or {}).items()), token),
            *((asdict(layer), type(layer), files[layer.name].resolve()) for layer in layers),
        )
        writers = {
            layer.name: stack.enter_context(
                MapWriter(files[layer.name], layer, source.grid, tags, fingerprint)
            )
            for layer in layers
        }
        marks = resume([writer.work for writer in writers.values()])
        with torch.no_grad():
            _run(source, plan, predict, layers, writers, batch_size, filling, progress, marks)
        for writer in writers.values():
            writer.convert()
        for writer in writers.values():
            writer.publish()
    return files


def _run(
    source: Raster,
    plan: Plan,
    predict: Callable[[torch.Tensor], Answer],
    layers: Sequence[Layer],
    writers: Mapping[str, MapWriter],
    batch_size: int,
    fill: npt.NDArray[np.float32],
    progress: Callable[[int, int], None] | None,
    marks: Sequence[Mark],
) -> None:
    """Work through all panels, from the last of the marks on."""
    before, mark = 0, marks[-1] if marks else Mark(0, 0, (0, 0))
    for number, panel in enumerate(plan.panels):
        if number > mark.panel:
            mark = Mark(number, 0, (0, panel.tiles[0]), mark.predicted)
        if number == mark.panel and mark.row < plan.source.height:
            band = Band(plan, mark, layers, writers)
            feed = Feed(source, plan, panel, batch_size, fill, mark.tile)
            # Closed before the raster is, for its thread reads from it.
            with closing(ahead(iter(feed))) as items:
                for item in items:
                    if isinstance(item, Strip):
                        band.learn(item)
                        continue
                    _add(item, predict, layers, band)
                    if progress is not None:
                        row, column = item.tiles[-1]
                        done = row * len(panel.tiles) + column - panel.tiles[0] + 1
                        progress(before + done, plan.count)
            band.finish()
            mark = band.mark
        before += len(plan.rows) * len(panel.tiles)
        if progress is not None and before < plan.count:
            progress(before, plan.count)
    if not mark.predicted:
        for writer in writers.values():
            writer.work.drop()
        raise InputError(source.name, "has no known pixel", "check its nodata value or mask")
    if progress is not None:
        progress(plan.count, plan.count)


def _add(
    batch: Batch,
    predict: Callable[[torch.Tensor], Answer],
    layers: Sequence[Layer],
    band: Band,
) -> None:
    """Have a batch predicted and add its tiles to the band."""
    answer = predict(batch.images)
    scores = {
        layer.name: _scores(answer, layer, batch.images) for layer in layers if layer.channels
    }
    band.expect(batch.tiles)
    for number, (row, column) in enumerate(batch.tiles):
        band.add({name: all_[number] for name, all_ in scores.items()}, row, column)


def _fingerprint(*parts: object) -> str:
    """A hash of all that decides over the pixels."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()


def _scores(answer: Answer, layer: Layer, images: torch.Tensor) -> torch.Tensor:
    """What `predict` answered for one layer, float32 [B, K, S, S] on the CPU."""
    if layer.name not in answer:
        raise ValueError(f"predict answered {sorted(answer)}, not {layer.name!r}")
    scores = torch.as_tensor(answer[layer.name]).to("cpu", torch.float32)
    wanted = (len(images), layer.channels, *images.shape[-2:])
    if scores.shape != wanted:
        raise ValueError(f"predict answered {tuple(scores.shape)} for {layer.name!r}, not {wanted}")
    return scores


def _fill(fill: Sequence[float] | float, bands: int) -> npt.NDArray[np.float32]:
    values = np.atleast_1d(np.asarray(fill, dtype=np.float32))
    if values.shape not in ((1,), (bands,)):
        fault = f"has {values.size} values for {bands} bands"
        raise InputError("fill", fault, "give one value, or one per band")
    return np.broadcast_to(values, (bands,))


def _check_files(
    raster: str | PathLike[str], layers: Sequence[Layer], out: Mapping[str, Path]
) -> dict[str, Path]:
    """The files by layer, checked before any work is done."""
    names = [layer.name for layer in layers]
    files = {name: Path(path) for name, path in out.items()}
    if not names or len(set(names)) < len(names) or set(names) != set(files):
        raise ValueError(f"layers {names} and files for {sorted(files)} do not match")
    classes = {layer.name for layer in layers if isinstance(layer, ClassMap)}
    for layer in layers:
        if isinstance(layer, PercentMap) and layer.of not in {None, *classes}:
            raise ValueError(f"{layer.name}: there is no class map {layer.of!r} in the layers")
    if len({path.resolve() for path in files.values()}) < len(files):
        raise ValueError("every layer needs a file of its own")
    for path in files.values():
        folder = path.parent
        if not folder.is_dir():
            raise InputError(path, f"its folder {folder} does not exist", "create it first")
        if path.is_dir():
            raise InputError(path, "is a folder", "name a file")
        if not os.access(folder, os.W_OK | os.X_OK):
            fault = f"its folder {folder} cannot be written to"
            raise InputError(path, fault, "choose another or change its rights")
        if path.exists() and Path(raster).exists() and path.samefile(raster):
            raise InputError(path, "is the raster itself", "choose another name")
    return files
