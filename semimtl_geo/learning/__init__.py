"""Learning without Lightning and without rasters: systems, adversarial losses, consistency.

May import :mod:`semimtl_geo.tasks` and the nouns at the root of ``tiles``.
"""

from __future__ import annotations

from semimtl_geo.learning.adversarial import AdversarialWeights, Alignment
from semimtl_geo.learning.consistency import Consistency
from semimtl_geo.learning.optimisation import Optimisation
from semimtl_geo.learning.systems import SYSTEMS, System, SystemName

__all__ = [
    "SYSTEMS",
    "AdversarialWeights",
    "Alignment",
    "Consistency",
    "Optimisation",
    "System",
    "SystemName",
]
