"""Train on data sets of torchgeo: classes of your own that say which files are images and labels.

python examples/train_on_torchgeo_datasets.py cities/city_a cities/city_b runs/torchgeo 500
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torchgeo.datasets import IntersectionDataset, RasterDataset

from semimtl_geo import Domain, DomainsDataModule, SemiMTL, fit
from semimtl_geo.networks import Encoder


class Orthophotos(RasterDataset):
    filename_glob = "*.tif"


class LandCover(RasterDataset):
    filename_glob = "*.tif"
    is_image = False


class Heights(RasterDataset):
    filename_glob = "*.tif"
    is_image = False
    dtype = torch.float32  # else torchgeo truncates heights to whole metres


def land_cover(folder: Path) -> IntersectionDataset:
    return Orthophotos(folder / "image") & LandCover(folder / "landcover")


def heights(folder: Path) -> IntersectionDataset:
    return Orthophotos(folder / "image") & Heights(folder / "height")


def main(first: str, second: str, out: str, iterations: str) -> None:
    domains = {
        "first": Domain(
            ["landcover"],
            dataset=land_cover(Path(first) / "train"),
            val_dataset=land_cover(Path(first) / "val"),
            keys={"mask": "landcover"},
        ),
        "second": Domain(
            ["height"],
            dataset=heights(Path(second) / "train"),
            val_dataset=heights(Path(second) / "val"),
            keys={"mask": "height"},
        ),
    }
    data = DomainsDataModule(None, domains, crop=96, iterations=int(iterations), workers=0)
    encoder = Encoder("tu-resnet10t", weights=None)
    model = SemiMTL.for_data(data, system="jtl", encoder=encoder, decoder_width=64)
    quiet = {"enable_progress_bar": False, "enable_model_summary": False}
    print(f"trained: {fit(model, data, out, epochs=1, **quiet)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
