"""Map an orthophoto with a trained network, and look at the maps as an xarray data set.

python examples/map_an_orthophoto.py demo/semimtl.ckpt ortho.tif maps
"""

from __future__ import annotations

import sys

from semimtl_geo import Mapper
from semimtl_geo.mapping import map_files


def main(checkpoint: str, raster: str, out: str) -> None:
    maps = Mapper.load(checkpoint).map(raster, out)
    print(maps)
    print(maps.attrs["comment"])
    print(f"tallest: {float(maps.height.max()):.1f} m")
    for name, file in map_files(maps).items():
        print(f"{name}: {file}")


if __name__ == "__main__":
    main(*sys.argv[1:])
