"""Time of a whole map relative to one forward pass of the network over the pixels of the raster.

    python benchmarks/limit.py [--checkpoint FILE | --iterations 300] [--size 2560] [--write]

Takes a checkpoint of the synthetic cities, or trains the recommended configuration for a short
while, and prints two Markdown tables.

The first has, for the network of the cities, and ResNet18 and ResNet101 of random weights with the
paper's decoders, which know tiles of the same proportions:

- map s: seconds of `Mapper.map`, from the orthophoto's file (GeoTIFF, uint8, 3 bands) to all maps
  as finished Cloud Optimized GeoTIFFs, with the default tiles and precision;
- pass s: seconds of the network alone, once over each pixel, in tiles of 512 px, in the same
  precision, channels last: scaling, normalisation, encoder, decoders, up-sampling, estimate;
- map / pass: wanted at most 1.5. Least over least of rounds that take turns;
- predicted: pixels that the network predicts (overlaps count twice) over the pixels of the map.

The second has scores of the network of the cities on fresh scenes of 1024 px, which the choice of
its tiles has never seen, and the same share of predicted pixels for each way to tile.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from map_time import TILE, papers_network, time_map
from measuring import made_on, make_parser, publish, say, table
from rasterio import Affine
from rasterio.crs import CRS
from seam import add_network, train_shortly

from semimtl_geo.mapping.evaluation import evaluate
from semimtl_geo.mapping.mapper import Mapper
from semimtl_geo.mapping.settings import MapSettings, Tiling
from semimtl_geo.mapping.tile_choice import OVERLAPS, TILES
from semimtl_geo.synthetic import write_cities
from tiles.grid import PixelGrid, tile_starts
from tiles.mosaic.tiling import fit_tile

SEED = 7
SCENE = 1024
CROP = 384
"""Edge of a training crop of the networks with the paper's decoders."""
CITIES = ("city_a", "city_b")


def measure(title: str, mapper: Mapper, size: int, rounds: int) -> list[str]:
    """Measure one network; returns a row of the table."""
    tiling = MapSettings().tiling(mapper.card)
    seconds = time_map(title, mapper, size, rounds)
    return [
        title,
        f"{tiling.tile} / {tiling.overlap}",
        seconds.precision,
        f"{size}",
        f"{seconds.map:.2f}",
        f"{seconds.bare:.2f}",
        f"{seconds.map / seconds.bare:.2f}",
        f"{predicted(size, tiling):.2f}",
    ]


def predicted(size: int, tiling: Tiling) -> float:
    """Pixels that are predicted, over those of a scene."""
    grid = PixelGrid(CRS.from_epsg(25832), Affine.identity(), size, size)
    tile = fit_tile(grid, tiling.edges, tiling.overlap)
    return (len(tile_starts(size, tile, tiling.overlap)) * tile / size) ** 2


def score(mapper: Mapper, folder: Path) -> Iterator[list[str]]:
    """Score ways to tile on fresh scenes; yields rows of the table."""
    write_cities(folder / "fresh", seed=SEED, scenes=8, size=SCENE)
    crop, chosen = mapper.card.crop, MapSettings().tiling(mapper.card)
    ways = [(chosen.tile, chosen.overlap), (crop, crop // 2), (crop, crop // 8)]
    ways += [(count * crop, crop // part) for count in reversed(TILES) for part in (*OVERLAPS, 2)]
    for pooling in ("crop", "image"):
        for tile, overlap in dict.fromkeys(ways):
            card = replace(mapper.card, tile=tile, overlap=overlap, pooling=pooling)
            generator = card.build_generator()
            generator.load_state_dict(mapper.generator.state_dict())
            way = Mapper(card, generator)
            row = [pooling, f"{tile} / {overlap}"]
            row += [f"{predicted(SCENE, MapSettings().tiling(card)):.2f}"]
            for city in CITIES:
                scenes = folder / "fresh" / city / "test"
                found = evaluate(way, scenes, folder / "scored", domain=city)
                row += [
                    f"{found['landcover']['mIoU']:.1f}",
                    f"{found['height']['RMSE']:.3f}",
                ]
            say(" ".join(row))
            yield row


def limit(checkpoint: Path | None, iterations: int, size: int, rounds: int) -> list[str]:
    """Measure and score; returns the lines of the tables."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        configs = ("base", "recommended")
        mapper = Mapper.load(checkpoint or train_shortly(folder, iterations, 20, configs))
        rows = [measure("cities", mapper.for_domain(CITIES[0]), size, rounds)]
        tiling = MapSettings().tiling(mapper.card)
        edges = [edge * CROP // mapper.card.crop for edge in (tiling.tile, tiling.overlap)]
        for encoder in ("resnet18", "resnet101"):
            rows.append(measure(encoder, papers_network(encoder, CROP, *edges), size, rounds))
        scores = list(score(mapper, folder))
    trained = checkpoint.name if checkpoint else f"recommended after {iterations} iterations"
    times = ("network", "tile / overlap", "precision", "px", "map s", "pass s", "map / pass")
    quality = [f"{name} {score}" for name in CITIES for score in ("mIoU", "RMSE m")]
    return [
        f"Network of the cities: {trained}.",
        "",
        *table((*times, "predicted"), rows),
        "",
        *table(("pooling", "tile / overlap", "predicted", *quality), scores, left=2),
        "",
        made_on(["semimtl-geo"]),
    ]


def main() -> None:
    parser = make_parser(__doc__)
    add_network(parser, iterations=300)
    parser.add_argument(
        "--size", type=int, default=2560, help=f"edge of the raster: a multiple of {TILE} px"
    )
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    lines = limit(args.checkpoint, args.iterations, args.size, args.rounds)
    publish("Time of a whole map", lines, args.write)


if __name__ == "__main__":
    main()
