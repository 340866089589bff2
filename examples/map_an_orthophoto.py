"""Map an orthophoto with a trained network, and look at the maps as an xarray data set.

python examples/map_an_orthophoto.py demo/semimtl.ckpt ortho.tif maps
"""

from __future__ import annotations

import sys

from semimtl_geo import Mapper


def main(checkpoint: str, raster: str, out: str) -> None:
    maps = Mapper.load(checkpoint).map(raster, out)
    dataset = maps.open()
    print(dataset)
    print(f"statistics {maps.statistics}")
    print(f"tallest: {float(dataset.height.where(dataset.height >= 0).max()):.1f} m")


if __name__ == "__main__":
    main(*sys.argv[1:])
