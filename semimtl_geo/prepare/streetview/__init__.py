"""Adapters of street-view archives: Cityscapes and Synscapes.

It may import the modules of :mod:`semimtl_geo.prepare`, :mod:`semimtl_geo.streetview`, class
schemes and ``tiles``.
"""

from __future__ import annotations

from semimtl_geo.prepare.streetview.cityscapes import Cityscapes
from semimtl_geo.prepare.streetview.synscapes import Synscapes

__all__ = ["Cityscapes", "Synscapes"]
