"""Map an image that xarray holds, lazily; here, only the part that is asked for is predicted.

python examples/predict_an_xarray_image.py demo/semimtl.ckpt ortho.tif height.tif

Images from a catalogue do as well: `odc.stac.load(items, bands=["nir", "red", "green"], ...)` gives
a data set, of which `.isel(time=0).to_array("band")` is such an image.
"""

from __future__ import annotations

import sys

import rioxarray

from semimtl_geo import Mapper


def main(checkpoint: str, raster: str, out: str) -> None:
    image = rioxarray.open_rasterio(raster, chunks={"x": 2048, "y": 2048})
    maps = Mapper.load(checkpoint).predict(image)
    print(maps)
    # Only BatchNorm statistics were estimated so far; now the upper left quarter is predicted.
    height, width = maps.height.shape
    quarter = maps.height.isel(y=slice(height // 2), x=slice(width // 2)).compute()
    print(f"tallest: {float(quarter.max()):.1f} m")
    quarter.rio.to_raster(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
