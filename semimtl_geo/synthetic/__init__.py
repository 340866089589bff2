"""Two synthetic cities, the embedded data: same classes, another town and another sensor."""

from __future__ import annotations

from semimtl_geo.synthetic.rendering.light import sunlit
from semimtl_geo.synthetic.scene import Scene, make_scene
from semimtl_geo.synthetic.town.city_style import CITY_A, CITY_B, CityStyle
from semimtl_geo.synthetic.write import write_cities

__all__ = ["CITY_A", "CITY_B", "CityStyle", "Scene", "make_scene", "sunlit", "write_cities"]
