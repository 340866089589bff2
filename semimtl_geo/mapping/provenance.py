"""Tags of a GeoTIFF that say how the map was made; all begin with ``SEMIMTL_``.

| tag | meaning |
| --- | --- |
| VERSION | version of semimtl-geo |
| MODEL, MODEL_SHA256 | the model's file name and hash |
| SYSTEM | the system that trained it, such as semimtl |
| RASTER | file name of the raster; if there are several, of the first, and how many more |
| BANDS | which bands were read as what, such as ``4 as NIR, 1 as red, 2 as green`` |
| STATISTICS | where the BatchNorm statistics came from, in words (with the training domain) |
| GSD | metres per pixel that the network saw; "as it is" if the raster is never resampled |
| TILE, OVERLAP | edge of a tile at most, and overlap of neighbouring tiles, in pixels |
| BATCH_SIZE | tiles per batch, at most |
| WHITE | value of the raster that is scaled to 1, such as 255 |
| PRECISION | precision of prediction, such as ``bfloat16`` |
| GRID, CRS | ``source`` or ``network``; the CRS that was asked for, or ``source`` |
| AREA | file name of the polygons that the map is confined to, if any |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version

from tiles.reading.addresses import public_name
from tiles.types import RasterName

PREFIX = "SEMIMTL_"


def make_tags(
    source: Mapping[str, str],
    rasters: Sequence[RasterName],
    bands: Mapping[str, int],
    **settings: str | float | None,
) -> dict[str, str]:
    """Return the tags of a map.

    Args:
        source: MODEL, MODEL_SHA256 and SYSTEM, as far as they are known.
        rasters: Files that are mapped.
        bands: Numbers of the bands, by the names that the network gives them.
        **settings: Values of the other tags by their names in lower case; None is left out.
    """
    first, *others = rasters
    tags = {
        "VERSION": version("semimtl-geo"),
        **source,
        "RASTER": public_name(first) + (f" and {len(others)} more" if others else ""),
        "BANDS": ", ".join(f"{number} as {name}" for name, number in bands.items()),
        **{name.upper(): str(value) for name, value in settings.items() if value is not None},
    }
    return {PREFIX + name: value for name, value in tags.items()}


def read_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return those tags of a file that :func:`make_tags` made, without their prefix."""
    return {name.removeprefix(PREFIX): v for name, v in tags.items() if name.startswith(PREFIX)}
