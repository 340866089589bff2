"""The YAML file that describes a user's own folder of scenes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from semimtl_geo.prepare.adapter import SPLITS
from tiles.errors import InvalidValueError, MissingFileError, input_errors
from tiles.files import path_errors
from tiles.types import Color

DEFAULT_SHARES: Final = {"train": 0.7, "val": 0.1, "test": 0.2}
MAX_CLASSES: Final = 254
EXAMPLE: Final = "see the example under 'Your own data' in README.md"

Kind = Literal["number", "text", "integer", "list", "mapping", "list or number"]

_KINDS: Final[dict[Kind, tuple[tuple[type, ...], str]]] = {
    "number": ((int, float), "a number"),
    "text": ((str,), "a text"),
    "integer": ((int,), "an integer"),
    "list": ((list,), "a list"),
    "mapping": ((dict,), "a mapping"),
    "list or number": ((list, int, float), "a list of scenes, or a share of them"),
}


@dataclass(frozen=True)
class ClassEntry:
    """A class of land cover.

    Attributes:
        name: Name of the class.
        color: Colour (red, green, blue), which is its code in label images of three bands.
        values: Values in label rasters of one band.
    """

    name: str
    color: Color
    values: tuple[int, ...]


@dataclass(frozen=True)
class FolderSettings:
    """Content of the YAML file; :mod:`semimtl_geo.prepare.own.folder` shows an example.

    Attributes:
        name: Name of the domain; that of the raw folder if None.
        bands: Numbers or names of the orthophotos' bands, in the order to write them.
        names: Names to write for these bands; those that each file has if None.
        white: Value that becomes 255 in images of bytes. If None, values are written unchanged, and
            white is the largest integer of their type, or 1.
        classes: The classes 0, 1, ...
        unknown: Values or colours in label rasters that mean unknown.
        scale: Metres per unit of the height rasters; None reads it from each file.
        offset: Height in metres at 0.
        nodata: Value in height rasters that means unknown, in addition to the nodata they declare.
        split: Names of the scenes of each split, or their share.
        seed: Seed of a split by shares.
        gsd: Ground sampling distance to write, in metres; that of each orthophoto if None.
        crs: Coordinate reference system to write; that of each orthophoto if None.
    """

    name: str | None = None
    bands: tuple[int | str, ...] = (1, 2, 3)
    names: tuple[str, ...] | None = None
    white: float | None = None
    classes: tuple[ClassEntry, ...] = ()
    unknown: tuple[int | Color, ...] = ()
    scale: float | None = None
    offset: float = 0.0
    nodata: float | None = None
    split: Mapping[str, tuple[str, ...] | float] = field(
        default_factory=lambda: dict(DEFAULT_SHARES)
    )
    seed: int = 0
    gsd: float | None = None
    crs: str | None = None


class _Section:
    """A mapping of the file, from which checked values are removed one after the other.

    Args:
        file: The YAML file.
        title: Name of the section in messages; empty for the whole file.
        content: Content of the file at that place.
    """

    def __init__(self, file: Path, title: str, content: Any) -> None:
        self.file, self.title = file, title
        if not isinstance(content, dict):
            raise self.error("must be a mapping of names to values")
        self._content = dict(content)

    def error(self, fault: str) -> InvalidValueError:
        """Return the error to raise about this section."""
        return InvalidValueError(self.file, f"{self.title} {fault}".strip(), EXAMPLE)

    def take(self, key: str, kind: Kind, default: Any = None) -> Any:
        """Remove a value and return it, or the default if it is missing or null."""
        if (value := self._content.pop(key, None)) is None:
            return default
        types, expected = _KINDS[kind]
        if not isinstance(value, types) or isinstance(value, bool):
            raise self.error(f"{key}: must be {expected}, got {value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise self.error(f"{key}: must be finite, got {value!r}")
        return value

    def take_positive(self, key: str, unit: str = "") -> float | None:
        """Remove a number and return it; it must be greater than 0 if it is given."""
        value: float | None = self.take(key, "number")
        if value is not None and not value > 0:
            raise self.error(f"{key}: must be > 0{unit}, got {value}")
        return value

    def section(self, key: str) -> _Section:
        """Remove a mapping and return it as a section."""
        return _Section(self.file, f"{self.title} {key}".strip(), self.take(key, "mapping", {}))

    def check_empty(self) -> None:
        """Check that all values have been removed: others are misspelt."""
        if self._content:
            unknown = ", ".join(map(repr, self._content))
            raise self.error(f"has unknown settings: {unknown}")


def read_settings(file: Path) -> FolderSettings:
    """Read and check the YAML file.

    Args:
        file: The file.

    Returns:
        Its settings, with defaults for those it leaves out.

    Raises:
        MissingFileError: If the file does not exist.
        InputError: If the file is not YAML, or a setting is unknown or has an impossible value.
    """
    top = _Section(file, "", _read_yaml(file))
    image, height = top.section("image"), top.section("height")
    bands, names = _bands(image)
    split, seed = _split(top.section("split"))
    name = top.take("name", "text")
    if name is not None and (not name or Path(name).name != name or name.startswith(".")):
        raise top.error(f"name: must be the name of a folder, got {name!r}")
    classes = enumerate(top.take("classes", "list", []))
    settings = FolderSettings(
        name=name,
        bands=bands,
        names=names,
        white=image.take_positive("white"),
        classes=tuple(_class_entry(file, number, entry) for number, entry in classes),
        unknown=tuple(_label_code(top, code) for code in top.take("unknown", "list", [])),
        scale=height.take_positive("scale", " m"),
        offset=height.take("offset", "number", 0.0),
        nodata=height.take("nodata", "number"),
        split=split,
        seed=seed,
        gsd=top.take_positive("gsd", " m"),
        crs=top.take("crs", "text"),
    )
    for section in (image, height, top):
        section.check_empty()
    _check_classes(top, settings)
    return settings


def _read_yaml(file: Path) -> Any:
    with path_errors(file):
        if not file.is_file():
            raise MissingFileError(file, remedy=f"write one, {EXAMPLE}")
    broken = UnicodeDecodeError, yaml.YAMLError
    with input_errors(file, "cannot be read as YAML", "correct it", *broken):
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {} if content is None else content


def _bands(image: _Section) -> tuple[tuple[int | str, ...], tuple[str, ...] | None]:
    """Return the bands to read, and the names to write for them."""
    bands = tuple(image.take("bands", "list", [1, 2, 3]))
    if not bands or not all(isinstance(b, int | str) and not isinstance(b, bool) for b in bands):
        raise image.error("bands: must be numbers from 1, or names")
    names = image.take("names", "list")
    if names is None:
        return bands, None
    if [type(name) for name in names] != [str] * len(bands):
        raise image.error(f"names: must be {len(bands)} texts, one per band")
    return bands, tuple(names)


def _class_entry(file: Path, number: int, entry: Any) -> ClassEntry:
    section = _Section(file, f"classes, entry {number + 1},", entry)
    name, color = section.take("name", "text"), section.take("color", "list")
    values = section.take("values", "list", [number])
    if name is None or color is None:
        raise section.error("must have a name and a color")
    if any(type(value) is not int for value in values):
        raise section.error("values: must be integers")
    section.check_empty()
    return ClassEntry(name, _color(section, "color", color), tuple(values))


def _color(section: _Section, key: str, parts: Sequence[Any]) -> Color:
    if len(parts) != 3 or not all(type(part) is int and 0 <= part <= 255 for part in parts):
        raise section.error(f"{key}: must be red, green and blue, 0 to 255, got {list(parts)}")
    red, green, blue = parts
    return red, green, blue


def _label_code(top: _Section, code: Any) -> int | Color:
    """Return an entry of ``unknown``, which is an integer or a colour."""
    if isinstance(code, list):
        return _color(top, "unknown", code)
    if type(code) is not int:
        raise top.error(f"unknown: must be integers or colours, got {code!r}")
    return code


def _check_classes(top: _Section, settings: FolderSettings) -> None:
    """Check the number of classes, and that none shares a value, name or colour with another."""
    classes = settings.classes
    if len(classes) > MAX_CLASSES:
        raise top.error(f"classes: must be {MAX_CLASSES} at most, got {len(classes)}")
    for kind, entries in (
        ("value", [*(value for entry in classes for value in entry.values), *settings.unknown]),
        ("name", [entry.name for entry in classes]),
        ("color", [*(entry.color for entry in classes), *settings.unknown]),
    ):
        if (twice := _first_duplicate(entries)) is not None:
            raise top.error(f"has the {kind} {twice!r} for two classes")


def _split(section: _Section) -> tuple[dict[str, Any], int]:
    """Return the names or the share of each split, and the seed."""
    seed = section.take("seed", "integer", 0)
    parts = {
        name: value
        for name in SPLITS
        if (value := section.take(name, "list or number")) is not None
    }
    section.check_empty()
    lists = [value for value in parts.values() if isinstance(value, list)]
    if lists and len(lists) == len(parts):
        names = [name for value in lists for name in value]
        if any(not isinstance(name, str) for name in names):
            raise section.error("must list texts; put the names of scenes into quotes")
        if (twice := _first_duplicate(names)) is not None:
            raise section.error(f"has {twice} twice")
        return {name: tuple(value) for name, value in parts.items()}, seed
    if lists:
        raise section.error("mixes lists and shares")
    shares = parts or DEFAULT_SHARES
    if any(share < 0 for share in shares.values()) or abs(sum(shares.values()) - 1) > 1e-6:
        raise section.error("must have shares that sum to 1")
    return {name: float(share) for name, share in shares.items()}, seed


def _first_duplicate(entries: Sequence[Any]) -> Any:
    """Return the first entry that occurs a second time, or None."""
    return next((entry for i, entry in enumerate(entries) if entry in entries[:i]), None)
