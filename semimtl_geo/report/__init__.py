"""Pages and figures: reports of comparisons, previews of maps, learning curves.

It may import :mod:`semimtl_geo.compare` and what that may import.
"""

from __future__ import annotations

from semimtl_geo.report.example_scene import ExampleScene
from semimtl_geo.report.gallery import scene_section
from semimtl_geo.report.method_diagram import method_section
from semimtl_geo.report.page import write_report
from semimtl_geo.report.panels import panel_figure

__all__ = ["ExampleScene", "method_section", "panel_figure", "scene_section", "write_report"]
