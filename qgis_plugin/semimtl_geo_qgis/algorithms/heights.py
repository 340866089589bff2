"""Heights above ground: a surface model minus its terrain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
)

from semimtl_geo_qgis.algorithms.base import CommandAlgorithm, tr


class HeightsAboveGround(CommandAlgorithm):
    """``semimtl-geo ndsm``."""

    identifier = "heightsaboveground"
    title = "Heights above ground"
    summary = (
        "<p>Computes heights above ground (a normalised surface model) of a surface model.</p>"
        "<p><b>Terrain model</b>: without one, the ground is found in the surface model itself.</p>"
        "<p><b>Widest building</b>: width in metres, to find the ground without terrain model.</p>"
        "<p><b>Holes</b>: width in metres up to which holes of the terrain model are filled, as "
        "the Dutch AHN has them under buildings.</p>"
    )

    def initAlgorithm(self, configuration: Any = None) -> None:  # noqa: N802 - QGIS's name
        """Define parameters and outputs."""
        self.addParameter(QgsProcessingParameterRasterLayer("DSM", tr("Surface model")))
        self.addParameter(
            QgsProcessingParameterRasterLayer("DTM", tr("Terrain model"), optional=True)
        )
        for name, title, value in (
            ("BUILDING", "Widest building (m)", 40.0),
            ("HOLES", "Holes to fill (m)", 0.0),
        ):
            self.addParameter(
                QgsProcessingParameterNumber(
                    name, tr(title), QgsProcessingParameterNumber.Double, value, minValue=0
                )
            )
        self.addParameter(
            QgsProcessingParameterRasterDestination("OUTPUT", tr("Heights above ground"))
        )

    def output(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        """Return the file, and have QGIS load it."""
        return str(self.parameterAsOutputLayer(parameters, "OUTPUT", context))

    def command(self, parameters: dict[str, Any], context: QgsProcessingContext) -> list[str]:
        """Return the arguments of ``semimtl-geo ndsm``."""
        arguments = ["ndsm", self.raster_source(parameters, "DSM", context), "--out", self.out]
        terrain = self.raster_source(parameters, "DTM", context)
        if terrain:
            holes = self.parameterAsDouble(parameters, "HOLES", context)
            return [*arguments, "--dtm", terrain, f"--holes={holes}"]
        building = self.parameterAsDouble(parameters, "BUILDING", context)
        return [*arguments, f"--building={building}"]

    def results(
        self, files: list[Path], parameters: dict[str, Any], context: QgsProcessingContext
    ) -> dict[str, Any]:
        """Return the file, which QGIS loads as it is asked to."""
        return {"OUTPUT": str(files[0])}
