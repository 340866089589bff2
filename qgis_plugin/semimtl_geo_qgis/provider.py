"""The Processing provider."""

from __future__ import annotations

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from semimtl_geo_qgis.algorithms.base import ICON
from semimtl_geo_qgis.algorithms.buildings import Buildings
from semimtl_geo_qgis.algorithms.heights import HeightsAboveGround
from semimtl_geo_qgis.algorithms.map_orthophoto import MapOrthophoto
from semimtl_geo_qgis.algorithms.set_up import SetUpEnvironment

IDENTIFIER = "semimtl_geo"


class Provider(QgsProcessingProvider):
    """Provider of all algorithms of the plugin."""

    def id(self) -> str:
        """Return the name in scripts."""
        return IDENTIFIER

    def name(self) -> str:
        """Return the name in the toolbox."""
        return "semimtl_geo"

    def longName(self) -> str:  # noqa: N802 - QGIS's name
        """Return the name in words."""
        return "semimtl_geo: land cover and heights from orthophotos"

    def icon(self) -> QIcon:
        """Return the plugin's icon."""
        return QIcon(str(ICON))

    def loadAlgorithms(self) -> None:  # noqa: N802 - QGIS's name
        """Add the algorithms."""
        for algorithm in (MapOrthophoto, Buildings, HeightsAboveGround, SetUpEnvironment):
            self.addAlgorithm(algorithm())
