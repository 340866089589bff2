"""Setting of the plugin that lasts between sessions: the Python that runs the commands."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsSettings
from qgis.PyQt.QtCore import QStandardPaths

from semimtl_geo_qgis.environment import UnusableEnvironmentError

PYTHON = "semimtl_geo/python"


def default_folder() -> Path:
    """Return the folder of an environment that the plugin makes: of this machine and user."""
    base = QStandardPaths.writableLocation(QStandardPaths.GenericDataLocation)
    return Path(base) / "semimtl_geo" / "environment"


def remember_python(python: Path | str) -> None:
    """Run all commands with a Python from now on."""
    QgsSettings().setValue(PYTHON, str(python))


def chosen_python() -> str:
    """Return the Python that commands run with.

    Raises:
        UnusableEnvironmentError: If none was chosen, or it is gone.
    """
    python = str(QgsSettings().value(PYTHON, "") or "")
    if python and Path(python).exists():
        return python
    gone = f"{python} is gone" if python else "semimtl_geo has no environment yet"
    raise UnusableEnvironmentError(f"{gone}; run the algorithm 'Set up environment' first")
