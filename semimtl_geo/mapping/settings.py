"""Settings of mapping that rasters and images share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypedDict

from semimtl_geo.networks.model_card import ModelCard
from tiles.grid import PixelGrid
from tiles.settings import check_range
from tiles.types import BandSelection, RasterName

BATCH_PIXELS: Final = 2**19
"""Pixels per batch; the batch size is derived from it."""

BATCH_TILES: Final = 32
"""Most tiles of a batch, however small they are."""

STEP: Final = 32
"""Step between edges of tiles that may be chosen: encoders halve their input five times."""


@dataclass(frozen=True)
class Tiling:
    """Tiles that a map is predicted in.

    Attributes:
        tile: Greatest edge of a tile in the network's pixels.
        overlap: Pixels that neighbouring tiles share.
        batch_size: Tiles predicted at once.
        least: Smallest edge to shrink to if that needs no more tiles; ``tile`` if None.
    """

    tile: int
    overlap: int
    batch_size: int
    least: int | None = None

    @property
    def edges(self) -> int | range:
        """Edges of tiles that may be chosen, as :func:`tiles.mosaic.mosaic` takes them."""
        if self.least is None or self.least >= self.tile:
            return self.tile
        return range(self.tile - (self.tile - self.least) // STEP * STEP, self.tile + 1, STEP)


class MapOptions(TypedDict, total=False):
    """Arguments of :meth:`semimtl_geo.mapping.Mapper.map` that may hold for several places."""

    bands: BandSelection | None
    area: RasterName | None
    crs: str | None
    grid: Literal["source", "network"]
    white: float | None
    resolution: float | None
    confidence: bool
    plausibility: bool
    probabilities: bool
    tile: int | None
    overlap: int | None
    batch_size: int | None


@dataclass(frozen=True)
class MapSettings:
    """The same arguments with their defaults."""

    bands: BandSelection | None = None
    area: RasterName | None = None
    crs: str | None = None
    grid: Literal["source", "network"] = "source"
    white: float | None = None
    resolution: float | None = None
    confidence: bool = False
    plausibility: bool = False
    probabilities: bool = False
    tile: int | None = None
    overlap: int | None = None
    batch_size: int | None = None

    def tiling(self, card: ModelCard, image: PixelGrid | None = None) -> Tiling:
        """Return the tiles: those that were asked for, or else those of the model card.

        Default tiles are those of the model card, or training crops that overlap by half; they
        shrink, down to a crop, as long as no more tiles are needed. Tiles that were asked for are
        cut to the size of a smaller image, but not below a crop.

        Args:
            card: Settings of the network.
            image: The image's grid as the network sees it, if one is mapped.
        """
        tile, least = self.tile, None
        if tile is None:
            tile = card.crop if card.tile is None else card.tile
            least = card.crop
        elif image is not None:
            whole = -(-max(image.width, image.height) // STEP) * STEP
            tile = min(tile, max(whole, card.crop))
        overlap, batch_size = self.overlap, self.batch_size
        if overlap is None:
            overlap = tile // 2 if card.overlap is None else min(card.overlap, tile // 2)
        elif tile < (self.tile or 0):
            overlap = min(overlap, tile // 2)
        if batch_size is None:
            batch_size = max(1, min(BATCH_TILES, BATCH_PIXELS // max(tile, 1) ** 2))
        check_range("batch_size", batch_size, 1)
        return Tiling(tile, overlap, batch_size, least)
