"""The mosaicker: cuts a raster into overlapping tiles, has them predicted, blends, streams out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import rasterio

from tiles.errors import InputError
from tiles.grid import BLOCK, PixelGrid
from tiles.maps.layers import ClassMap, Layer, PercentMap
from tiles.maps.map_format import MapFormat
from tiles.maps.work_folder import PANEL_WIDTH, unfinished_panel_width
from tiles.maps.writer import DEFAULT_FORMAT, MapWriter, check_target
from tiles.mosaic.executors import run_cluster, run_here, run_processes
from tiles.mosaic.panels import Desk, Job, Predict
from tiles.mosaic.tiling import PANEL, Plan
from tiles.reading.area import read_area
from tiles.reading.raster import GDAL_CACHE
from tiles.reading.source import Source
from tiles.types import ProgressCallback, RasterName


def mosaic(
    raster: RasterName | Sequence[RasterName],
    predict: Predict | Sequence[Predict],
    layers: Sequence[Layer],
    out: Mapping[str, Path],
    *,
    tile: int = 512,
    overlap: int | None = None,
    batch_size: int = 4,
    gsd: float | None = None,
    crs: str | None = None,
    grid: Literal["source", "network"] = "source",
    bands: Sequence[int | str] | None = None,
    area: RasterName | None = None,
    fill: Sequence[float] | float = 0.0,
    panel: int | None = None,
    tags: Mapping[str, str] | None = None,
    token: str | None = None,
    map_format: MapFormat = DEFAULT_FORMAT,
    client: Any = None,
    progress: ProgressCallback | None = None,
) -> dict[str, Path]:
    """Map a raster of any size with any network.

    Pixels that are unknown in the raster (nodata, alpha 0, masked, NaN) are nodata in every map,
    and no others are. Memory depends on the tile, the panel and the number of channels, not on the
    raster.

    Finished rows are kept in a hidden folder beside each map. If a run with a `token` ends early,
    however it does, the next one with the same arguments goes on after them, and makes the very
    same files.

    The map is worked on in panels: ranges of columns, none of which changes a pixel. They are
    spread over processes if there are several networks, or over a cluster.

    Args:
        raster: A georeferenced image, anything that GDAL reads; or several of one place, which
            become one map. Where they overlap, the first that knows a pixel counts.
        predict: From a batch, float32 [B, C, S, S] with the raster's values as they are, to
            {layer name: [B, K, S, S]}: K scores (probabilities or logits) for a `ClassMap` of K
            classes, K = 1 for a `ValueMap` or `PercentMap`. All batches have the same shape, and
            their channels last in memory. Several of these, which pickle must know, run in as many
            processes: one for each GPU, say.
        layers: The maps wanted.
        out: The file of each layer, by the layer's name.
        tile: Pixels along a tile (S).
        overlap: Pixels that neighbouring tiles share at least; by default half a tile.
        batch_size: Tiles per batch (B), at most.
        gsd: Ground sampling distance in metres that the network expects. The raster is resampled
            to it; by default, and within 1 %, it is not.
        crs: CRS to read the raster in, bilinearly; by default its own, or that of the first one.
        grid: Where the pixels of the maps lie: "source" where those of the raster do (as read in
            `crs`), "network" where those do that the network sees.
        bands: Numbers, from 1, or names of the bands to read (C of them); by default all but alpha.
        area: A file of polygons, in any CRS. The maps show their extent, and are nodata outside of
            them; inside, pixels are the same as without an area.
        fill: What the network sees in place of unknown pixels, one value or one per band.
        panel: Greatest width of a panel; by default that of the work that is gone on with, or 8192,
            or less to keep all processes busy.
        tags: Where the maps come from; written into every file.
        token: What `predict` is, such as a hash of the network's weights: only with one, and only
            with the same, is work gone on with that another run kept.
        map_format: Format of the files, by default Cloud Optimized GeoTIFF.
        client: The `distributed.Client` of a dask cluster to work on, whose workers see the same
            files.
        progress: Called with the pixels of the map that are done, and with all of them.

    Returns:
        The files by layer name.

    Raises:
        InputError: Something that the user can mend, or another run makes one of the maps; no map
            was made then.
    """
    overlap = tile // 2 if overlap is None else overlap
    if batch_size < 1:
        raise InputError("batch_size", f"{batch_size} is no number of tiles", "give 1 or more")
    rasters = [raster] if isinstance(raster, str | PathLike) else list(raster)
    predicts = [predict] if callable(predict) else list(predict)
    if not predicts or (client is not None and len(predicts) > 1):
        raise ValueError("give one network, or several and no client")
    files = _check_files(rasters, layers, out)
    with rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE, GDAL_NUM_THREADS="ALL_CPUS"), ExitStack() as stack:
        source = stack.enter_context(Source(rasters, bands, crs))
        work = source.grid_at(gsd)
        target = {"source": source.grid, "network": work}[grid]
        wanted = None if area is None else read_area(area, target)
        window = None if wanted is None else wanted.window
        filling = _fill(fill, len(source.bands))
        settings = {
            "sources": source.file_stats(),
            "grids": [repr(source.grid), repr(work), repr(target)],
            "window": window,
            "tile": tile,
            "overlap": overlap,
            "block": BLOCK,
            "batch_size": batch_size,
            "bands": source.bands,
            "fill": filling.tolist(),
            "network": str(uuid4()) if token is None else token,
            "area": None if wanted is None else wanted.digest,
            "layers": [
                {"kind": type(layer).__name__, "file": files[layer.name].resolve(), **asdict(layer)}
                for layer in layers
            ],
            "tags": dict(tags or {}),
        }
        if panel is None:
            workers = len(predicts) if client is None else sum(client.nthreads().values())
            width = target.width if window is None else window[1][1] - window[1][0]
            unfinished = unfinished_panel_width(next(iter(files.values())), settings)
            panel = unfinished or min(PANEL, -(-width // max(workers, 1)))
        plan = Plan(source.grid, work, tile, overlap, panel, BLOCK, target, window)
        settings[PANEL_WIDTH] = panel
        left = plan.span[1][0]
        columns = [(part.start - left, part.stop - left) for part in plan.panels]
        writers = {
            layer.name: stack.enter_context(
                MapWriter(
                    files[layer.name].absolute(),
                    layer,
                    plan.map,
                    tags,
                    columns,
                    settings,
                    map_format,
                )
            )
            for layer in layers
        }
        job = Job(
            [_everywhere(name) for name in rasters],
            bands,
            crs,
            plan,
            layers,
            [
                {name: writer.work_folder.panel_file(number) for name, writer in writers.items()}
                for number in range(len(columns))
            ],
            # As few batches as can be, none of them much fuller than the others.
            -(-plan.count // -(-plan.count // batch_size)),
            filling,
            next(iter(writers.values())).work_folder.path / "run",
            wanted,
            None if wanted is None else wanted.on_grid(work, _margin(work, target)),
        )
        if token is None:
            for writer in writers.values():
                writer.work_folder.discard()
        if client is not None:
            found = run_cluster(job, predicts[0], client, progress)
        elif len(predicts) > 1:
            found = run_processes(job, predicts, progress)
        else:
            desk = Desk(source, stack.enter_context(ThreadPoolExecutor(1)))
            found = run_here(job, desk, predicts[0], progress)
        if not found:
            for writer in writers.values():
                writer.work_folder.discard()
            where = "" if area is None else f" in {area}"
            raise InputError(
                source.name, f"has no known pixel{where}", "check its nodata value or mask"
            )
        for writer in writers.values():
            writer.convert()
        for writer in writers.values():
            writer.publish()
    return files


def _margin(work: PixelGrid, target: PixelGrid) -> int:
    """Pixels of the work grid around an area that its pixels are made from."""
    size = max(work.width / target.width, work.height / target.height)
    return 2 + math.ceil(size * math.sqrt(0.5))


def _everywhere(name: RasterName) -> RasterName:
    """A raster's name in any process, whatever folder it works in."""
    with suppress(OSError):  # what GDAL reads need not be a file, nor a name short enough for one
        return Path(name).absolute() if Path(name).exists() else name
    return name


def _fill(fill: Sequence[float] | float, bands: int) -> npt.NDArray[np.float32]:
    values = np.atleast_1d(np.asarray(fill, dtype=np.float32))
    if values.shape not in ((1,), (bands,)):
        fault = f"has {values.size} values for {bands} bands"
        raise InputError("fill", fault, "give one value, or one per band")
    return np.broadcast_to(values, (bands,))


def _check_files(
    rasters: Sequence[RasterName], layers: Sequence[Layer], out: Mapping[str, Path]
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
        check_target(path, rasters)
    return files
