"""Learning without Lightning and without rasters: systems, adversarial losses, consistency.

A new alignment mode and a system that uses it are registered with :func:`register_alignment` and
:func:`register_system`; configurations and tables then know them.

It may import :mod:`semimtl_geo.tasks`, :mod:`semimtl_geo.networks`, and the modules at the roots of
``tiles`` and ``semimtl_geo``.
"""

from __future__ import annotations

from semimtl_geo.learning.adversarial import AdversarialSettings
from semimtl_geo.learning.alignment import ALIGNMENTS, Alignment, register_alignment
from semimtl_geo.learning.consistency import Consistency
from semimtl_geo.learning.optimisation import Optimisation
from semimtl_geo.learning.systems import (
    SYSTEMS,
    System,
    SystemName,
    register_system,
    system_names,
)

__all__ = [
    "ALIGNMENTS",
    "SYSTEMS",
    "AdversarialSettings",
    "Alignment",
    "Consistency",
    "Optimisation",
    "System",
    "SystemName",
    "register_alignment",
    "register_system",
    "system_names",
]
