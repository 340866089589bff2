"""A self-contained page of what a run found: scores, maps, learning curves, and the method."""

from __future__ import annotations

from semimtl_geo.report.page import write_report
from semimtl_geo.report.pictures import Panel, panel_figure, panel_size

__all__ = ["Panel", "panel_figure", "panel_size", "write_report"]
