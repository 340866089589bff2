"""QGIS plugin of semimtl_geo: Processing algorithms that run its commands.

QGIS's Python has no torch, and must not get another GDAL. So the plugin imports nothing of
semimtl_geo: it runs the commands with the Python of an environment of their own.

It runs in QGIS 3.22 to 4, whose Python may be as old as 3.9.
"""

from __future__ import annotations

from typing import Any


def classFactory(iface: Any) -> Any:  # noqa: N802 - the name that QGIS calls
    """Return the plugin, as QGIS asks for it."""
    from semimtl_geo_qgis.plugin import Plugin

    return Plugin(iface)
