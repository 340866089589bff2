"""Maps as files: what a layer shows, how it is styled, and how it is written and resumed.

:class:`MapWriter` writes a map in a :class:`MapFormat`, of which :class:`CloudOptimizedGeoTiff` is
the one implementation. This package may import the modules at the root of ``tiles`` and no other
package of the project.
"""

from __future__ import annotations

from tiles.maps.cog import CloudOptimizedGeoTiff
from tiles.maps.layers import ClassMap, Layer, PercentMap, ProbabilityMap, ValueMap
from tiles.maps.map_format import MapFormat
from tiles.maps.writer import MapWriter, check_target

__all__ = [
    "ClassMap",
    "CloudOptimizedGeoTiff",
    "Layer",
    "MapFormat",
    "MapWriter",
    "PercentMap",
    "ProbabilityMap",
    "ValueMap",
    "check_target",
]
