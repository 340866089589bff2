"""The registry of task classes, by the name that checkpoints give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from semimtl_geo.tasks.binned_depth import BinnedDepth
from semimtl_geo.tasks.depth import Depth
from semimtl_geo.tasks.inverse_depth import InverseDepth
from semimtl_geo.tasks.segmentation import Segmentation
from semimtl_geo.tasks.slope import Slope
from semimtl_geo.tasks.task import Task
from tiles.errors import InvalidValueError

TASKS: Final[dict[str, type[Task]]] = {}
"""Task classes by the ``kind`` in :meth:`Task.settings`."""

TaskClass = TypeVar("TaskClass", bound=type[Task])


def register_task(task_class: TaskClass) -> TaskClass:
    """Register a task class, so that checkpoints with its tasks load. Works as a decorator.

    Raises:
        InvalidValueError: If another class has the same name, upper and lower case aside.

    Example:
        >>> from semimtl_geo.tasks import TASKS, Depth
        >>> @register_task
        ... class Canopy(Depth):
        ...     "Height of trees."
        >>> from_settings({"kind": "canopy", "scale": 30.0}).scale
        30.0
        >>> del TASKS["canopy"]
    """
    name = task_class.kind_name()
    if TASKS.get(name, task_class) is not task_class:
        fault = f"is registered already, for {TASKS[name].__qualname__}"
        raise InvalidValueError(f"task class {name}", fault, "give the class another name")
    TASKS[name] = task_class
    return task_class


def from_settings(settings: Mapping[str, Any]) -> Task:
    """Build a task from the result of :meth:`Task.settings`.

    Raises:
        KeyError: If no class of this kind is registered.
        TypeError: If the settings do not fit the class.

    Example:
        >>> from_settings({"kind": "depth", "name": "height", "scale": 30.0}).layer().high
        30.0
    """
    fields = {key: value for key, value in settings.items() if key != "kind"}
    return TASKS[settings["kind"]](**fields)


for built_in in (Segmentation, Depth, BinnedDepth, InverseDepth, Slope):
    register_task(built_in)
