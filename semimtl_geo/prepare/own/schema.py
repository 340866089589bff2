"""The YAML that says what is in a user's own folder of scenes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from semimtl_geo.prepare.adapter import SPLITS
from tiles.errors import InputError, path_faults
from tiles.types import Color

SHARES: Final = {"train": 0.7, "val": 0.1, "test": 0.2}
EXAMPLE: Final = "see the example under 'Your own data' in README.md"

Kind = Literal["number", "text", "whole", "list", "mapping", "list or number"]

_KINDS: Final[dict[Kind, tuple[tuple[type, ...], str]]] = {
    "number": ((int, float), "a number"),
    "text": ((str,), "a text"),
    "whole": ((int,), "a whole number"),
    "list": ((list,), "a list"),
    "mapping": ((dict,), "a mapping"),
    "list or number": ((list, int, float), "a list of scenes, or a share of them"),
}


@dataclass(frozen=True)
class Class:
    """A class of land cover.

    Attributes:
        name: Its name.
        color: Its colour (red, green, blue), by which it is known in label images of three bands.
        values: Values that it has in label rasters of one band.
    """

    name: str
    color: Color
    values: tuple[int, ...]


@dataclass(frozen=True)
class Config:
    """All settings; see :mod:`semimtl_geo.prepare.own.folder` for an example.

    Attributes:
        name: The domain's; the raw folder's if None.
        bands: Numbers or names of the orthophotos' bands, in the order to write them.
        names: What these are called in the scenes; as in each file if None.
        white: The value that is to be white; images are written as bytes then. By default they are
            written as they are, and white is the largest integer of their type, or 1.
        classes: The classes 0, 1, ...
        unknown: Values, or colours, that mean unknown in label rasters.
        scale: Metres per unit of the height rasters; as these say if None.
        offset: Metres at 0.
        nodata: What means unknown in height rasters, beside what they declare.
        split: Scenes by split; or shares.
        seed: Of the split by shares.
        gsd: Ground sampling distance to write, in metres; each orthophoto's own if None.
        crs: Coordinate reference system to write; each orthophoto's own if None.
    """

    name: str | None = None
    bands: tuple[int | str, ...] = (1, 2, 3)
    names: tuple[str, ...] | None = None
    white: float | None = None
    classes: tuple[Class, ...] = ()
    unknown: tuple[int | Color, ...] = ()
    scale: float | None = None
    offset: float = 0.0
    nodata: float | None = None
    split: Mapping[str, tuple[str, ...] | float] = field(default_factory=lambda: dict(SHARES))
    seed: int = 0
    gsd: float | None = None
    crs: str | None = None


class _Reader:
    """Takes checked values out of one mapping of the file."""

    def __init__(self, file: Path, where: str, content: Any) -> None:
        self.file, self.where = file, where
        if not isinstance(content, dict):
            raise self.fault("is no mapping of names to values")
        self._content = dict(content)

    def fault(self, what: str) -> InputError:
        where = f"{self.where} " if self.where else ""
        return InputError(self.file, f"{where}{what}", EXAMPLE)

    def take(self, key: str, kind: Kind, default: Any = None) -> Any:
        if (value := self._content.pop(key, None)) is None:
            return default
        types, called = _KINDS[kind]
        if not isinstance(value, types) or isinstance(value, bool):
            raise self.fault(f"{key}: {value!r} is not {called}")
        if isinstance(value, float) and not math.isfinite(value):
            raise self.fault(f"{key}: {value!r} is not finite")
        return value

    def section(self, key: str) -> _Reader:
        where = f"{self.where} {key}".strip()
        return _Reader(self.file, where, self.take(key, "mapping", {}))

    def end(self) -> None:
        if self._content:
            raise self.fault(f"has {', '.join(map(repr, self._content))}, which is no setting")


def read_config(file: Path) -> Config:
    """Read and check it.

    Raises:
        InputError: It is missing, no YAML, or says something that cannot be.
    """
    with path_faults(file):
        if not file.is_file():
            raise InputError(file, "does not exist", f"write one, {EXAMPLE}")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(file, f"cannot be read as YAML ({error})", "correct it") from error
    top = _Reader(file, "", {} if content is None else content)
    image, height = top.section("image"), top.section("height")
    bands = tuple(image.take("bands", "list", [1, 2, 3]))
    if not bands or not all(isinstance(b, int | str) and not isinstance(b, bool) for b in bands):
        raise image.fault("bands: give numbers from 1, or names")
    names = image.take("names", "list")
    if names is not None and [type(name) for name in names] != [str] * len(bands):
        raise image.fault(f"names: give {len(bands)} texts, one per band")
    white = image.take("white", "number")
    if white is not None and not white > 0:
        raise image.fault(f"white: {white} is none")
    split, seed = _split(top)
    gsd = top.take("gsd", "number")
    if gsd is not None and not gsd > 0:
        raise top.fault(f"gsd: {gsd} m is none")
    scale = height.take("scale", "number")
    if scale is not None and not scale > 0:
        raise height.fault(f"scale: {scale} is none")
    name = top.take("name", "text")
    if name is not None and (not name or Path(name).name != name or name.startswith(".")):
        raise top.fault(f"name: {name!r} is no name of a folder")
    config = Config(
        name,
        bands,
        None if names is None else tuple(names),
        white,
        tuple(
            _class(file, number, entry)
            for number, entry in enumerate(top.take("classes", "list", []))
        ),
        tuple(_value(top, "unknown", value) for value in top.take("unknown", "list", [])),
        scale,
        height.take("offset", "number", 0.0),
        height.take("nodata", "number"),
        split,
        seed,
        gsd,
        top.take("crs", "text"),
    )
    for reader in (image, height, top):
        reader.end()
    _check_classes(top, config)
    return config


def _class(file: Path, number: int, entry: Any) -> Class:
    reader = _Reader(file, f"classes, entry {number + 1},", entry)
    name, color = reader.take("name", "text"), reader.take("color", "list")
    values = reader.take("values", "list", [number])
    if name is None or color is None:
        raise reader.fault("has no name or no color")
    if any(type(value) is not int for value in values):
        raise reader.fault("values: give whole numbers")
    reader.end()
    return Class(name, _color(reader, "color", color), tuple(values))


def _color(reader: _Reader, key: str, parts: Sequence[Any]) -> Color:
    if len(parts) != 3 or not all(type(part) is int and 0 <= part <= 255 for part in parts):
        raise reader.fault(f"{key}: {list(parts)} is no colour of red, green and blue, 0 to 255")
    red, green, blue = parts
    return red, green, blue


def _value(reader: _Reader, key: str, value: Any) -> int | Color:
    if isinstance(value, list):
        return _color(reader, key, value)
    if type(value) is not int:
        raise reader.fault(f"{key}: {value!r} is neither a whole number nor a colour")
    return value


def _check_classes(top: _Reader, config: Config) -> None:
    if len(config.classes) > 254:
        raise top.fault("has more than 254 classes")
    for what, each in (
        ("value", [*(v for entry in config.classes for v in entry.values), *config.unknown]),
        ("name", [entry.name for entry in config.classes]),
        ("color", [*(entry.color for entry in config.classes), *config.unknown]),
    ):
        twice = next((one for i, one in enumerate(each) if one in each[:i]), None)
        if twice is not None:
            raise top.fault(f"has the {what} {twice!r} for two classes")


def _split(top: _Reader) -> tuple[dict[str, Any], int]:
    """Names per split, or shares per split and the seed."""
    reader = top.section("split")
    seed = reader.take("seed", "whole", 0)
    parts = {
        name: value for name in SPLITS if (value := reader.take(name, "list or number")) is not None
    }
    reader.end()
    if all(isinstance(value, list) for value in parts.values()) and parts:
        names = [name for value in parts.values() for name in value]
        if any(not isinstance(name, str) for name in names):
            raise reader.fault("lists something that is no text; put scene names into quotes")
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if twice is not None:
            raise reader.fault(f"has {twice} twice")
        return {name: tuple(value) for name, value in parts.items()}, seed
    if any(isinstance(value, list) for value in parts.values()):
        raise reader.fault("mixes lists and shares")
    shares = parts or SHARES
    if any(share < 0 for share in shares.values()) or abs(sum(shares.values()) - 1) > 1e-6:
        raise reader.fault("has shares that do not sum to 1")
    return {name: float(share) for name, share in shares.items()}, seed
