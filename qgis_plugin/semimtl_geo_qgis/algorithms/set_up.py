"""Set up environment: choose a Python that has semimtl_geo, or make one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputString,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFile,
    QgsProcessingParameterString,
)

from semimtl_geo_qgis import environment
from semimtl_geo_qgis.algorithms.base import Algorithm, tr
from semimtl_geo_qgis.settings import default_folder, remember_python


class SetUpEnvironment(Algorithm):
    """Choose the Python that the other algorithms run with."""

    identifier = "setup"
    title = "Set up environment"
    summary = (
        "<p>The networks run in a Python environment of their own, because QGIS's Python has no "
        "PyTorch. Run this once.</p>"
        "<p><b>Existing Python</b>: the Python of an environment that has semimtl_geo, such as "
        "/home/me/venv/bin/python. Nothing is installed then.</p>"
        "<p>Without one, an environment is made in <b>Folder</b>, by uv if it is installed, else "
        "by a Python from 3.11 on. That downloads some gigabytes and takes minutes.</p>"
    )

    def initAlgorithm(self, configuration: Any = None) -> None:  # noqa: N802 - QGIS's name
        """Define parameters and outputs."""
        self.addParameter(
            QgsProcessingParameterFile(
                "PYTHON",
                tr("Existing Python"),
                optional=True,
                # QGIS's default, *.*, refuses names without a dot.
                fileFilter=tr("All files (*)"),
            )
        )
        self.addParameter(
            QgsProcessingParameterString(
                "FOLDER", tr("Folder for a new environment"), str(default_folder())
            )
        )
        package = QgsProcessingParameterString(
            "PACKAGE", tr("What is installed"), environment.package_source()
        )
        package.setFlags(package.flags() | QgsProcessingParameterDefinition.FlagAdvanced)
        self.addParameter(package)
        self.addOutput(QgsProcessingOutputString("PYTHON_USED", tr("Python")))
        self.addOutput(QgsProcessingOutputString("VERSION", tr("Version of semimtl_geo")))

    def processAlgorithm(  # noqa: N802 - QGIS's name
        self,
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, Any]:
        """Choose or make the environment, and try it."""
        existing = self.parameterAsFile(parameters, "PYTHON", context)
        folder = Path(self.parameterAsString(parameters, "FOLDER", context))
        source = self.parameterAsString(parameters, "PACKAGE", context)
        try:
            made = Path(existing) if existing else environment.make(folder, source, feedback)
            if made is None:
                return {}
            feedback.pushInfo(tr("Try it"))
            version = environment.version_of(made)
        except environment.UnusableEnvironmentError as fault:
            raise QgsProcessingException(str(fault)) from fault
        own = environment.own_version()
        if version != own:
            feedback.pushWarning(f"semimtl_geo {version} is there, this plugin was made for {own}")
        remember_python(made)
        feedback.setProgress(100)
        feedback.pushInfo(f"semimtl_geo {version}: {made}")
        return {"PYTHON_USED": str(made), "VERSION": version}
