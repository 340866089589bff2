"""The mosaicker: cuts a raster into overlapping tiles, predicts, blends and writes maps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import rasterio
import torch

from tiles.errors import InputError, InvalidValueError
from tiles.grid import BLOCK, PixelGrid
from tiles.maps.layers import Layer
from tiles.maps.map_format import MapFormat
from tiles.maps.threads import run_interruptibly
from tiles.maps.work_folder import NETWORK, PANEL_WIDTH, unfinished_panel_width
from tiles.maps.writer import DEFAULT_FORMAT, MapWriter
from tiles.mosaic.arguments import check_files, check_layers, fill_values, independent_of_folder
from tiles.mosaic.blend_weights import DEFAULT_BLEND, Blend, find_blend_weights
from tiles.mosaic.executors import run_cluster, run_here, run_processes
from tiles.mosaic.networks import Network, TileNetwork
from tiles.mosaic.panels import MosaicJob, WorkerContext
from tiles.mosaic.tiling import PANEL_COLUMNS, TilingPlan, fit_tile
from tiles.reading.addresses import resolve_addresses
from tiles.reading.area import read_area
from tiles.reading.array_raster import RasterImage, as_rasters
from tiles.reading.raster import GDAL_CACHE
from tiles.reading.source import Source
from tiles.types import ProgressCallback, RasterName


def mosaic(
    raster: RasterImage | Sequence[RasterImage],
    network: Network | Sequence[Network],
    layers: Layer | Sequence[Layer],
    out: str | PathLike[str] | Mapping[str, str | PathLike[str]],
    *,
    tile: int | range = 512,
    overlap: int | None = None,
    blend: Blend = DEFAULT_BLEND,
    batch_size: int = 4,
    bands: Sequence[int | str] | None = None,
    scale: float | None = None,
    fill: Sequence[float] | float = 0.0,
    gsd: float | None = None,
    crs: str | None = None,
    grid: Literal["source", "network"] = "source",
    area: RasterName | None = None,
    device: str | torch.device | None = None,
    client: Any = None,
    panel: int | None = None,
    resume: str | None = None,
    map_format: MapFormat = DEFAULT_FORMAT,
    tags: Mapping[str, str] | None = None,
    progress: ProgressCallback | None = None,
) -> dict[str, Path]:
    """Map a raster of any size with any network.

    Pixels that are unknown in the raster (nodata, alpha 0, masked, NaN) or outside of `area` are
    nodata in every map, and no others are. Memory depends on the tile, the panel and the number of
    channels, not on the size of the raster.

    Finished rows are kept in a hidden folder beside each map. If a run with `resume` is
    interrupted in any way, the next run with the same arguments continues after these rows and
    makes the same files, byte by byte.

    The map is made in panels: ranges of columns, whose width changes no pixel. They are
    distributed over processes if there are several networks, or over a cluster.

    Args:
        raster: A georeferenced image that GDAL reads, a STAC Item, a tile service (see
            :mod:`tiles.reading.addresses`), or several of one place, which become one
            map. Where they overlap, the first that knows a pixel counts. Or one image that xarray
            holds, in memory or in chunks of dask, which are computed as they are needed.
        network: A ``torch.nn.Module`` or a function from a batch, float32 [B, C, S, S], to scores
            [B, K, S, S]: K scores (probabilities or logits) for a `ClassMap` of K classes, K = 1
            for a `ValueMap` or `PercentMap`. With several layers it returns a dictionary of scores
            by layer name, or one tensor per layer. All batches have the same shape, and their
            channels last in memory. Several networks, which must be picklable, run in as many
            processes: one for each GPU, for example.
        layers: The layer to map, or several.
        out: Path of the map, or paths by layer name.
        tile: Edge of a tile in pixels (S). Of a range of edges, the smallest is taken with which
            there are no more tiles than with the largest.
        overlap: Least number of pixels that neighbouring tiles share; by default half of a tile,
            or of the smallest of a range.
        blend: Weights of a tile's pixels where tiles overlap: a key of
            :data:`tiles.mosaic.blend_weights.BLENDS`, or a function from `tile` to positive weights
            [tile].
        batch_size: Largest number of tiles per batch (B).
        bands: Numbers, from 1, or names of the bands to read (C of them); all but alpha by default.
        scale: Value of the raster that becomes 1 for the network, such as 255; by default the
            network gets the values as they are.
        fill: Value that the network gets in place of unknown pixels, before scaling; one for all
            bands or one per band.
        gsd: Ground sampling distance in metres that the network expects. The raster is resampled
            to it unless it differs by less than 1 %; by default it is not.
        crs: CRS to read the raster in, bilinearly; by default the CRS of the (first) raster.
        grid: Grid of the maps: "source" for that of the raster (as read in `crs`), "network" for
            that of the network's input.
        area: File of polygons in any CRS. The maps have their extent and are nodata outside of
            them; the pixels inside are the same as without an area.
        device: Device to which a module and the batches are moved; by default neither is moved.
        client: The `distributed.Client` of a dask cluster whose workers see the same files.
        panel: Greatest width of a panel in pixels; by default that of the unfinished run, or 8192,
            or less to keep all processes busy.
        resume: Identifier of the network, such as a hash of its weights. A run continues an
            unfinished one only if both have the same identifier; without one it starts anew.
        map_format: Format of the files, by default Cloud Optimized GeoTIFF.
        tags: Metadata that is written into every file.
        progress: Function that is called with the numbers of finished pixels and of all pixels.

    Returns:
        Paths of the maps by layer name.

    Raises:
        InputError: If an argument, a file or the raster cannot be used, or if another run makes
            one of the maps. Existing maps are untouched then.
        ValueError: If the output of the network does not fit the layers.

    Example:
        >>> from tiles import ValueMap, mosaic
        >>> network = torch.nn.Conv2d(3, 1, kernel_size=3, padding=1)
        >>> mosaic("ortho.tif", network, ValueMap("score"), "score.tif", tile=64, scale=255)
        {'score': PosixPath('score.tif')}
    """
    if overlap is None:
        overlap = (tile if isinstance(tile, int) else min(tile, default=0)) // 2
    if batch_size < 1:
        fault = f"must be >= 1 tile, got {batch_size}"
        raise InvalidValueError("batch_size", fault, "give 1 or more")
    rasters = resolve_addresses(as_rasters(raster), area, gsd, bands)
    networks = [
        TileNetwork(one, scale, device)
        for one in ([network] if callable(network) else list(network))
    ]
    if not networks or (client is not None and len(networks) > 1):
        fault = f"must be one with a client and at least one without, got {len(networks)}"
        raise InvalidValueError("network", fault, "give one network, or several and no client")
    layers, paths = check_layers(layers, out)
    files = check_files(rasters, paths)
    with rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE, GDAL_NUM_THREADS="ALL_CPUS"), ExitStack() as stack:
        source = stack.enter_context(Source(rasters, bands, crs))
        network_grid = source.grid_at(gsd)
        target = {"source": source.grid, "network": network_grid}[grid]
        wanted = None if area is None else read_area(area, target)
        window = None if wanted is None else wanted.window
        edge = fit_tile(network_grid, tile, overlap)
        blend_weights = find_blend_weights(blend, edge)
        filling = fill_values(fill, len(source.bands))
        settings = {
            "sources": source.file_stats(),
            "sample": None if resume is None else source.sample_digest(),
            "grids": [repr(source.grid), repr(network_grid), repr(target)],
            "window": window,
            "tile": edge,
            "overlap": overlap,
            "blend": blend_weights.tolist(),
            "block": BLOCK,
            "batch_size": batch_size,
            "bands": source.bands,
            "scale": scale,
            "fill": filling.tolist(),
            NETWORK: str(uuid4()) if resume is None else resume,
            "area": None if wanted is None else wanted.digest,
            "layers": [
                {"kind": type(layer).__name__, "file": files[layer.name].resolve(), **asdict(layer)}
                for layer in layers
            ],
            "tags": dict(tags or {}),
        }
        if panel is None:
            workers = len(networks) if client is None else sum(client.nthreads().values())
            width = target.width if window is None else window[1][1] - window[1][0]
            unfinished = unfinished_panel_width(next(iter(files.values())), settings)
            panel = unfinished or min(PANEL_COLUMNS, -(-width // max(workers, 1)))
        plan = TilingPlan(source.grid, network_grid, edge, overlap, panel, BLOCK, target, window)
        settings[PANEL_WIDTH] = panel
        left = plan.extent[1][0]
        columns = [(part.start - left, part.stop - left) for part in plan.panels]
        writers = {
            layer.name: stack.enter_context(
                MapWriter(
                    files[layer.name].absolute(),
                    layer,
                    plan.map_grid,
                    tags,
                    columns,
                    settings,
                    map_format,
                )
            )
            for layer in layers
        }
        job = MosaicJob(
            rasters=[independent_of_folder(name) for name in rasters],
            bands=bands,
            crs=crs,
            plan=plan,
            layers=layers,
            panel_files=[
                {name: writer.work_folder.panel_file(number) for name, writer in writers.items()}
                for number in range(len(columns))
            ],
            batch_size=plan.batch_size(batch_size),
            fill=filling,
            blend_weights=blend_weights,
            run_file=next(iter(writers.values())).work_folder.path / "run",
            area=wanted,
            network_area=(
                None
                if wanted is None
                else wanted.on_grid(network_grid, _margin(network_grid, target))
            ),
        )
        if resume is None:
            for writer in writers.values():
                writer.work_folder.discard()
        if client is not None:
            any_predicted = run_cluster(job, networks[0], client, progress)
        elif len(networks) > 1:
            any_predicted = run_processes(job, networks, progress)
        else:
            context = WorkerContext(source, stack.enter_context(ThreadPoolExecutor(1)))
            any_predicted = run_here(job, context, networks[0], progress)
        if not any_predicted:
            for writer in writers.values():
                writer.work_folder.discard()
            where = "" if area is None else f" in {area}"
            raise InputError(
                source.name, f"has no known pixel{where}", "check its nodata value or mask"
            )
        run_interruptibly([writer.convert for writer in writers.values()])
        for writer in writers.values():
            writer.publish()
    return files


def _margin(network_grid: PixelGrid, target: PixelGrid) -> int:
    """Return the margin, in pixels of the network's grid, that resampling an area needs."""
    size = max(network_grid.width / target.width, network_grid.height / target.height)
    return 2 + math.ceil(size * math.sqrt(0.5))
