"""Peak memory of `tiles.mosaic` on a raster and on one of a hundred times its pixels.

    python benchmarks/memory.py [--size 6000] [--large 60000] [--panel 4096] [--write]

Prints a Markdown table of the greatest resident memory of a fresh process that makes a class map,
with panels of the same width, and of how much of it came after the imports. The orthophotos are
sparse files: nodata but for their diagonal and one whole row of blocks, so that every panel has
tiles to predict, and some rows of tiles are full. Wanted: a peak of at most 1.10 times the small
one's.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from measuring import afresh, made_on, make_parser, publish, say, table
from peers import OURS, PACKAGES, TILE
from rasters import write_sparse
from stitching import Measurement, measure


def memory(sizes: tuple[int, int], overlap: int, panel: int) -> list[str]:
    """Measure the peak memory at two sizes; returns the lines of the table."""
    runs: list[Measurement] = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            raster, out = Path(folder) / "raster.tif", Path(folder) / "map.tif"
            afresh(write_sparse, raster, size)
            runs.append(afresh(measure, OURS, raster, out, overlap, check=False, panel=panel))
        say(f"{size}: {runs[-1].whole:.1f} s, {runs[-1].peak:.3f} GB")
    small, large = runs
    rows = [
        (f"{size:,} x {size:,}", f"{run.whole:.1f}", f"{run.peak:.3f}", f"{run.over_imports:.3f}")
        for size, run in zip(sizes, runs, strict=True)
    ]
    over = large.over_imports / small.over_imports
    rows.append(("ratio", "", f"{large.peak / small.peak:.3f}", f"{over:.3f}"))
    return [
        f"{OURS}, sparse orthophotos (3 bands, nodata but for the diagonal and one row of "
        f"blocks), tile {TILE}, overlap {overlap}, panels of {panel} columns",
        "",
        *table(("pixels", "total s", "peak GB", "beyond imports GB"), rows, left=0),
        "",
        made_on([PACKAGES[OURS][1]]),
    ]


def main() -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--size", type=int, default=6000, help="pixels along the small orthophoto")
    parser.add_argument("--large", type=int, default=60_000, help="pixels along the large one")
    parser.add_argument("--overlap", type=int, default=128)
    parser.add_argument("--panel", type=int, default=4096, help="columns of a panel")
    args = parser.parse_args()
    publish("Memory", memory((args.size, args.large), args.overlap, args.panel), args.write)


if __name__ == "__main__":
    main()
