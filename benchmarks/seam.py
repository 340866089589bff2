"""Whether height maps show where their tiles begin and end.

    python benchmarks/seam.py [--checkpoint FILE | --iterations 200] [--scenes 8] [--write]

Trains SemiMTL on the synthetic cities for a short while (`configs/cities/base.yaml`), or takes a
checkpoint of such a training, maps fresh scenes of both cities that are larger than the tiles, at
the network's own ground sampling distance so that tiles begin and end between two pixels of the
map, and prints a Markdown table:

- at borders m: |h[x] - h[x - 1]|, the mean over all columns and rows x where a tile begins or ends;
- over inside: that over the same on lines inside tiles, 32 px or more from every border. Wanted at
  most 1.05. Buildings make most of the jumps, so that each border is compared with the lines of
  the two gaps beside it, and only with those of its own phase modulo the network's stride: its
  output is up-sampled, hence steeper on some phases than on others, tiles or no tiles;
- error: its standard error, the lines taken for independent;
- over any inside: the same with lines of every phase;
- over whole: the ratio over that of the map of the whole scene in one forward pass, where nothing
  begins or ends on the very same lines: what buildings happen to stand there cancels.

Rows of a tile: as `Mapper.map` makes it, overlapping as the model card says and blended; without
overlap, each pixel from one tile, which shows that the measure sees seams; and the whole scene at
once on the lines of the blended one, which shows what the measure says where there is no seam.
Tiles are those of the model card, and of 512 px.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
import torch
import torch.nn.functional as F
from measuring import made_on, make_parser, publish, say, table
from rasterio.transform import from_origin
from rasters import read_band

from semimtl_geo.mapping.mapper import Mapper
from semimtl_geo.mapping.predictor import Predictor
from semimtl_geo.mapping.settings import MapSettings
from semimtl_geo.synthetic import write_cities
from semimtl_geo.synthetic.scene import make_scene
from semimtl_geo.synthetic.town.city_style import CITY_A, CITY_B, CityStyle
from semimtl_geo.training.cli import packaged_config, train
from tiles.grid import tile_starts
from tiles.mosaic.mosaicker import mosaic

SEED = 2**20  # of the scenes, none of which is in any training
MARGIN = 32
PAPER = 512
"""Edge in pixels of the paper's patches (docs/protocol.md)."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Jumps:
    """Mean jumps [n] on n border lines, and on the lines that each is compared with."""

    border: Floats
    phase: Floats
    any: Floats

    def over_inside(self) -> tuple[float, float]:
        """Ratio of the sums, and its standard error (linearised)."""
        ratio = self.border.sum() / self.phase.sum()
        left = self.border - ratio * self.phase
        count = len(left)
        error = np.sqrt(count / (count - 1) * (left**2).sum()) / self.phase.sum()
        return float(ratio), float(error)


def joined(parts: list[Jumps]) -> Jumps:
    return Jumps(
        np.concatenate([part.border for part in parts]),
        np.concatenate([part.phase for part in parts]),
        np.concatenate([part.any for part in parts]),
    )


def borders(size: int, tile: int, overlap: int) -> list[int]:
    """Lines inside a scene before which a tile ends or with which one begins."""
    starts = tile_starts(size, tile, overlap)
    return sorted(({*starts} | {start + tile for start in starts}) - {0, size})


def measure(heights: npt.NDArray[np.float32], lines: list[int], stride: int) -> Jumps:
    """Jumps of a height map [size, size] across its columns and rows."""
    size = len(heights)
    numbers = np.arange(1, size)
    away = np.abs(numbers[:, None] - lines).min(axis=1) >= MARGIN
    parts = []
    for axis in (0, 1):
        jump = np.abs(np.diff(heights.astype(np.float64), axis=axis)).mean(axis=1 - axis)
        for before, line, after in zip([0, *lines], lines, [*lines[1:], size], strict=False):
            near = away & (numbers > before) & (numbers < after)
            phase = near & ((numbers - line) % stride == 0)
            if not phase.any():  # no line between two borders is far enough from both
                continue
            means = jump[line - 1], jump[phase].mean(), jump[near].mean()
            parts.append(Jumps(*(np.array([mean]) for mean in means)))
    return joined(parts)


def write_scene(path: Path, city: CityStyle, number: int, size: int, gsd: float) -> None:
    """An orthophoto [3, size, size] of a city at another ground sampling distance."""
    seed = np.random.SeedSequence(entropy=SEED, spawn_key=(number,))
    scene = make_scene(city, seed, round(size * gsd / city.gsd))
    image = torch.from_numpy(scene.image)[None].float()
    if image.shape[-1] != size:
        image = F.interpolate(image, (size, size), mode="bilinear", antialias=True)
    with rasterio.open(
        path, "w", driver="GTiff", width=size, height=size, count=3, dtype="uint8",
        crs=city.crs, transform=from_origin(*city.origin, gsd, gsd),
    ) as file:  # fmt: skip
        file.write(image[0].round().clamp(0, 255).byte().numpy())


def stitch(
    mapper: Mapper, raster: Path, domain: str, tile: int, folder: Path
) -> npt.NDArray[np.float32]:
    """The heights of a scene from tiles without overlap."""
    generator = mapper.for_domain(domain).generator
    predict = Predictor(
        mapper.card, generator, device=mapper.device, scale=255, precision=mapper.precision_on()
    )
    layer = next(task.layer() for task in mapper.card.tasks if task.label_kind == "values")
    files = {layer.name: folder / f"{raster.stem}_{tile}.tif"}
    mosaic(
        raster, predict, [layer], files,
        tile=tile, overlap=0, batch_size=8, gsd=mapper.card.gsd,
    )  # fmt: skip
    return read_band(files[layer.name])


def measure_scene(
    mapper: Mapper, raster: Path, domain: str, tilings: list[tuple[int, int]], size: int
) -> dict[tuple[int, str], tuple[Jumps, Jumps]]:
    """Jumps by tile and way to stitch, and those of the whole scene at once on the same lines."""
    stride = mapper.card.encoder.output_stride
    task = next(task.name for task in mapper.card.tasks if task.label_kind == "values")
    found = {}
    with tempfile.TemporaryDirectory(dir=raster.parent) as folder:
        whole = stitch(mapper, raster, domain, size, Path(folder))
        for tile, overlap in tilings:
            mapper.map(raster, folder, domain=domain, tile=tile, overlap=overlap)
            blended = read_band(Path(folder) / f"{raster.stem}_{task}.tif")
            for way, heights, shared in (
                (f"blended, overlap {overlap}", blended, overlap),
                ("no overlap", stitch(mapper, raster, domain, tile, Path(folder)), 0),
                ("whole scene at once", whole, overlap),
            ):
                lines = borders(size, tile, shared)
                found[tile, way] = (
                    measure(heights, lines, stride),
                    measure(whole, lines, stride),
                )
    return found


def add_network(parser: argparse.ArgumentParser, iterations: int) -> None:
    """Let the command line name a network, or say how long one is trained."""
    parser.add_argument("--checkpoint", type=Path, help="a network of the synthetic cities")
    parser.add_argument(
        "--iterations",
        type=int,
        default=iterations,
        help="iterations of training if no --checkpoint is given",
    )


def train_shortly(
    folder: Path, iterations: int, scenes: int = 12, configs: tuple[str, ...] = ("base",)
) -> Path:
    """Train on the synthetic cities; returns a checkpoint, by default of SemiMTL."""
    write_cities(folder / "cities", scenes=scenes, size=384)
    say(f"training, {iterations} iterations")
    return train(
        [
            *(f"--config={packaged_config(f'cities/{name}.yaml')}" for name in configs),
            f"--data.root={folder / 'cities'}",
            f"--data.iterations={iterations}",
            "--trainer.max_epochs=1",
            "--trainer.enable_progress_bar=false",
            "--trainer.enable_model_summary=false",
            f"--out={folder / 'run'}",
        ]
    )


def seam(checkpoint: Path | None, iterations: int, scenes: int, size: int) -> list[str]:
    """Measure on scenes of both cities; returns the lines of the table."""
    found: dict[tuple[str, int, str], list[tuple[Jumps, Jumps]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        mapper = Mapper.load(checkpoint or train_shortly(folder, iterations))
        gsd = mapper.card.gsd or CITY_B.gsd
        chosen = MapSettings().tiling(mapper.card)
        tilings = [(tile, chosen.overlap) for tile in sorted({chosen.tile, PAPER})]
        for city in (CITY_A, CITY_B):
            for number in range(scenes):
                raster = folder / f"{city.name}_{number}.tif"
                write_scene(raster, city, number, size, gsd)
                for key, jumps in measure_scene(mapper, raster, city.name, tilings, size).items():
                    found.setdefault((city.name, *key), []).append(jumps)
                say(f"{raster.stem} mapped")
    rows = []
    for (name, tile, way), pairs in found.items():
        jumps, whole = (joined(list(parts)) for parts in zip(*pairs, strict=True))
        ratio, error = jumps.over_inside()
        rows.append(
            (
                *(name, str(tile), way, str(len(jumps.border))),
                *(f"{jumps.border.mean():.4f}", f"{ratio:.3f}", f"{error:.3f}"),
                f"{jumps.border.sum() / jumps.any.sum():.3f}",
                f"{ratio / whole.over_inside()[0]:.3f}",
            )
        )
    header = (
        *("city", "tile", "way", "lines"),
        *("at borders m", "over inside", "error", "over any inside", "over whole"),
    )
    trained = checkpoint.name if checkpoint else f"SemiMTL after {iterations} iterations"
    return [
        f"{trained}; {scenes} scenes per city, {size} x {size} px of {gsd} m; inside is "
        f"{MARGIN} px or more from borders",
        "",
        *table(header, rows, left=3),
        "",
        made_on(["semimtl-geo"]),
    ]


def main() -> None:
    parser = make_parser(__doc__)
    add_network(parser, iterations=200)
    parser.add_argument("--scenes", type=int, default=8, help="per city")
    parser.add_argument("--size", type=int, default=1536, help=f"a multiple of {PAPER} px")
    args = parser.parse_args()
    if args.size % PAPER or args.size < 2 * PAPER:
        parser.error(f"--size {args.size}: give a multiple of {PAPER}, {2 * PAPER} or more")
    publish("Seams", seam(args.checkpoint, args.iterations, args.scenes, args.size), args.write)


if __name__ == "__main__":
    main()
