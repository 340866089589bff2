"""STAC Items of maps: where they lie, what their numbers mean, and what they were made from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from os.path import relpath
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pystac
import rasterio
import shapely
from pyproj import CRS
from pystac.extensions.classification import Classification, ClassificationExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import DataType, RasterBand, RasterExtension, Statistics
from rasterio.warp import transform_geom
from shapely.geometry.base import BaseGeometry

from semimtl_geo.mapping.provenance import read_tags
from tiles.files import write_errors, write_text
from tiles.maps.layers import ClassMap, Layer
from tiles.reading.addresses import URL
from tiles.types import Color


def write_maps_item(
    target: Path,
    name: str,
    layers: Sequence[Layer],
    files: Mapping[str, Path],
    sources: Iterable[str],
    model_item: Path | None = None,
) -> None:
    """Write the STAC Item of the maps of one place, with paths relative to it.

    It follows STAC 1.1 with the extensions projection, raster and classification.

    Args:
        target: The file.
        name: Name of the place, which identifies the Item.
        layers: The maps.
        files: File of each map, by its name.
        sources: Paths or URLs of the rasters that were mapped.
        model_item: STAC Item of the network, if there is one.

    Raises:
        InputError: If the file cannot be written.
    """
    folder = target.parent.absolute()
    with rasterio.open(files[layers[0].name]) as raster:
        crs, transform = CRS.from_user_input(raster.crs), raster.transform
        shape, bounds = [raster.height, raster.width], list(raster.bounds)
        outline = transform_geom(
            raster.crs, "EPSG:4326", shapely.box(*raster.bounds).segmentize(1e3).__geo_interface__
        )
        provenance = read_tags(raster.tags())
    geometry = shapely.geometry.shape(outline)
    made = datetime.now(UTC)
    properties = {
        "title": f"Maps of {name}",
        "description": "Maps that a neural network predicted from an orthophoto. The Item's time "
        "is that of the prediction.",
        "created": pystac.utils.datetime_to_str(made),
        **{f"semimtl:{key.lower()}": value for key, value in provenance.items()},
    }
    item = pystac.Item(
        id=name,
        geometry=shapely.geometry.mapping(geometry),
        bbox=_bounding_box(geometry),
        datetime=made,
        properties=properties,
    )
    projection = ProjectionExtension.ext(item, add_if_missing=True)
    authority = crs.to_authority(min_confidence=100)
    projection.apply(
        code=":".join(authority) if authority else None,
        wkt2=None if authority else crs.to_wkt("WKT2_2019"),
        shape=shape,
        bbox=bounds,
        transform=list(transform)[:6],
    )
    for layer in layers:
        _add_asset(item, layer, files[layer.name], folder)
    for source in sources:
        if (href := _source(source, folder)) is not None:
            item.add_link(_link(href))
    if model_item is not None:
        item.add_link(_link(_relative(model_item, folder), "application/geo+json"))
    content: dict[str, Any] = item.to_dict(include_self_link=False, transform_hrefs=False)
    with write_errors(target):
        write_text(target, json.dumps(content, indent=2) + "\n")


def classifications(names: Sequence[str], colors: Sequence[Color]) -> list[Classification]:
    """Return classes as the classification extension describes them.

    Args:
        names: Names of the classes with the values 0, 1, ...
        colors: Colours of the classes.

    Example:
        >>> (grass,) = classifications(["low vegetation"], [(0, 255, 255)])
        >>> grass.name, grass.title, grass.color_hint
        ('low_vegetation', 'low vegetation', '00FFFF')
    """
    return [
        Classification.create(
            value=value,
            name="_".join(re.findall(r"[0-9A-Za-z-]+", label)) or "class",
            title=label,
            color_hint="{:02X}{:02X}{:02X}".format(*color),
        )
        for value, (label, color) in enumerate(zip(names, colors, strict=True))
    ]


def _add_asset(item: pystac.Item, layer: Layer, file: Path, folder: Path) -> None:
    asset = pystac.Asset(
        href=_relative(file, folder),
        title=layer.name,
        media_type=pystac.MediaType.COG,
        roles=["data"],
    )
    item.add_asset(layer.name, asset)
    with rasterio.open(file) as raster:
        bands = [
            RasterBand.create(
                nodata=layer.nodata,
                data_type=DataType(layer.dtype),
                unit=layer.unit or None,
                # The mean of class numbers has no meaning.
                statistics=None
                if isinstance(layer, ClassMap)
                else _statistics(raster.tags(number)),
            )
            for number in range(1, raster.count + 1)
        ]
    RasterExtension.ext(asset, add_if_missing=True).apply(bands)
    if isinstance(layer, ClassMap):
        classes = classifications(layer.classes, layer.colors)
        ClassificationExtension.ext(asset, add_if_missing=True).apply(classes)


def _statistics(tags: Mapping[str, str]) -> Statistics | None:
    """Return the statistics in the tags of a band; None if all of its pixels are unknown."""
    names = ("MINIMUM", "MAXIMUM", "MEAN", "STDDEV", "VALID_PERCENT")
    found = [tags.get(f"STATISTICS_{name}") for name in names]
    numbers = [float(number) for number in found if number is not None]
    if len(numbers) < len(names):
        return None
    return Statistics.create(*numbers)


def _bounding_box(geometry: BaseGeometry) -> list[float]:
    """Return west, south, east and north; west is greater if it crosses the 180th meridian."""
    west, south, east, north = geometry.bounds
    parts = getattr(geometry, "geoms", [geometry])
    if west <= -180 and east >= 180 and len(parts) > 1:  # it was cut there (RFC 7946)
        west = min(part.bounds[0] for part in parts if part.bounds[0] > 0)
        east = max(part.bounds[2] for part in parts if part.bounds[2] < 0)
    return [west, south, east, north]


def _source(name: str, folder: Path) -> str | None:
    """Return a raster's URL or relative path; None if it is neither a URL nor a file."""
    if (url := URL.fullmatch(name)) is not None:
        # User names and queries may contain credentials.
        parts = urlsplit(url[1])
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    with suppress(OSError):  # a name of GDAL's may be too long for a path
        return _relative(name, folder) if Path(name).exists() else None
    return None


def _relative(file: str | Path, folder: Path) -> str:
    """Return a path relative to a folder, or its URI if it lies on another drive of Windows."""
    try:
        return Path(relpath(file, folder)).as_posix()
    except ValueError:
        return Path(file).absolute().as_uri()


def _link(href: str, media_type: str | None = None) -> pystac.Link:
    return pystac.Link(pystac.RelType.DERIVED_FROM, href, media_type)
