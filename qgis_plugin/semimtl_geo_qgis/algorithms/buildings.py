"""Buildings with heights: polygons of a pair of maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingOutputVectorLayer,
    QgsProcessingParameterFile,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterNumber,
)

from semimtl_geo_qgis.algorithms.base import CommandAlgorithm, tr


class Buildings(CommandAlgorithm):
    """``semimtl-geo buildings``."""

    identifier = "buildings"
    title = "Buildings with heights"
    summary = (
        "<p>Extracts the buildings of maps that <i>Map orthophoto</i> has made: a polygon each, "
        "with its area, median height and volume.</p>"
        "<p><b>Folder of maps</b>: holds NAME_landcover.tif and NAME_height.tif. Each pair gives "
        "a GeoPackage.</p>"
        "<p><b>Smallest area</b>: buildings below it are left out, in square metres.</p>"
    )

    def initAlgorithm(self, configuration: Any = None) -> None:  # noqa: N802 - QGIS's name
        """Define parameters and outputs."""
        self.addParameter(
            QgsProcessingParameterFile(
                "MAPS", tr("Folder of maps"), behavior=QgsProcessingParameterFile.Folder
            )
        )
        self.addParameter(
            QgsProcessingParameterNumber(
                "MIN_AREA",
                tr("Smallest area (m²)"),
                QgsProcessingParameterNumber.Double,
                10.0,
                minValue=0,
            )
        )
        self.addParameter(
            QgsProcessingParameterFolderDestination("OUTPUT", tr("Folder for the buildings"))
        )
        self.addOutput(QgsProcessingOutputVectorLayer("BUILDINGS", tr("Buildings")))

    def command(self, parameters: dict[str, Any], context: QgsProcessingContext) -> list[str]:
        """Return the arguments of ``semimtl-geo buildings``."""
        maps = self.parameterAsFile(parameters, "MAPS", context)
        area = self.parameterAsDouble(parameters, "MIN_AREA", context)
        return ["buildings", maps, "--out", self.out, f"--min-area={area}"]

    def results(
        self, files: list[Path], parameters: dict[str, Any], context: QgsProcessingContext
    ) -> dict[str, Any]:
        """Load all GeoPackages."""
        for file in files:
            self.load(file, context, "BUILDINGS")
        return {
            "OUTPUT": self.out,
            "BUILDINGS": str(files[0]),
        }
