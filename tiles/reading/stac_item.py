"""Orthophotos that a STAC Item describes: which of its files are read, and which bands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from os import fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.request import urlopen

from tiles.errors import InputError, input_errors
from tiles.reading.band_names import same_band
from tiles.reading.virtual_raster import stack_bands
from tiles.types import BandSelection, RasterName

if TYPE_CHECKING:
    import pystac

LARGEST: Final = 10_000_000
"""Bytes of an Item."""

TIMEOUT: Final = 30
"""Seconds that a server has to answer."""

SCHEMES: Final = ("http", "https", "s3", "gs", "az")
"""Schemes of URLs that an Item may give for its files."""

_RASTER_TYPES: Final = ("image/tiff", "image/vnd.stac.geotiff", "image/jp2", "image/x.geotiff")
_RASTER_ENDINGS: Final = (".tif", ".tiff", ".jp2")
_OTHER_ROLES: Final = {"thumbnail", "overview", "metadata"}


def is_item(raster: RasterName) -> bool:
    """Return whether a name is that of a STAC Item: ``item.json``, or one of a STAC API.

    Example:
        >>> is_item("https://example.org/ortho.json#visual"), is_item("ortho.tif")
        (True, False)
    """
    address = fspath(raster).partition("#")[0].partition("?")[0]
    return address.endswith(".json") or bool(
        re.match(r"https?://.+/collections/[^/]+/items/[^/]+$", address)
    )


def open_item(address: str, bands: BandSelection | None = None) -> RasterName:
    """Return the raster that a STAC Item describes.

    That is the asset named after ``#``; or else a stack of the wanted bands, if the Item says which
    images have them (each may be a file of its own); or else its only image.

    Args:
        address: Path or URL of the Item, and perhaps the name of one of its assets:
            ``item.json#visual``.
        bands: Names of the bands that are wanted.

    Raises:
        InputError: If the Item cannot be read, or does not say which image is meant.

    Example:
        >>> from pathlib import Path
        >>> assets = {"visual": {"href": "ortho.tif", "type": "image/tiff"}}
        >>> item = {"type": "Feature", "stac_version": "1.1.0", "id": "a", "geometry": None,
        ...     "properties": {"datetime": "2026-05-01T10:00:00Z"}, "links": [], "assets": assets}
        >>> _ = Path("item.json").write_text(json.dumps(item))
        >>> Path(open_item("item.json")).name
        'ortho.tif'
    """
    href, _, chosen = address.partition("#")
    item = _read(href)
    if chosen:
        if chosen not in item.assets:
            fault = f"has no asset {chosen}, but {', '.join(item.assets)}"
            raise InputError(href, fault, "name one of them after #")
        return _location(item.assets[chosen], href)
    images = {name: asset for name, asset in item.assets.items() if _is_image(asset)}
    wanted = [band for band in bands or [] if isinstance(band, str)]
    found = [list(_find(images, band)) for band in wanted]
    if wanted and len(wanted) == len(bands or []) and all(len(each) == 1 for each in found):
        return stack_bands(
            href,
            [
                (band, _location(images[name], href), number)
                for band, [(name, number)] in zip(wanted, found, strict=True)
            ],
        )
    if len(images) == 1:
        return _location(next(iter(images.values())), href)
    if not images:
        raise InputError(href, "has no image among its assets", "name one after #")
    fault = f"has several images: {', '.join(images)}"
    raise InputError(href, fault, f"name one: {href}#{next(iter(images))}")


def _read(href: str) -> pystac.Item:
    # Importing pystac takes half a second, and few rasters are Items.
    import pystac

    remedy = "give the path or URL of a STAC Item"
    # Broken Items raise exceptions of many kinds.
    with input_errors(href, "cannot be read as a STAC Item", remedy, Exception):
        if re.match(r"https?://", href):
            with urlopen(href, timeout=TIMEOUT) as answer:  # noqa: S310 - http or https
                content = answer.read(LARGEST + 1)
        else:
            with Path(href).open("rb") as file:
                content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise InputError(href, "is too large for a STAC Item", remedy)
        return pystac.Item.from_dict(json.loads(content), href=href)


def _is_image(asset: pystac.Asset) -> bool:
    if _OTHER_ROLES & set(asset.roles or ()):
        return False
    path = asset.href.partition("?")[0].lower()
    return (asset.media_type or "").startswith(_RASTER_TYPES) or path.endswith(_RASTER_ENDINGS)


def _find(images: dict[str, pystac.Asset], wanted: str) -> Iterator[tuple[str, int]]:
    """Yield the images that have a band, and its number in them, from 1."""
    for name, asset in images.items():
        for number, names in enumerate(_band_names(asset), start=1):
            if any(same_band(wanted, one) for one in names):
                yield name, number


def _band_names(asset: pystac.Asset) -> list[Sequence[str]]:
    """Return the names of each band of an image."""
    fields: dict[str, Any] = asset.extra_fields
    keys = ("name", "description", "common_name", "eo:common_name")
    bands = fields.get("bands") or fields.get("eo:bands") or []
    return [[str(band[key]) for key in keys if key in band] for band in bands]


def _location(asset: pystac.Asset, item: str) -> RasterName:
    """Return where the file of an asset lies, as GDAL takes it."""
    href = asset.get_absolute_href() or asset.href
    remote = re.match(r"https?://", item) is not None
    scheme = re.match(r"(\w+)://", href)
    if (scheme is not None and scheme[1] not in SCHEMES) or (scheme is None and remote):
        raise InputError(item, f"has an image at {href}", f"give one at {', '.join(SCHEMES)}")
    if scheme is None and href.startswith("/vsi"):
        raise InputError(item, f"has an image at {href}", "give a path or a URL")
    return href
