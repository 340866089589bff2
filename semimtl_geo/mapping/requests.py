"""Requests for the maps of one place, which can be sent to another process or machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from semimtl_geo.mapping.places import Place
from semimtl_geo.mapping.precision import PRECISIONS, Precision
from semimtl_geo.mapping.predictor import Predictor
from semimtl_geo.mapping.settings import MapSettings
from semimtl_geo.mapping.trained_network import TrainedNetwork
from tiles.maps.layers import Layer
from tiles.maps.work_folder import NETWORK, kept_setting
from tiles.mosaic.arguments import independent_of_folder
from tiles.mosaic.mosaicker import mosaic
from tiles.types import ProgressCallback


@dataclass(frozen=True)
class MapRequest:
    """All that is needed to make the maps of one place, but the network.

    Attributes:
        place: The place to map.
        layers: The maps.
        files: File of each map, by its name.
        arguments: Further arguments of :func:`tiles.mosaic.mosaic`.
    """

    place: Place
    layers: Sequence[Layer]
    files: Mapping[str, Path]
    arguments: Mapping[str, Any]

    def absolute(self) -> MapRequest:
        """Return the same request for a process that may work in another folder."""
        place = replace(self.place, rasters=tuple(map(independent_of_folder, self.place.rasters)))
        files = {name: path.absolute() for name, path in self.files.items()}
        area = self.arguments["area"]
        area = None if area is None else independent_of_folder(area)
        return MapRequest(place, self.layers, files, {**self.arguments, "area": area})

    def write_maps(
        self,
        predictors: Sequence[Predictor],
        client: Any = None,
        progress: ProgressCallback | None = None,
    ) -> None:
        """Write the maps.

        Args:
            predictors: One network, or several that share the work.
            client: The ``distributed.Client`` of a cluster that does the work.
            progress: Called with pixels done and pixels in all.
        """
        scaled = [predictor.scaled(self.place.scale) for predictor in predictors]
        rasters = self.place.rasters
        mosaic(
            rasters if len(rasters) > 1 else rasters[0],
            scaled if len(scaled) > 1 else scaled[0],
            self.layers,
            self.files,
            client=client,
            progress=progress,
            **self.arguments,
        )


def make_request(
    network: TrainedNetwork,
    place: Place,
    layers: Sequence[Layer],
    files: Mapping[str, Path],
    settings: MapSettings,
    precision: Precision,
) -> MapRequest:
    """Return the request for the maps of one place.

    Args:
        network: The network, whose statistics are chosen.
        place: The place.
        layers: The maps.
        files: File of each map, by its name.
        settings: Settings of mapping.
        precision: Precision that the maps are predicted in.
    """
    card, tiling = network.card, settings.tiling(network.card, place.network_grid)
    arguments = {
        "tile": tiling.edges,
        "overlap": tiling.overlap,
        "batch_size": tiling.batch_size,
        "gsd": card.gsd,
        "crs": settings.crs,
        "grid": settings.grid,
        "bands": place.bands,
        "area": settings.area,
        "fill": [value * place.scale for value in card.mean],
        "tags": network.tags(place.rasters, place.bands, settings, precision, place.scale),
        "resume": _resume_name(network.fingerprint(), precision),
    }
    return MapRequest(place, layers, files, arguments)


def kept_precision(network: TrainedNetwork, files: Iterable[Path]) -> Precision | None:
    """Return the precision in which maps were begun; None if there is no unfinished work.

    The precision that is measured fastest may change from run to run, and unfinished work is
    continued only in its own.

    Args:
        network: The network, whose statistics are chosen.
        files: The maps.
    """
    begun = [kept_setting(file, NETWORK) for file in files]
    if any(begun):
        fingerprint = network.fingerprint()
        for precision in PRECISIONS:
            if _resume_name(fingerprint, precision) in begun:
                return precision
    return None


def _resume_name(fingerprint: str, precision: Precision) -> str:
    """Return the name of a network by which an interrupted map recognises it."""
    return f"{fingerprint} in {precision}"
