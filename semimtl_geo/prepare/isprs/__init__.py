"""Adapters of the ISPRS benchmark: Potsdam and Vaihingen.

It may import the modules of :mod:`semimtl_geo.prepare` and :mod:`semimtl_geo.prepare.rasters`,
class schemes and ``tiles``.
"""

from __future__ import annotations

from semimtl_geo.prepare.isprs.potsdam import Potsdam
from semimtl_geo.prepare.isprs.vaihingen import Vaihingen

__all__ = ["Potsdam", "Vaihingen"]
