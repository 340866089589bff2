"""Settings of mapping that rasters and images share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

from semimtl_geo.networks.checkpoint import ModelCard
from tiles.types import BandSelection, RasterName


class MapOptions(TypedDict, total=False):
    """Arguments of :meth:`semimtl_geo.mapping.Mapper.map` that may hold for several places."""

    bands: BandSelection | None
    area: RasterName | None
    crs: str | None
    grid: Literal["source", "network"]
    confidence: bool
    plausibility: bool
    tile: int | None
    batch_size: int


@dataclass(frozen=True)
class MapSettings:
    """The same arguments with their defaults."""

    bands: BandSelection | None = None
    area: RasterName | None = None
    crs: str | None = None
    grid: Literal["source", "network"] = "source"
    confidence: bool = False
    plausibility: bool = False
    tile: int | None = None
    batch_size: int = 8

    def tile_size(self, card: ModelCard) -> int:
        """Return the edge of a tile, which by default is twice that of the training crops."""
        return 2 * card.crop if self.tile is None else self.tile
