"""Fields of two Sentinel-2 scenes, of spring and summer, by a pretrained model of torchgeo.

python examples/map_with_a_torchgeo_model.py spring/GRANULE summer/GRANULE fields.tif

The folders are those of Level-2A products, with a file per band. torchgeo fetches the weights of
Fields of the World (CC BY 4.0) when they are used for the first time.
"""

from __future__ import annotations

import sys

import torch
from torchgeo.datasets import Sentinel2
from torchgeo.models import Unet_Weights, unet

from tiles import ClassMap, mosaic
from tiles.datasets import dataset_rasters
from tiles.reading import stack_bands

BANDS = ["B04", "B03", "B02", "B08"]


def main(spring: str, summer: str, out: str) -> None:
    weights = Unet_Weights.SENTINEL2_2CLASS_FTW
    model = unet(weights).eval()

    @torch.inference_mode()
    def network(batch: torch.Tensor) -> torch.Tensor:
        return model(weights.transforms(batch))

    dates = [dataset_rasters(Sentinel2(folder, bands=BANDS))[0] for folder in (spring, summer)]
    raster = stack_bands("both dates", [(b, d, i) for d in dates for i, b in enumerate(BANDS, 1)])
    layer = ClassMap("fields", ("background", "field"), ((0, 0, 0), (255, 220, 0)))
    print(mosaic(raster, network, layer, out, tile=256, overlap=64)["fields"])


if __name__ == "__main__":
    main(*sys.argv[1:])
