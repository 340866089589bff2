"""What is predicted per pixel. A task is one class: its output, loss, scores, and adversary's view.

A third task is a third class here (or a third instance, such as a second class scheme); nothing
else in the package names a task. :class:`Slope` is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from semimtl_geo.tasks.depth import Depth, Slope
from semimtl_geo.tasks.segmentation import Segmentation
from semimtl_geo.tasks.task import Task

KINDS: Final[dict[str, type[Segmentation] | type[Depth]]] = {
    kind.__name__.lower(): kind for kind in (Segmentation, Depth, Slope)
}
"""Classes by what :meth:`Task.settings` calls them."""

__all__ = ["KINDS", "Depth", "Segmentation", "Slope", "Task", "from_settings"]


def from_settings(settings: Mapping[str, Any]) -> Task:
    """Build a task from :meth:`Task.settings`.

    Raises:
        KeyError: If the kind is unknown.
        TypeError: If the settings do not fit the kind.
    """
    rest = {key: value for key, value in settings.items() if key != "kind"}
    return KINDS[settings["kind"]](**rest)
