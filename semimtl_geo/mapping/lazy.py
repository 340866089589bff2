"""Maps of images in memory or in dask chunks, computed when they are asked for."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import dask.array as da
import numpy as np
import numpy.typing as npt
import torch
import xarray
from dask.delayed import delayed
from torch import Tensor

from semimtl_geo.mapping.adaptation import sample_image_crops
from semimtl_geo.mapping.dataset import CLASS, class_attributes, provenance_attributes
from semimtl_geo.mapping.images import Image
from semimtl_geo.mapping.places import check_coarseness
from semimtl_geo.mapping.predictor import Predictor, map_layers
from semimtl_geo.mapping.settings import MapSettings, Tiling
from semimtl_geo.mapping.trained_network import TrainedNetwork
from tiles.grid import BLOCK, PixelGrid
from tiles.maps.layers import ClassMap, Layer, ProbabilityMap, band_count
from tiles.mosaic.arrays import ArraySource, map_window, read_window
from tiles.mosaic.tiling import TilingPlan, fit_tile
from tiles.types import Span

_PREDICTING = threading.Lock()
"""Lock for prediction: parallel dask threads would compete for one device and its memory."""


def map_image(
    network: TrainedNetwork, image: Image, settings: MapSettings, chunk: int
) -> xarray.Dataset:
    """Return the maps of an image, none of whose pixels is computed yet.

    The tiles are laid over the whole image, as for a raster, and each chunk of the maps is blended
    from the tiles that touch it.

    Args:
        network: The network, whose statistics are re-estimated at once if none are chosen.
        image: The image.
        settings: Settings of mapping.
        chunk: Edge of a chunk of the maps in pixels.

    Raises:
        InputError: If the image cannot be mapped so.
    """
    card, grid = network.card, image.source.grid
    work = image.source.grid_at(card.gsd)
    tiling = settings.tiling(card, work)
    if settings.plausibility:
        network.check_plausibility(tiling.tile)
    check_coarseness(image.source.name, grid, card.gsd, stacklevel=4)
    if network.needs_statistics:
        network = network.with_statistics_of(sample_image_crops(image, card), "the image")
    layers = map_layers(
        card.tasks, settings.confidence, settings.plausibility, settings.probabilities
    )
    discriminators = network.discriminators if settings.plausibility else None
    precision = network.precision_on()
    predictor = Predictor(
        card, network.generator, discriminators, network.device, image.scale, precision
    )
    fill = [value * image.scale for value in card.mean]
    tiling = replace(tiling, tile=fit_tile(work, tiling.edges, tiling.overlap))
    # A unique name keeps dask from hashing the weights.
    predict = delayed(predictor, name=f"predictor-{uuid4().hex}", traverse=False)
    threads = torch.get_num_threads()
    rows = [
        [
            _delayed_chunk(
                image.source, (grid, work, tiling, chunk, (span_rows, span_columns)),
                predict, layers, fill, threads,
            )
            for span_columns in _spans(grid.width, chunk)
        ]
        for span_rows in _spans(grid.height, chunk)
    ]  # fmt: skip
    variables = {}
    for layer in layers:
        blocks = [[chunks[layer.name] for chunks in row] for row in rows]
        # dask does not annotate this function.
        pixels = da.block(blocks)  # type: ignore[no-untyped-call]
        variables[layer.name] = _variable(layer, pixels, image)
    tags = network.tags([image.source.name], image.bands, settings, precision, image.scale)
    return xarray.Dataset(variables, attrs=provenance_attributes(tags))


def _variable(layer: Layer, pixels: da.Array, image: Image) -> xarray.DataArray:
    """Return a map with the attributes that it has if it is written and opened."""
    attrs: dict[str, Any] = {"long_name": layer.name}
    dims: tuple[str, ...] = image.dims
    coords: dict[str, Any] = dict(image.coords)
    encoding: dict[str, Any] = {}
    if isinstance(layer, ClassMap):
        attrs |= class_attributes(layer.classes, layer.nodata)
    else:
        attrs["units"] = layer.unit
        encoding = {"_FillValue": layer.nodata, "dtype": layer.dtype}
    if isinstance(layer, ProbabilityMap):
        dims = (CLASS, *dims)
        coords[CLASS] = list(layer.classes)
        attrs["long_name"] = "probability of each class"
    elif not isinstance(layer, ClassMap):
        attrs["long_name"] = layer.descriptions[0]
    plain = xarray.DataArray(pixels, coords, dims, attrs=attrs)
    placed = plain.rio.write_crs(image.source.grid.crs)
    placed = placed.rio.write_transform(image.source.grid.transform)
    variable: xarray.DataArray = placed.rio.write_coordinate_system()
    variable.encoding |= encoding
    return variable


Window = tuple[PixelGrid, PixelGrid, Tiling, int, tuple[Span, Span]]
"""Grids of image and network, tiles, edge of a chunk, and rows and columns of a chunk."""


def _spans(length: int, chunk: int) -> list[Span]:
    return [(start, min(start + chunk, length)) for start in range(0, length, chunk)]


def _plan(window: Window) -> TilingPlan:
    grid, work, tiling, chunk, spans = window
    return TilingPlan(grid, work, tiling.tile, tiling.overlap, chunk, BLOCK, grid, spans)


def _delayed_chunk(
    source: ArraySource,
    window: Window,
    predict: Any,
    layers: Sequence[Layer],
    fill: Sequence[float],
    threads: int,
) -> dict[str, da.Array]:
    """Return one chunk of each map."""
    rows, columns = read_window(_plan(window))
    values = source.values[:, slice(*rows), slice(*columns)]
    settings = (window, layers, fill, threads)
    maps = delayed(_map_chunk, pure=False, traverse=False)(
        values, source.name, source.nodata, (rows[0], columns[0]), predict, settings
    )
    height, width = (stop - start for start, stop in window[-1])
    return {
        # dask does not annotate this function.
        layer.name: da.from_delayed(  # type: ignore[no-untyped-call]
            maps[layer.name],
            (band_count(layer), height, width)
            if isinstance(layer, ProbabilityMap)
            else (height, width),
            _dtype(layer),
        )
        for layer in layers
    }


def _dtype(layer: Layer) -> str:
    """Return the type of a map's pixels: real values and percentages are NaN where unknown."""
    return layer.dtype if isinstance(layer, ClassMap) else "float32"


def _map_chunk(
    values: npt.NDArray[Any],
    name: str,
    nodata: float | None,
    origin: tuple[int, int],
    predictor: Predictor,
    settings: tuple[Window, Sequence[Layer], Sequence[float], int],
) -> dict[str, npt.NDArray[Any]]:
    """Compute one chunk of each map."""
    window, layers, fill, threads = settings
    torch.set_num_threads(threads)  # with another number convolutions round differently
    source = ArraySource(name, window[0], values, nodata, origin)

    def predict(images: Tensor) -> dict[str, Tensor]:
        with _PREDICTING:
            return predictor(images)

    batch_size = window[2].batch_size
    maps = map_window(source, _plan(window), predict, layers, fill, batch_size)
    for layer in layers:
        if not isinstance(layer, ClassMap):
            unknown = maps[layer.name] == layer.nodata
            maps[layer.name] = np.where(unknown, np.nan, maps[layer.name]).astype(np.float32)
    return maps
