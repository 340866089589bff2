"""Maps as files: what a layer shows, how it is styled, and how it is written and resumed.

May import the nouns at the root of ``tiles``, and no other room.
"""

from __future__ import annotations

from tiles.maps.cog import MapWriter
from tiles.maps.layers import ClassMap, Layer, PercentMap, ValueMap

__all__ = ["ClassMap", "Layer", "MapWriter", "PercentMap", "ValueMap"]
