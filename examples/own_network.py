"""Stitch the answers of a network of your own with `tiles` alone; here, a vegetation index.

python examples/own_network.py ortho.tif ndvi.tif
"""

from __future__ import annotations

import sys
from pathlib import Path

from torch import Tensor

from tiles.maps.layers import ValueMap
from tiles.mosaic.mosaicker import mosaic


def network(batch: Tensor) -> Tensor:
    """Takes NIR, red, green [B, 3, S, S]; answers NDVI [B, 1, S, S]."""
    infrared, red = batch[:, :1], batch[:, 1:2]
    return (infrared - red) / (infrared + red).clamp(min=1)


def main(raster: str, out: str) -> None:
    layer = ValueMap("ndvi", description="vegetation index", low=-1, high=1)
    mosaic(raster, lambda batch: {"ndvi": network(batch)}, [layer], {"ndvi": Path(out)}, tile=256)


if __name__ == "__main__":
    main(*sys.argv[1:])
