"""Patterns of file names: which raw files belong to a layer, and which scene each one is.

A pattern is a path below the raw folder in which ``*`` stands for any text within a part of the
path. The name of a scene is what the ``*`` of the last part stand for: ``truth/*_AGL.tif`` finds
the heights ``truth/JAX_004_006_AGL.tif`` of scene ``JAX_004_006``. A pattern that ends with ``*``
finds files with the usual suffixes.
"""

from __future__ import annotations

import re
from typing import Final

from semimtl_geo.prepare.archive import RawFile, RawFolder
from tiles.errors import InputError

RASTERS: Final = ("tif", "tiff", "jp2", "img", "vrt", "asc")
POLYGONS: Final = ("gpkg", "shp", "geojson", "fgb")
"""Suffixes that a pattern without one accepts, in lower case."""

OTHER_POLYGONS: Final = ("json",)
"""Suffixes of polygons that a pattern must name, as files with other content have them, too."""


def is_polygons(file: RawFile) -> bool:
    """Return whether a file holds polygons rather than a raster, by its suffix."""
    return file.name.rpartition(".")[2].lower() in POLYGONS + OTHER_POLYGONS


def layer_files(raw: RawFolder, pattern: str, polygons: bool = False) -> dict[str, RawFile]:
    """Return the files of a layer by the names of their scenes.

    Files in archives are left out, as unzipping separates them from the files beside them.

    Args:
        raw: The raw folder.
        pattern: The pattern.
        polygons: Whether files of polygons are files of the layer, too. They are not if the pattern
            also finds rasters, beside which such files may lie.

    Raises:
        InputError: If two files have the same name.
    """
    whole = _regular_expression(pattern, RASTERS + (POLYGONS if polygons else ()))
    matches = [
        (file, match)
        for file in raw.files
        if file.member is None and (match := whole.fullmatch(file.path)) is not None
    ]
    if any(not is_polygons(file) for file, _ in matches):
        matches = [(file, match) for file, match in matches if not is_polygons(file)]
    found: dict[str, RawFile] = {}
    for file, match in matches:
        name = _scene_name(file, match.groups())
        if name in found:
            fault = f"has the name of {found[name].file}"
            raise InputError(file.file, fault, "rename or remove one of them")
        found[name] = file
    return dict(sorted(found.items()))


def _scene_name(file: RawFile, found: tuple[str, ...]) -> str:
    """Return the name of a scene: what the ``*`` stand for, without separators between them."""
    if len(found) > 1:
        found = ("_".join(stripped for part in found if (stripped := part.strip("_-. "))),)
    return "".join(found) or file.name.rpartition(".")[0]


def _regular_expression(pattern: str, suffixes: tuple[str, ...]) -> re.Pattern[str]:
    """Translate a pattern; its groups are what ``*`` stands for in the last part of the path."""
    folder, slash, name = pattern.strip("/").rpartition("/")
    has_suffix = re.search(r"\.\w+$", name) is not None
    parts = "([^/]*)".join(map(re.escape, name.split("*")))
    if name == "*":
        parts = "([^/]+)"
    ending = "" if has_suffix else rf"\.(?:{'|'.join(suffixes)})"
    before = "[^/]*".join(map(re.escape, folder.split("*")))
    return re.compile(f"{before}{slash}{parts}{ending}", re.IGNORECASE)
