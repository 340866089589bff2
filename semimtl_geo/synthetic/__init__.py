"""Synthetic scenes: two built-in cities, and any number of random towns.

Both cities have the same classes, but differ in layout and sensor. Each random-town scene has its
own layout, season, sun and sensor, so that networks trained on them transfer to real towns.

A scene is laid out first (``town``: streets, blocks, buildings, trees, cars) and painted and imaged
then (``rendering``: materials, light, sensor). The same seed gives the same pixels.

It may import :mod:`semimtl_geo.class_schemes` and the root modules of ``tiles``.
"""

from __future__ import annotations

from semimtl_geo.synthetic.scene import SyntheticScene, make_scene
from semimtl_geo.synthetic.town.city_style import CITY_A, CITY_B, CityStyle
from semimtl_geo.synthetic.write import write_cities
from semimtl_geo.synthetic.write_random import make_random_town, write_random_towns

__all__ = [
    "CITY_A",
    "CITY_B",
    "CityStyle",
    "SyntheticScene",
    "make_random_town",
    "make_scene",
    "write_cities",
    "write_random_towns",
]
