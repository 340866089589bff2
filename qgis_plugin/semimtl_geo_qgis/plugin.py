"""The plugin: its provider, and a button that sets up the environment."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsApplication
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QAction

from semimtl_geo_qgis.algorithms.base import ICON, tr
from semimtl_geo_qgis.provider import IDENTIFIER, Provider

MENU = "semimtl_geo"


class Plugin:
    """The plugin, which QGIS loads and unloads.

    Args:
        iface: QGIS's interface; None where there is no window, as in ``qgis_process``.
    """

    def __init__(self, iface: Any) -> None:
        self.iface = iface
        self.provider: Provider | None = None
        self.actions: list[Any] = []

    def initProcessing(self) -> None:  # noqa: N802 - QGIS's name
        """Add the provider; ``qgis_process`` calls this alone."""
        self.provider = Provider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:  # noqa: N802 - QGIS's name
        """Add the provider, and entries of the raster menu."""
        self.initProcessing()
        for algorithm, title in (
            ("map", tr("Map orthophoto…")),
            ("buildings", tr("Buildings with heights…")),
            ("heightsaboveground", tr("Heights above ground…")),
            ("setup", tr("Set up environment…")),
        ):
            action = QAction(QIcon(str(ICON)), title, self.iface.mainWindow())
            action.triggered.connect(lambda _, name=algorithm: self.open(name))
            self.iface.addPluginToRasterMenu(MENU, action)
            self.actions.append(action)

    def open(self, algorithm: str) -> None:
        """Open the dialog of an algorithm, which shows its progress and can cancel it."""
        import processing

        processing.execAlgorithmDialog(f"{IDENTIFIER}:{algorithm}")

    def unload(self) -> None:
        """Take everything away."""
        for action in self.actions:
            self.iface.removePluginRasterMenu(MENU, action)
        self.actions = []
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None
