"""The files that examples in docstrings work on, small enough to be made for each test process."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import rasterio
import shapely
from rasterio.transform import from_origin

SIZE, GSD = 96, 0.5
WEST, NORTH = 500_000.0, 5_800_000.0


def write_example_folder(folder: Path) -> None:
    """Write the files.

    - ``ortho.tif``: NIR, red, green, uint8, 96 x 96 px of 0.5 m in EPSG:25832;
    - ``landcover.tif`` and ``height.tif``: maps of it with one building of 10 x 15 m, 6 m high;
    - ``dsm.tif`` and ``dtm.tif``: heights on a plane at 50 m;
    - ``area.gpkg``: a polygon over its west half;
    - ``data/city_a`` and ``data/city_b``: scenes of the synthetic cities;
    - ``frames``: two street views of 64 x 128 px with classes and inverse depth;
    - ``semimtl.ckpt``: a tiny untrained network of land cover and heights.
    """
    from semimtl_geo.synthetic import write_cities

    rng = np.random.default_rng(0)
    image = rng.integers(1, 256, (3, SIZE, SIZE), dtype=np.uint8)
    classes = np.full((1, SIZE, SIZE), 2, np.uint8)
    height = np.zeros((1, SIZE, SIZE), np.float32)
    house = slice(20, 50), slice(30, 50)
    classes[:, *house], height[:, *house] = 1, 6
    _write(folder / "ortho.tif", image, ("NIR", "red", "green"))
    _write(folder / "landcover.tif", classes, ("landcover",), nodata=255)
    _write(folder / "height.tif", height, ("height",), nodata=-9999)
    _write(folder / "dsm.tif", height + 50, ("surface",))
    _write(folder / "dtm.tif", np.full_like(height, 50), ("terrain",))
    west = shapely.box(WEST, NORTH - SIZE * GSD, WEST + SIZE * GSD / 2, NORTH)
    geopandas.GeoDataFrame(geometry=[west], crs="EPSG:25832").to_file(folder / "area.gpkg")
    write_cities(folder / "data", scenes=2, size=96)
    _write_frames(folder / "frames", rng)
    _write_checkpoint(folder / "semimtl.ckpt")


def _write(
    path: Path, values: np.ndarray, bands: tuple[str, ...], nodata: float | None = None
) -> None:
    count, height, width = values.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=count,
        height=height,
        width=width,
        dtype=values.dtype.name,
        crs="EPSG:25832",
        transform=from_origin(WEST, NORTH, GSD, GSD),
        nodata=nodata,
    ) as file:
        file.write(values)
        file.descriptions = bands


def _write_frames(folder: Path, rng: np.random.Generator) -> None:
    from PIL import Image

    for name in ("image", "segmentation", "depth"):
        (folder / name).mkdir(parents=True)
    for number in range(2):
        pixels = rng.integers(0, 256, (64, 128, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "image" / f"{number}.png")
        Image.fromarray(pixels[..., 0] % 19).save(folder / "segmentation" / f"{number}.png")
        depth = Image.fromarray(rng.random((64, 128), np.float32))
        depth.save(folder / "depth" / f"{number}.tif")


def _write_checkpoint(path: Path) -> None:
    import torch

    from semimtl_geo.networks.checkpoint import KEY
    from semimtl_geo.networks.encoder import Encoder
    from semimtl_geo.tasks import Depth, Segmentation
    from semimtl_geo.training.module import SemiMTL

    torch.manual_seed(0)
    model = SemiMTL(
        tasks=[Segmentation(), Depth()],
        domains={"city_a": ["landcover"], "city_b": ["height"]},
        encoder=Encoder("tu-resnet10t", None, 8, {"channels": [8, 8, 16, 16], "stem_width": 8}),
        decoder_width=16,
        discriminator_width=4,
        gsd=GSD,
        crop=32,
    )
    torch.save({"state_dict": model.state_dict(), KEY: model.card.to_plain()}, path)
