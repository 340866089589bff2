"""Settings of work that can be resumed, compared alike for maps, training and data sets."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from os import PathLike
from typing import Any

from tiles.errors import InputError


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
    if not isinstance(before, dict | None) or not isinstance(now, dict | None) or before is now:
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
