"""Bands by name: by a file's descriptions of its bands, or by their colour interpretation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rasterio.enums import ColorInterp

from tiles.errors import InvalidValueError
from tiles.types import BandSelection

_SYNONYMS = {
    "r": "red",
    "g": "green",
    "b": "blue",
    "n": "nir",
    "ir": "nir",
    "infrared": "nir",
    "nearinfrared": "nir",
    "shortwaveinfrared": "swir",
    "panchromatic": "pan",
    "grey": "gray",
    "coastalaerosol": "coastal",
    "coastalblue": "coastal",
}
_NO_COLOR = {ColorInterp.undefined, ColorInterp.palette}


def _normalise(name: str) -> str:
    """Return one spelling of a band's name: `Near-Infrared`, `IR` and `nir` become `nir`."""
    plain = "".join(letter for letter in name.lower() if letter.isalnum())
    return _SYNONYMS.get(plain, plain)


def same_band(one: str, other: str) -> bool:
    """Return whether two names mean the same band.

    Example:
        >>> same_band("Near Infrared", "nir"), same_band("nir", "red")
        (True, False)
    """
    return _normalise(one) == _normalise(other)


_COLORS = {_normalise(color.name) for color in ColorInterp if color not in _NO_COLOR}


def _names(file: Any) -> tuple[list[str], list[str]]:
    """Return each band's name by its description and by its colour; empty if it has none."""
    descriptions = [text or "" for text in file.descriptions]
    # A description that is a colour overrules the colour interpretation: infrared images that were
    # saved as ordinary pictures often interpret their bands as red, green and blue.
    colors = [
        "" if color in _NO_COLOR or _normalise(text) in _COLORS else color.name
        for text, color in zip(descriptions, file.colorinterp, strict=True)
    ]
    return descriptions, colors


def _candidates(file: Any, name: str) -> list[int]:
    """Return the numbers of all bands of a name."""
    wanted = _normalise(name)
    for names in _names(file):
        if found := [i for i, text in enumerate(names, 1) if text and _normalise(text) == wanted]:
            return found
    return []


def find_bands(file: Any, names: Sequence[str]) -> list[int] | None:
    """Look for bands by name, first among descriptions, then among colours.

    Args:
        file: An open raster (``rasterio.DatasetReader``).
        names: Names in any case and common spelling, such as `red`, `R` or `Near Infrared`.

    Returns:
        Numbers of the bands, from 1. None if a name fits no band or several, or two names fit the
        same band.

    Example:
        >>> import rasterio
        >>> with rasterio.open("ortho.tif") as ortho:
        ...     find_bands(ortho, ["Near Infrared", "R"]), find_bands(ortho, ["blue"])
        ([1, 2], None)
    """
    candidates = [_candidates(file, name) for name in names]
    numbers = [found[0] for found in candidates if len(found) == 1]
    return numbers if len(set(numbers)) == len(names) else None


def band_numbers(file: Any, source: str, wanted: BandSelection) -> list[int]:
    """Return the numbers of bands that are given by number or by name.

    Args:
        file: An open raster (``rasterio.DatasetReader``).
        source: Name of the raster in error messages.
        wanted: Numbers, from 1, which are not checked, or names as for :func:`find_bands`.

    Raises:
        InvalidValueError: If a name fits no band, or several.

    Example:
        >>> import rasterio
        >>> with rasterio.open("ortho.tif") as ortho:
        ...     band_numbers(ortho, "ortho.tif", ["green", 1])
        [3, 1]
    """
    numbers = []
    for band in wanted:
        if not isinstance(band, str):
            numbers.append(band)
            continue
        found = _candidates(file, band)
        if len(found) > 1:
            fault = f"has several bands named {band}: {' and '.join(map(str, found))}"
            raise InvalidValueError(source, fault, "choose one by its number")
        if not found:
            names = zip(*_names(file), strict=True)
            each = ", ".join(
                f"{i} {a or b or 'without a name'}" for i, (a, b) in enumerate(names, 1)
            )
            fault = f"has no band named {band}; its bands are {each}"
            raise InvalidValueError(source, fault, "give band numbers, from 1")
        numbers.append(found[0])
    return numbers
