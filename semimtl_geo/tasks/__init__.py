"""Tasks: what is predicted per pixel.

A task is one class. It says how the network's output is trained, scored, mapped and shown to a
discriminator, how label rasters are read, how figures colour its maps and errors, and how pages
describe its scores. No other module distinguishes tasks. To add one, derive a class from
:class:`Task` (or from one of the tasks here, as :class:`Slope` does) and :func:`register_task` it.

It may import :mod:`tiles.maps` and the root modules of ``tiles`` and ``semimtl_geo``.
"""

from __future__ import annotations

from semimtl_geo.tasks.binned_depth import BinnedDepth
from semimtl_geo.tasks.coloring import IndexedColors, Legend
from semimtl_geo.tasks.depth import Depth
from semimtl_geo.tasks.inverse_depth import InverseDepth
from semimtl_geo.tasks.label_findings import Finding
from semimtl_geo.tasks.registry import TASKS, from_settings, register_task
from semimtl_geo.tasks.scores import Score
from semimtl_geo.tasks.segmentation import Segmentation
from semimtl_geo.tasks.slope import Slope
from semimtl_geo.tasks.task import Task, tasks_by_label

__all__ = [
    "TASKS",
    "BinnedDepth",
    "Depth",
    "Finding",
    "IndexedColors",
    "InverseDepth",
    "Legend",
    "Score",
    "Segmentation",
    "Slope",
    "Task",
    "from_settings",
    "register_task",
    "tasks_by_label",
]
