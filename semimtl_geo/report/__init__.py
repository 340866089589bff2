"""A self-contained page of what a run found: scores, maps, learning curves, and the method."""

from __future__ import annotations

from semimtl_geo.report.figure import panel_figure, panel_size
from semimtl_geo.report.method import method_section
from semimtl_geo.report.page import write_report
from semimtl_geo.report.pictures import Panel

__all__ = ["Panel", "method_section", "panel_figure", "panel_size", "write_report"]
