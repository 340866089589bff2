"""Map orthophoto: land cover and heights of an aerial image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputMultipleLayers,
    QgsProcessingOutputRasterLayer,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterCrs,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterFile,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from semimtl_geo_qgis.algorithms.base import CommandAlgorithm, tr

MODEL_OF_PACKAGE = "towns"


class MapOrthophoto(CommandAlgorithm):
    """``semimtl-geo map``."""

    identifier = "map"
    title = "Map orthophoto"
    summary = (
        "<p>Predicts a land-cover class and a height above ground for every pixel of an "
        "orthophoto, and adds both maps to the project with their legends.</p>"
        "<p><b>Model</b>: a checkpoint or .safetensors file that was trained with semimtl_geo. "
        "Without one, the model of the package is used, which knows impervious surfaces, low "
        "vegetation, buildings, trees and water of RGB orthophotos of 0.2 to 0.6 m.</p>"
        "<p><b>Bands</b>: numbers or names of the bands that the model wants, such as 4,1,2; "
        "without them, bands that the file names as the model does, else all but alpha.</p>"
        "<p><b>White</b>: pixel value of full brightness, such as 4095 for 12-bit data in a "
        "16-bit file; without it, that of the model, or the largest value of the type.</p>"
        "<p><b>Domain</b>: training domain whose BatchNorm statistics are used. Without it, they "
        "are re-estimated on the orthophoto, which needs no labels.</p>"
        "<p>A run that was canceled is continued by the next one with the same settings.</p>"
    )

    continues = True

    def __init__(self) -> None:
        super().__init__()
        self._area = ""

    def initAlgorithm(self, configuration: Any = None) -> None:  # noqa: N802 - QGIS's name
        """Define parameters and outputs."""
        advanced = QgsProcessingParameterDefinition.FlagAdvanced
        self.addParameter(QgsProcessingParameterRasterLayer("INPUT", tr("Orthophoto")))
        self.addParameter(
            QgsProcessingParameterFile(
                "MODEL",
                tr("Model (none: that of the package)"),
                optional=True,
                fileFilter=tr("Models (*.safetensors *.ckpt);;All files (*)"),
            )
        )
        self.addParameter(
            QgsProcessingParameterFeatureSource(
                "AREA",
                tr("Map only inside these polygons"),
                [QgsProcessing.TypeVectorPolygon],
                optional=True,
            )
        )
        further = [
            QgsProcessingParameterString("BANDS", tr("Bands"), optional=True),
            QgsProcessingParameterNumber(
                "WHITE", tr("White"), QgsProcessingParameterNumber.Double, optional=True, minValue=0
            ),
            QgsProcessingParameterString("DOMAIN", tr("Domain"), optional=True),
            QgsProcessingParameterCrs("CRS", tr("CRS of the maps"), optional=True),
            QgsProcessingParameterBoolean(
                "CONFIDENCE", tr("Also the probability of the chosen class"), False
            ),
            QgsProcessingParameterBoolean(
                "PROBABILITIES", tr("Also the probability of each class"), False
            ),
        ]
        for parameter in further:
            parameter.setFlags(parameter.flags() | advanced)
            self.addParameter(parameter)
        self.addParameter(
            QgsProcessingParameterFolderDestination("OUTPUT", tr("Folder for the maps"))
        )
        self.addOutput(QgsProcessingOutputRasterLayer("LANDCOVER", tr("Land cover")))
        self.addOutput(QgsProcessingOutputRasterLayer("HEIGHT", tr("Heights")))
        self.addOutput(QgsProcessingOutputMultipleLayers("MAPS", tr("All maps")))

    def prepareAlgorithm(  # noqa: N802 - QGIS's name
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> bool:
        """Write the polygons to a file while the layer may be read."""
        self._area = self.vector_file(parameters, "AREA", context, feedback)
        return bool(super().prepareAlgorithm(parameters, context, feedback))

    def command(self, parameters: dict[str, Any], context: QgsProcessingContext) -> list[str]:
        """Return the arguments of ``semimtl-geo map``."""
        model = self.parameterAsFile(parameters, "MODEL", context) or MODEL_OF_PACKAGE
        source = self.raster_source(parameters, "INPUT", context)
        arguments = ["map", "--model", model, "--out", self.out, source]
        for flag, name in (("--bands", "BANDS"), ("--domain", "DOMAIN")):
            text = self.parameterAsString(parameters, name, context)
            if text:
                arguments += [f"{flag}={text}"]
        if parameters.get("WHITE") is not None:
            arguments.append(f"--white={self.parameterAsDouble(parameters, 'WHITE', context)}")
        if parameters.get("CRS"):
            crs = self.parameterAsCrs(parameters, "CRS", context)
            if not crs.isValid():
                raise QgsProcessingException(tr("The CRS of the maps is not valid."))
            # Those that users define have a number that QGIS alone knows.
            known = crs.authid() and not crs.authid().startswith("USER:")
            arguments.append(f"--crs={crs.authid() if known else crs.toWkt()}")
        if self._area:
            arguments += ["--area", self._area]
        for flag, name in (("--confidence", "CONFIDENCE"), ("--probabilities", "PROBABILITIES")):
            if self.parameterAsBool(parameters, name, context):
                arguments.append(flag)
        return arguments

    def results(
        self, files: list[Path], parameters: dict[str, Any], context: QgsProcessingContext
    ) -> dict[str, Any]:
        """Load all maps."""
        found = {"OUTPUT": self.out}
        for file in files:
            output = file.stem.rpartition("_")[2].upper()
            output = output if output in ("LANDCOVER", "HEIGHT") else ""
            self.load(file, context, output)
            if output:
                found[output] = str(file)
        return {**found, "MAPS": [str(file) for file in files]}
