"""A look at training data before a network is trained on them.

:func:`inspect_split` reads the rasters of one domain and split, and returns their statistics and
findings: faults, with which nothing useful can be learnt, and remarks on what is odd. ``semimtl-geo
look`` prints them, and training refuses data with faults. What a label's values may be is said by
its task (:meth:`semimtl_geo.tasks.Task.label_findings`).

May import :mod:`tiles.reading`, :mod:`tiles.datasets` and :mod:`semimtl_geo.tasks`.
"""

from __future__ import annotations

from semimtl_geo.inspection.layer_statistics import LayerStatistics
from semimtl_geo.inspection.split_inspection import (
    Remark,
    SplitInspection,
    check_for_training,
    inspect_split,
    refuse_faults,
)

__all__ = [
    "LayerStatistics",
    "Remark",
    "SplitInspection",
    "check_for_training",
    "inspect_split",
    "refuse_faults",
]
