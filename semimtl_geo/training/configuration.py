"""Configurations in YAML that start from one another (``base: file``), merged as training does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from tiles.errors import InputError, InvalidValueError, MissingFileError, input_errors

Settings = dict[str, Any]
"""Values by dotted name: ``{"model.system": "jtl", "data.crop": 384}``."""

USER_KEYED: Final = (
    "data.domains",
    "data.labels",
    "model.consistency.heights",
    "model.encoder.options",
)
"""Mappings whose keys users choose. A later mapping replaces the earlier one as a whole."""


def with_bases(args: Sequence[str]) -> list[str]:
    """Insert the base of each configuration before it in a list of arguments.

    Args:
        args: Arguments of ``semimtl-geo train``.

    Raises:
        InputError: If a configuration cannot be read, or the bases form a circle.

    Example:
        >>> from semimtl_geo.training import packaged_config
        >>> args = with_bases(["--config", str(packaged_config("cities/jtl.yaml"))])
        >>> [Path(arg).name for arg in args]
        ['--config', 'base.yaml', '--config', 'jtl.yaml']
    """
    expanded: list[str] = []
    rest = iter(args)
    for arg in rest:
        flag, _, value = arg.partition("=")
        if flag in ("--config", "-c"):
            value = value or next(rest, "")
            for config in reversed(_chain(Path(value))):
                expanded += ["--config", str(config)]
        else:
            expanded.append(arg)
    return expanded


def parse_settings(args: Sequence[str]) -> Settings:
    """Merge the arguments of the training command; later ones override earlier ones.

    Args:
        args: Arguments such as ``["--config", "configs/cities/jtl.yaml", "--data.crop=64"]``.

    Returns:
        Settings by dotted name. Defaults of the program are not among them.

    Raises:
        InputError: If a configuration cannot be read, or an argument is malformed.

    Example:
        >>> parse_settings(["--data.crop=64", "--data.crop", "128"])
        {'data.crop': 128}
    """
    merged: Any = {}
    rest = iter(with_bases(args))
    for arg in rest:
        flag, equals, value = arg.partition("=")
        if not flag.startswith("--"):
            raise InvalidValueError(arg, "is not an argument of training", "give --name value")
        if not equals:
            value = next(rest, "")
        if flag == "--config":
            merged = _merge(merged, read_yaml(Path(value)))
        else:
            try:
                content = yaml.safe_load(value)
            except yaml.YAMLError:
                content = value
            merged = _put(merged, flag.removeprefix("--").split("."), content)
    merged.pop("base", None)
    return dict(_flatten(merged))


def read_yaml(path: Path) -> Mapping[str, Any]:
    """Read a file of settings.

    Raises:
        MissingFileError: If there is no such file.
        InputError: If it is not a YAML mapping.

    Example:
        >>> _ = Path("mine.yaml").write_text("data: {crop: 64}")
        >>> read_yaml(Path("mine.yaml"))
        {'data': {'crop': 64}}
    """
    if not path.is_file():
        raise MissingFileError(path, "no such configuration", "check the path")
    broken = yaml.YAMLError, UnicodeDecodeError
    with input_errors(path, "cannot be read as YAML", "correct it", *broken):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, Mapping):
        raise InputError(path, "is not a configuration", "see the ones in configs/")
    return content


def _chain(config: Path) -> list[Path]:
    """Return a configuration, its base, the base of that, and so on."""
    chain: list[Path] = []
    following: Path | None = config
    while following is not None:
        if following.resolve() in (link.resolve() for link in chain):
            raise InputError(config, "its bases form a circle", "remove a base")
        chain.append(following)
        base = read_yaml(following).get("base")
        following = following.parent / str(base) if base else None
    return chain


def _put(before: Any, path: Sequence[str], value: Any, name: str = "") -> Any:
    """Merge a value into the end of a path below a dotted name.

    Args:
        before: Earlier content of the name.
        path: Keys below the name.
        value: Later content of the end of the path.
        name: The dotted name.
    """
    if not path:
        return _merge(before, value, name)
    key, *further = path
    result = dict(before) if isinstance(before, Mapping) else {}
    below = f"{name}.{key}" if name else key
    return result | {key: _put(result.get(key), further, value, below)}


def _merge(before: Any, value: Any, name: str = "") -> Any:
    """Merge later content of a dotted name into earlier content, as jsonargparse does."""
    if isinstance(value, Mapping) and name in USER_KEYED:
        # A domain that is named again keeps its other settings; other values are replaced.
        old = before if name == "data.domains" and isinstance(before, Mapping) else {}
        return {key: _merge(old.get(key), inner) for key, inner in value.items()}
    if isinstance(value, Mapping):
        for key, inner in value.items():
            before = _put(before, str(key).split("."), inner, name)
        return {} if before is None else before
    if _is_object_list(value) and _is_object_list(before) and len(value) == len(before):
        return [_merge(one, other) for one, other in zip(before, value, strict=True)]
    return value


def _is_object_list(value: Any) -> bool:
    """Return whether a value is a list of objects, such as tasks."""
    return isinstance(value, list) and all(
        isinstance(item, Mapping) and "class_path" in item for item in value
    )


def _flatten(value: object, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested mappings with their dotted names."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flatten(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value
