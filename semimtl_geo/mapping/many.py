"""Mapping of many places: checks, shared BatchNorm statistics, then the maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import xarray

from semimtl_geo.mapping.dataset import open_maps
from semimtl_geo.mapping.places import (
    DESCRIPTIONS,
    Place,
    inspect_places,
    map_paths,
    resolve_places,
)
from semimtl_geo.mapping.predictor import Predictor, check_device, map_layers
from semimtl_geo.mapping.requests import MapRequest, kept_precision, make_request
from semimtl_geo.mapping.settings import MapSettings
from semimtl_geo.mapping.spreading import PlaceProgress, write_all
from semimtl_geo.mapping.stac import write_maps_item
from semimtl_geo.mapping.trained_network import TrainedNetwork
from tiles.errors import InvalidValueError, input_errors
from tiles.maps.layer_group import write_layer_group
from tiles.reading.virtual_raster import display_name
from tiles.types import RasterName

FinishedCallback = Callable[[str, xarray.Dataset], None]
"""Called with the name of a place and its maps."""


def map_places(
    network: TrainedNetwork,
    places: Mapping[str, Sequence[RasterName]],
    out: Path,
    settings: MapSettings,
    *,
    statistics: str = "joint",
    devices: Sequence[str] | None = None,
    client: Any = None,
    progress: PlaceProgress | None = None,
    finished: FinishedCallback | None = None,
    stacklevel: int = 2,
) -> dict[str, xarray.Dataset]:
    """Map places; :meth:`semimtl_geo.mapping.Mapper.map_many` describes the arguments.

    Args:
        network: The network.
        places: Files by the name of the place.
        out: Folder for the maps.
        settings: Settings of mapping, the same for all places.
        statistics: Choice of the BatchNorm statistics.
        devices: Names of the devices that predict.
        client: The cluster that predicts.
        progress: Called while the work goes on.
        finished: Called when the maps of a place are written.
        stacklevel: Line that warnings name, counted as by :func:`warnings.warn`: 2 is the caller's.

    Returns:
        The maps by the name of the place.
    """
    if settings.plausibility:
        network.check_plausibility(settings.tiling(network.card).tile)
    if devices and client is not None:
        fault = "cannot be given beside a cluster, whose workers use their own"
        raise InvalidValueError("devices", fault, "give one of the two")
    predict_on = [check_device(device) for device in devices or ()]
    inspected = inspect_places(
        resolve_places(places, network.card, settings),
        network.card,
        settings.bands,
        settings.crs,
        settings.white,
        stacklevel=stacklevel + 1,
    )
    layers = map_layers(
        network.card.tasks, settings.confidence, settings.plausibility, settings.probabilities
    )
    files = map_paths(inspected, out, [layer.name for layer in layers])
    groups = [inspected]
    if statistics == "each" and network.needs_statistics:
        groups = [[place] for place in inspected]
    elif statistics not in ("joint", "each"):
        network = network.for_domain(statistics)
    measured = network.precision_on(predict_on[0] if predict_on else None, client)
    made: dict[str, xarray.Dataset] = {}
    for group in groups:
        chosen = _with_statistics(network, group, settings)
        with input_errors(out, "cannot be made", "choose another folder"):
            out.mkdir(parents=True, exist_ok=True)
        paths = [path for place in group for path in files[place.name].values()]
        kept = kept_precision(chosen, paths) if network.precision == "auto" else None
        precision = kept or measured
        discriminators = network.discriminators if settings.plausibility else None
        # On a cluster, each worker needs a device of its own.
        own = [None] if client is not None else [network.device]
        predictors = [
            Predictor(network.card, chosen.generator, discriminators, device, precision=precision)
            for device in predict_on or own
        ]
        requests = [
            make_request(chosen, place, layers, files[place.name], settings, precision)
            for place in group
        ]
        # Closed at once if `finished` fails, so that no other process works on.
        with closing(write_all(requests, predictors, client, progress)) as written:
            for request in written:
                name = request.place.name
                _describe(request, out, network.item)
                made[name] = open_maps(request.files)
                if finished is not None:
                    finished(name, made[name])
    return {name: made[name] for name in places}


def _describe(request: MapRequest, folder: Path, model_item: Path | None) -> None:
    """Write the files that describe the maps of a place together."""
    name, layers, files = request.place.name, request.layers, request.files
    group, item = (folder / f"{name}{ending}" for ending in DESCRIPTIONS)
    write_layer_group(group, name, layers, files)
    sources = [display_name(raster) for raster in request.place.rasters]
    write_maps_item(item, name, layers, files, sources, model_item)


def _with_statistics(
    network: TrainedNetwork, places: Sequence[Place], settings: MapSettings
) -> TrainedNetwork:
    """Return the network with statistics re-estimated on all places, if it has none chosen."""
    if not network.needs_statistics:
        return network
    rasters = [raster for place in places for raster in place.rasters]
    return network.adapt(rasters, settings.bands, settings.crs, settings.area, settings.white)
