"""A look at training data before a network is trained on them.

:func:`inspect_split` reads the rasters of one domain and split, and returns statistics and remarks.
Severe remarks are faults, with which training is refused; ``semimtl-geo look`` prints all remarks.
Each task defines the valid values of its labels (:meth:`semimtl_geo.tasks.Task.label_findings`).

It may import :mod:`tiles.reading`, :mod:`tiles.datasets` and :mod:`semimtl_geo.tasks`.
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
