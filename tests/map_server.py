"""Files of a map server whose pixels are known: tiles, and STAC Items."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pystac
import rasterio
import shapely
from pyproj import Transformer

LONGITUDE, LATITUDE, LEVEL = 11.0, 50.0, 18


def colour(longitude: Any, latitude: Any) -> np.ndarray:
    """A smooth field over the area, bands first."""
    east, north = (longitude - LONGITUDE) * 1e4, (latitude - LATITUDE) * 1e4
    return np.round([128 + east, 128 + north, 128 + east - north]).clip(1, 255)


def column_and_row(longitude: float, latitude: float) -> tuple[float, float]:
    """Place in tiles, by the formulas of the OpenStreetMap wiki (Slippy map tilenames)."""
    tiles = 2**LEVEL
    column = (longitude + 180) / 360 * tiles
    row = (1 - math.asinh(math.tan(math.radians(latitude))) / math.pi) / 2 * tiles
    return column, row


def write_tiles(folder: Path) -> None:
    """Write a square of tiles with the area at its centre, one of them missing in a corner."""
    middle = [math.floor(number) for number in column_and_row(LONGITUDE, LATITUDE)]
    pixels = (np.arange(256) + 0.5) / 256
    for column in range(middle[0] - 4, middle[0] + 5):
        for row in range(middle[1] - 4, middle[1] + 5):
            longitude = (column + pixels) / 2**LEVEL * 360 - 180
            angle = math.pi * (1 - 2 * (row + pixels) / 2**LEVEL)
            latitude = np.degrees(np.arctan(np.sinh(angle)))
            values = colour(*np.meshgrid(longitude, latitude)).astype(np.uint8)
            path = folder / str(LEVEL) / str(column) / f"{row}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            with rasterio.open(
                path,
                "w",
                driver="PNG",
                width=256,
                height=256,
                count=3,
                dtype="uint8",
                transform=rasterio.Affine(1, 0, 0, 0, -1, 0),
            ) as file:
                file.write(values)
    (folder / str(LEVEL) / str(middle[0]) / f"{middle[1]}.png").unlink()


def write_area(path: Path, crs: str = "EPSG:25832") -> Path:
    """A square of 60 m in the tile north-east of the one that is missing."""
    to_utm = Transformer.from_crs(4326, 25832, always_xy=True)
    x, y = to_utm.transform(LONGITUDE, LATITUDE)
    frame = geopandas.GeoDataFrame(
        geometry=[shapely.box(x - 30, y - 30, x + 30, y + 30)], crs=25832
    )
    frame.to_crs(crs).to_file(path)
    return path


def make_item(
    folder: Path, assets: dict[str, tuple[str, list[dict[str, Any]] | None]], key: str = "bands"
) -> Path:
    """An Item as pystac writes it."""
    item = pystac.Item(
        "town", None, None, datetime=pystac.utils.str_to_datetime("2026-05-01"), properties={}
    )
    for name, (href, bands) in assets.items():
        fields = {} if bands is None else {key: bands}
        asset = pystac.Asset(
            href, media_type=pystac.MediaType.COG, roles=["data"], extra_fields=fields
        )
        item.add_asset(name, asset)
    item.add_asset("look", pystac.Asset("look.png", media_type="image/png", roles=["thumbnail"]))
    path = folder / "town.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(item.to_dict(include_self_link=False)))
    return path
