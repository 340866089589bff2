"""Map all orthophotos of an area so that neighbouring maps agree, on all GPUs of this machine.

python examples/map_a_whole_area.py demo/semimtl.ckpt maps west.tif east.tif

On a dask cluster, whose workers see the same files, give `map_many` a `distributed.Client` as
`client=`; each worker then takes whole orthophotos.
"""

from __future__ import annotations

import sys

import torch
import xarray

from semimtl_geo import Mapper


def report(name: str, maps: xarray.Dataset) -> None:
    print(f"{name}: mean height {float(maps.height.mean()):.1f} m")


def main(checkpoint: str, out: str, *rasters: str) -> None:
    gpus = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    # Statistics are estimated once, on all orthophotos together. Started again after an
    # interruption, the same call continues the work.
    maps = Mapper.load(checkpoint).map_many(
        rasters, out, statistics="joint", devices=gpus or None, finished=report
    )
    for comment in {dataset.attrs["comment"] for dataset in maps.values()}:
        print(comment)


if __name__ == "__main__":  # processes on several GPUs import this file
    main(*sys.argv[1:])
