"""Map a raster with a network of your own and `tiles` alone; here, it computes an index.

python examples/own_network.py ortho.tif ndvi.tif

The bands of ortho.tif are bytes: near infrared, red and green, in this order.
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor

from tiles import ValueMap, mosaic


class VegetationIndex(torch.nn.Module):
    """Network without weights that returns NDVI."""

    def forward(self, images: Tensor) -> Tensor:
        """Return NDVI [B, 1, S, S] of images with NIR, red and green, [B, 3, S, S]."""
        infrared, red = images[:, :1], images[:, 1:2]
        return (infrared - red) / (infrared + red).clamp(min=1 / 255)


def main(raster: str, out: str) -> None:
    layer = ValueMap("ndvi", description="vegetation index", low=-1, high=1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    mosaic(raster, VegetationIndex(), layer, out, tile=256, scale=255, device=device)


if __name__ == "__main__":
    main(*sys.argv[1:])
