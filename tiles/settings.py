"""Settings: read from YAML files, and compared between the runs of work that can be resumed."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from tiles.errors import InputError, InvalidValueError, MissingFileError, input_errors
from tiles.files import path_errors

Settings = TypeVar("Settings")

MOST_NODES: Final = 100_000
"""Keys and values that a YAML file may have; aliases count as often as they are used."""


def check_range(
    name: str, value: float, low: float, high: float = math.inf, *, above: bool = False
) -> None:
    """Check that a number lies in a range.

    Args:
        name: Name of the setting.
        value: The number; NaN lies in no range.
        low: Smallest possible value.
        high: Largest possible value; infinity itself is never possible.
        above: Whether the number must be larger than ``low``.

    Raises:
        InvalidValueError: If it does not.

    Example:
        >>> check_range("data.crop", 0, 1, 8192)
        Traceback (most recent call last):
        tiles.errors.InvalidValueError: data.crop: must be 1 to 8192, got 0; correct the setting
    """
    if low <= value <= high and value != math.inf and not (above and value == low):
        return
    bounds = f"{low:g} to {high:g}" if high < math.inf else f">= {low:g} and finite"
    bounds = f"> {bounds.removeprefix('>= ')}" if above else bounds
    raise InvalidValueError(name, f"must be {bounds}, got {value}", "correct the setting")


def read_yaml(file: Path) -> Any:
    """Read a YAML file of plain values; nothing in it is run.

    Args:
        file: The file.

    Returns:
        Dictionaries, lists, strings, numbers, booleans and None.

    Raises:
        InputError: If it cannot be read, is not YAML, or holds more than :data:`MOST_NODES`
            values, which a short file can with aliases of aliases.

    Example:
        >>> _ = Path("mine.yaml").write_text("crop: 64")
        >>> read_yaml(Path("mine.yaml"))
        {'crop': 64}
    """
    broken = UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError
    with input_errors(file, "cannot be read as YAML", "correct it", *broken):
        text = file.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None and _count(root, {}) > MOST_NODES:
            fault = f"expands to more than {MOST_NODES:,} values, or contains itself"
            raise InputError(file, fault, "write less, without aliases")
        return yaml.safe_load(text)


def _count(node: yaml.Node, counted: dict[int, float]) -> float:
    """Return the number of values in a node of YAML, infinite if it contains itself."""
    if id(node) not in counted:
        counted[id(node)] = math.inf  # until all of its parts are counted
        parts = [node.value] if isinstance(node, yaml.ScalarNode) else node.value
        nodes = [n for part in parts for n in (part if isinstance(part, tuple) else [part])]
        counted[id(node)] = 1 + sum(
            _count(part, counted) for part in nodes if isinstance(part, yaml.Node)
        )
    return counted[id(node)]


def read_settings_file(file: Path, kind: type[Settings], remedy: str) -> Settings:
    """Read a YAML file of settings, and check them by their types.

    Args:
        file: The file.
        kind: A dataclass with a field per setting.
        remedy: Action that the user can take if the file is missing or a setting is not valid.

    Returns:
        The settings, with the defaults of those that the file leaves out.

    Raises:
        MissingFileError: If the file does not exist.
        InvalidValueError: If a setting is unknown or not valid; the first one is named.
        InputError: If the file is not YAML.

    Example:
        >>> from pydantic.dataclasses import dataclass
        >>> @dataclass
        ... class Sampling:
        ...     crop: int = 128
        >>> _ = Path("mine.yaml").write_text("crop: 64")
        >>> read_settings_file(Path("mine.yaml"), Sampling, "write crop: 128")
        Sampling(crop=64)
    """
    with path_errors(file):
        if not file.is_file():
            raise MissingFileError(file, remedy=f"write one, {remedy}")
    content = read_yaml(file)
    try:
        return TypeAdapter(kind).validate_python({} if content is None else content)
    except ValidationError as error:
        raise InvalidValueError(file, _first_fault(content, error.errors()), remedy) from error


def _first_fault(content: Any, errors: Sequence[ErrorDetails]) -> str:
    """Describe the first fault by the name of the setting, what it must be, and its value."""
    first = errors[0]
    name = _name(content, first)
    # There is an error for each type that the setting could have.
    said = dict.fromkeys(error["msg"] for error in errors if _name(content, error) == name)
    fault = " or ".join(said).replace("Value error, ", "").replace("Input should", "must")
    match first["type"]:
        case "value_error":
            return f"{name} {fault}".strip()
        case "unexpected_keyword_argument":
            return f"{name}: is not a setting"
        case "missing":
            return f"{name}: is missing"
    return f"{name}: {fault}, got {first['input']!r}".removeprefix(": ")


def _name(content: Any, error: ErrorDetails) -> str:
    """Return the place of an error in the file, such as ``classes[0].color``."""
    name = ""
    for part in error["loc"]:
        if isinstance(content, list) and isinstance(part, int):
            content, name = dict(enumerate(content)).get(part), f"{name}[{part}]"
        elif isinstance(content, dict) and (part in content or error["type"] == "missing"):
            content, name = content.get(part), f"{name}.{part}"
        # The others name the type that pydantic tried.
    return name.removeprefix(".")


def to_json(settings: Mapping[str, Any]) -> Any:
    """Convert settings to types of JSON: tuples become lists, and paths become strings.

    Args:
        settings: Settings, nested or not.

    Returns:
        Dictionaries, lists, strings, numbers, booleans and None.

    Example:
        >>> from pathlib import Path
        >>> to_json({"crs": None, "tile": (512, 128), "raster": Path("ortho.tif")})
        {'crs': None, 'tile': [512, 128], 'raster': 'ortho.tif'}
    """
    return json.loads(json.dumps(settings, default=str))


def changed_settings(
    before: Mapping[str, Any], now: Mapping[str, Any], ignored: Collection[str] = ()
) -> dict[str, tuple[Any, Any]]:
    """Find the settings in which two runs differ.

    Args:
        before: Settings of the earlier run.
        now: Settings of this run.
        ignored: Dotted names of settings that do not affect the result.

    Returns:
        The earlier and the present value of each setting that differs, by its dotted name and
        sorted by name. A setting that one of the runs lacks counts as None.

    Example:
        >>> changed_settings({"data": {"crop": 128}, "out": "a"}, {"data": {"crop": 256}}, ["out"])
        {'data.crop': (128, 256)}
    """
    changed = _changed(to_json(before), to_json(now), "")
    return {name: changed[name] for name in sorted(changed) if name not in ignored}


def _changed(before: Any, now: Any, name: str) -> dict[str, tuple[Any, Any]]:
    if before == now or json.dumps(before) == json.dumps(now):  # NaN does not equal itself
        return {}
    if not isinstance(before, dict | None) or not isinstance(now, dict | None):
        return {name: (before, now)}
    left, right, prefix = before or {}, now or {}, f"{name}." if name else ""
    changed: dict[str, tuple[Any, Any]] = {}
    for key in left.keys() | right.keys():
        changed |= _changed(left.get(key), right.get(key), f"{prefix}{key}")
    return changed


def check_same_settings(
    place: str | PathLike[str],
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    *,
    remedy: str,
    ignored: Collection[str] = (),
) -> None:
    """Check that the work of an earlier run was begun with the same settings.

    Args:
        place: The file or folder that holds the earlier work.
        before: Settings of the earlier run.
        now: Settings of this run.
        remedy: Action that the user can take if they differ.
        ignored: Dotted names of settings that do not affect the result.

    Raises:
        InputError: If the settings differ; the first difference is named.

    Example:
        >>> check_same_settings("runs/mine", {"crop": 128}, {"crop": 256}, remedy="delete it")
        Traceback (most recent call last):
        tiles.errors.InputError: runs/mine: was begun with other settings (crop: 128, now 256); \
delete it
    """
    changed = changed_settings(before, now, ignored)
    if changed:
        name, (old, new) = next(iter(changed.items()))
        more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
        fault = f"was begun with other settings ({name}: {old}, now {new}{more})"
        raise InputError(place, fault, remedy)
