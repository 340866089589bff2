"""Bands by name: as a file describes them, or by the colour it says they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rasterio.enums import ColorInterp

from tiles.errors import InputError
from tiles.types import BandSelection

_SAME = {
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
_NAMELESS = {ColorInterp.undefined, ColorInterp.palette}


def _plain(name: str) -> str:
    """One spelling of all those of a name: `Near-Infrared`, `IR` and `nir` are `nir`."""
    plain = "".join(letter for letter in name.lower() if letter.isalnum())
    return _SAME.get(plain, plain)


_COLOURS = {_plain(meaning.name) for meaning in ColorInterp if meaning not in _NAMELESS}


def _names(file: Any) -> tuple[list[str], list[str]]:
    """What each band is called by its description, and by its colour; empty if nothing."""
    described = [text or "" for text in file.descriptions]
    # A description that is a colour overrules the other: many an infrared image that was saved as
    # an ordinary picture says of its bands that they are red, green and blue.
    coloured = [
        "" if meaning in _NAMELESS or _plain(text) in _COLOURS else meaning.name
        for text, meaning in zip(described, file.colorinterp, strict=True)
    ]
    return described, coloured


def _candidates(file: Any, name: str) -> list[int]:
    """Numbers of the bands of a name."""
    for names in _names(file):
        if found := [i for i, text in enumerate(names, 1) if text and _plain(text) == _plain(name)]:
            return found
    return []


def find_bands(file: Any, names: Sequence[str]) -> list[int] | None:
    """Look for bands by name, first among descriptions, then among colours.

    Args:
        file: An open raster.
        names: What they are called, in any case and common spelling: `red`, `R`, `Near Infrared`.

    Returns:
        Their numbers, from 1; None unless every name is that of just one band, another each time.
    """
    found = [_candidates(file, name) for name in names]
    numbers = [candidates[0] for candidates in found if len(candidates) == 1]
    return numbers if len(set(numbers)) == len(names) else None


def band_numbers(file: Any, source: str, wanted: BandSelection) -> list[int]:
    """Numbers of bands that are wanted by number or name.

    Args:
        file: An open raster.
        source: What it is called in errors.
        wanted: Numbers, from 1, which are not checked, or names as in :func:`find_bands`.

    Raises:
        InputError: If a name is that of no band, or of several.
    """
    numbers = []
    for band in wanted:
        if not isinstance(band, str):
            numbers.append(band)
            continue
        found = _candidates(file, band)
        if len(found) > 1:
            fault = f"calls {' and '.join(f'band {i}' for i in found)} {band}"
            raise InputError(source, fault, "choose one by its number")
        if not found:
            both = zip(*_names(file), strict=True)
            called = ", ".join(f"{i} {a or b or 'nameless'}" for i, (a, b) in enumerate(both, 1))
            fault = f"calls no band {band}, but its bands {called}"
            raise InputError(source, fault, "give band numbers, from 1")
        numbers.append(found[0])
    return numbers
