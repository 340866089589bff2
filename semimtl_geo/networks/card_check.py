"""Types and ranges of what describes a network, for model cards and configurations alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from semimtl_geo.networks.encoder import Encoder
from semimtl_geo.tasks import Task
from tiles.errors import InvalidValueError
from tiles.settings import check_range

MAX_SIZE: Final = 8192
"""Bound of widths, crops and tiles; larger ones would exhaust the memory."""

MAX_COUNT: Final = 256
"""Bound of the numbers of tasks, domains and bands."""

OUTPUT_STRIDES: Final = (8, 16, 32)
FINEST_GSD, COARSEST_GSD = 1e-3, 1e4
"""Bounds of the ground sampling distance in metres."""

REMEDY: Final = "correct the setting"


def check_encoder(encoder: Encoder) -> None:
    """Refuse options that read other files or exhaust the memory.

    Raises:
        InvalidValueError: If an option or the output stride is impossible.
    """
    if encoder.output_stride not in OUTPUT_STRIDES:
        fault = f"must be one of {OUTPUT_STRIDES}, got {encoder.output_stride}"
        raise InvalidValueError("model.encoder.output_stride", fault, REMEDY)
    for name, value in encoder.options.items():
        where = f"model.encoder.options.{name}"
        if name.startswith("pretrained") or name in ("checkpoint_path", "cache_dir"):
            raise InvalidValueError(where, "reads another file", "set model.encoder.weights")
        for number in _numbers(value):
            check_range(where, abs(number), 0, MAX_SIZE)


def check_tasks(tasks: Sequence[Task]) -> None:
    """Refuse tasks that cannot be mapped or drawn.

    Raises:
        InvalidValueError: If a name, class, colour or scale is impossible, or two have one name.
    """
    check_range("number of model.tasks", len(tasks), 1, MAX_COUNT)
    of_tasks = [task.name for task in tasks]
    if len(set(of_tasks)) < len(of_tasks):
        raise InvalidValueError("model.tasks", f"has two of one name: {of_tasks}", REMEDY)
    for task in tasks:
        _check_task(task)


def _check_task(task: Task) -> None:
    where = f"model.tasks, {task.name!r}"
    ramps = task.legend().ramps
    check_names(where, [task.name, *task.class_colors, *(ramp.unit for ramp in ramps)])
    if "/" in task.name or "\\" in task.name or task.name.startswith("."):
        raise InvalidValueError(where, "has a name that cannot be part of a file's name", REMEDY)
    check_range(f"{where}: channels", task.output_channels, 1, MAX_SIZE)
    for value in (channel for color in task.class_colors.values() for channel in color):
        if not isinstance(value, int) or not 0 <= value <= 255:
            fault = f"has a colour value that is not an integer from 0 to 255: {value}"
            raise InvalidValueError(where, fault, REMEDY)


def check_names(where: str, names: Sequence[str]) -> None:
    """Check that there are names, all of them texts of one line.

    Raises:
        InvalidValueError: If there are none, or too many, or one is no such text.
    """
    check_range(f"number of {where}", len(names), 1, MAX_COUNT)
    for name in names:
        if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 200:
            fault = f"has a name, class or unit that is not one printable line: {str(name)[:50]!r}"
            raise InvalidValueError(where, fault, REMEDY)


def check_choice(where: str, value: str, choices: Sequence[str]) -> None:
    """Check that a value is one of several.

    Raises:
        InvalidValueError: If it is not.
    """
    if value not in choices:
        fault = f"must be one of {', '.join(choices)}, got {value!r}"
        raise InvalidValueError(where, fault, REMEDY)


def _numbers(value: Any) -> Iterator[float]:
    """Return the numbers in nested lists."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, int | float):
        yield value
