"""Base classes of the algorithms, and of those that run a command of semimtl_geo."""

from __future__ import annotations

import os
from abc import abstractmethod
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
)
from qgis.PyQt.QtCore import QCoreApplication
from qgis.PyQt.QtGui import QIcon

from semimtl_geo_qgis import process
from semimtl_geo_qgis.environment import COMMAND, UnusableEnvironmentError
from semimtl_geo_qgis.settings import chosen_python

ICON = Path(__file__).parents[1] / "icon.svg"


def tr(text: str) -> str:
    """Translate a text of the user interface."""
    return QCoreApplication.translate("semimtl_geo", text)


class ApplyStyle(QgsProcessingLayerPostProcessorInterface):
    """Gives a layer the style beside its file, whatever style Processing gives to results."""

    def postProcessLayer(  # noqa: N802 - QGIS's name
        self, layer: Any, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        """Load the style, if there is one."""
        CommandAlgorithm.styles.remove(self)
        if Path(layer.styleURI()).is_file():
            layer.loadDefaultStyle()
            layer.triggerRepaint()


class Algorithm(QgsProcessingAlgorithm):
    """Base class of the algorithms.

    Attributes:
        identifier: Its name in scripts and models.
        title: Its name in the toolbox.
        summary: Its help text; HTML.
    """

    identifier = ""
    title = ""
    summary = ""

    def name(self) -> str:
        """Return the name in scripts."""
        return self.identifier

    def displayName(self) -> str:  # noqa: N802 - QGIS's name
        """Return the name in the toolbox."""
        return tr(self.title)

    def shortHelpString(self) -> str:  # noqa: N802 - QGIS's name
        """Return the help text."""
        return tr(self.summary)

    def icon(self) -> QIcon:
        """Return the plugin's icon."""
        return QIcon(str(ICON))

    def createInstance(self) -> Algorithm:  # noqa: N802 - QGIS's name
        """Return a new algorithm, as QGIS asks for each run."""
        return type(self)()


class CommandAlgorithm(Algorithm):
    """Base class of algorithms that run a command and load what it has written."""

    styles: list[ApplyStyle] = []  # noqa: RUF012 - shared: QGIS holds no reference to them
    """Post-processors, which must live until QGIS has called them."""

    continues = False
    """Whether a run that was canceled is continued by the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.out = ""

    def prepareAlgorithm(  # noqa: N802 - QGIS's name
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> bool:
        """Look up the output once: each look at a temporary one would make another."""
        self.out = self.output(parameters, context)
        return bool(super().prepareAlgorithm(parameters, context, feedback))

    def output(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        """Return the folder or file to write."""
        return str(self.parameterAsString(parameters, "OUTPUT", context))

    @abstractmethod
    def command(self, parameters: dict[str, Any], context: QgsProcessingContext) -> list[str]:
        """Return the subcommand and its arguments."""

    @abstractmethod
    def results(
        self, files: list[Path], parameters: dict[str, Any], context: QgsProcessingContext
    ) -> dict[str, Any]:
        """Return the outputs by name.

        Args:
            files: The files that the command names on its standard output.
            parameters: Parameters of the algorithm.
            context: Context of the run.
        """

    def processAlgorithm(  # noqa: N802 - QGIS's name
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Run the command; what it has written is added to the project."""
        try:
            python = chosen_python()
        except UnusableEnvironmentError as fault:
            raise QgsProcessingException(str(fault)) from fault
        command = [python, *COMMAND, *self.command(parameters, context), "--progress", "json"]
        feedback.pushCommandInfo(" ".join(command))
        try:
            outcome = process.run(command, feedback)
        except OSError as error:
            raise QgsProcessingException(f"{python} cannot be run ({error})") from error
        if feedback.isCanceled():
            if self.continues:
                feedback.pushInfo(tr("Run it again with the same settings to continue."))
            return {}
        if outcome.code != 0:
            raise QgsProcessingException(outcome.fault)
        # os.path.isfile is False for lines that no path can have.
        files = [Path(line) for line in outcome.printed if os.path.isfile(line)]  # noqa: PTH113
        if not files:
            raise QgsProcessingException(tr("The command has named no file that it made."))
        return self.results(files, parameters, context)

    def load(self, file: Path, context: QgsProcessingContext, output: str = "") -> None:
        """Have QGIS add a file to the project, styled, when the algorithm has ended."""
        if context.project() is None:
            return
        details = QgsProcessingContext.LayerDetails(file.stem, context.project(), output)
        style = ApplyStyle()
        self.styles.append(style)
        details.setPostProcessor(style)
        context.addLayerToLoadOnCompletion(str(file), details)

    def raster_source(
        self, parameters: dict[str, Any], name: str, context: QgsProcessingContext
    ) -> str:
        """Return what GDAL opens of a raster parameter; an empty text if it is not given."""
        layer = self.parameterAsRasterLayer(parameters, name, context)
        if layer is None:
            if parameters.get(name):
                raise QgsProcessingException(self.invalidRasterError(parameters, name))
            return ""
        if layer.providerType() != "gdal":
            raise QgsProcessingException(
                f"{layer.name()}: is no raster file ({layer.providerType()}); export it as a "
                "GeoTIFF first"
            )
        return str(layer.source())

    def vector_file(
        self, parameters: dict[str, Any], name: str, context: QgsProcessingContext, feedback: Any
    ) -> str:
        """Return a file of the (selected) features of a vector parameter; empty if not given."""
        if not parameters.get(name):
            return ""
        # A GeoPackage keeps any CRS; without compatible formats, the layer is always exported.
        path = self.parameterAsCompatibleSourceLayerPath(
            parameters, name, context, [], "gpkg", feedback
        )
        return str(path)
