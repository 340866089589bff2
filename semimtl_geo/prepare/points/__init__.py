"""Scenes from classified laser points (LAS, LAZ, COPC), with an orthophoto or their own colours.

The points give heights above ground and, with the image, land cover. It may import what
:mod:`semimtl_geo.prepare` may.
"""

from __future__ import annotations

from semimtl_geo.prepare.points.points import Points

__all__ = ["Points"]
