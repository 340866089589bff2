"""Configurations in YAML that start from one another (``base: file``), and what they say in all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tiles.errors import InputError

Settings = dict[str, Any]
"""Values by dotted name: ``{"model.system": "jtl", "data.crop": 384}``."""

NAMED = ("data.domains", "data.labels", "model.consistency.heights", "model.encoder.options")
"""Mappings whose names users choose. Those that a later one leaves out are gone, as in training."""


def with_bases(args: Sequence[str]) -> list[str]:
    """Arguments in which the configuration that another starts from stands in front of it.

    Raises:
        InputError: If a configuration cannot be read, or the bases form a circle.
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


def settings_of(args: Sequence[str]) -> Settings:
    """What arguments of the training command say in all; what stands later counts.

    Values that a run takes from the defaults of the program are not among them.

    Args:
        args: As on the command line: ``["--config", "configs/cities/jtl.yaml", ...]``.

    Raises:
        InputError: If a configuration cannot be read, or an argument is none.
    """
    said: Any = {}
    rest = iter(with_bases(args))
    for arg in rest:
        flag, equals, value = arg.partition("=")
        if not flag.startswith("--"):
            raise InputError(arg, "is no argument of training", "give --name value")
        if not equals:
            value = next(rest, "")
        if flag == "--config":
            said = _over(said, read_yaml(Path(value)))
        else:
            try:
                content = yaml.safe_load(value)
            except yaml.YAMLError:
                content = value
            said = _put(said, flag.removeprefix("--").split("."), content)
    said.pop("base", None)
    return dict(_flat(said))


def read_yaml(path: Path) -> Mapping[str, Any]:
    """A file of settings.

    Raises:
        InputError: If it is missing or something else.
    """
    if not path.is_file():
        raise InputError(path, "no such configuration", "check the path")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(path, f"is not YAML ({error})", "correct it") from error
    if not isinstance(content, Mapping):
        raise InputError(path, "is not a configuration", "see the ones in configs/")
    return content


def _chain(config: Path) -> list[Path]:
    """A configuration, the one it starts from, the one that starts from, and so on."""
    chain: list[Path] = []
    following: Path | None = config
    while following is not None:
        if following.resolve() in (link.resolve() for link in chain):
            raise InputError(config, "its bases form a circle", "cut the circle")
        chain.append(following)
        base = read_yaml(following).get("base")
        following = following.parent / str(base) if base else None
    return chain


def _put(old: Any, path: Sequence[str], value: Any, at: str = "") -> Any:
    """What was said at a dotted name, and a value at the end of a path below it."""
    if not path:
        return _over(old, value, at)
    key, *further = path
    kept = dict(old) if isinstance(old, Mapping) else {}
    return kept | {key: _put(kept.get(key), further, value, f"{at}.{key}" if at else key)}


def _over(old: Any, value: Any, at: str = "") -> Any:
    """What was said at a dotted name, and a value over it, as jsonargparse lays it."""
    if isinstance(value, Mapping) and at in NAMED:
        # Of a domain, what is not said again stays; the others' values are no groups of settings.
        before = old if at == "data.domains" and isinstance(old, Mapping) else {}
        return {name: _over(before.get(name), inner) for name, inner in value.items()}
    if isinstance(value, Mapping):
        for key, inner in value.items():
            old = _put(old, str(key).split("."), inner, at)
        return {} if old is None else old
    if _objects(value) and _objects(old) and len(value) == len(old):
        return [_over(one, other) for one, other in zip(old, value, strict=True)]
    return value


def _objects(value: Any) -> bool:
    """Whether it is a list of objects, such as tasks."""
    return isinstance(value, list) and all(
        isinstance(item, Mapping) and "class_path" in item for item in value
    )


def _flat(value: object, name: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings by their dotted names."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value
