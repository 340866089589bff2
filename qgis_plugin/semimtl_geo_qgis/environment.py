"""The environment that the commands run in: a Python with semimtl_geo, outside of QGIS's own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess  # nosec B404 - what the plugin is for
import sys
from collections.abc import Callable
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semimtl_geo_qgis import process

OLDEST = (3, 11)
"""Oldest Python that semimtl_geo runs in."""

NEWEST = (3, 14)
"""Newest Python that the plugin makes an environment with."""

PACKAGE = Path(__file__).parent / "package"
"""Folder of the wheel of semimtl_geo and the constraints that come with the plugin."""

COMMAND = ("-m", "semimtl_geo.cli")

QUIET = ("--progress-bar", "off")
"""Options that keep pip from drawing progress bars."""

FOLDERS = (
    "~/.local/bin",
    "~/.cargo/bin",
    "/opt/homebrew/bin",
    "/usr/local/bin",
    "/Library/Frameworks/Python.framework/Versions/Current/bin",
)
"""Folders that are searched for uv and Python besides PATH: applications of macOS that are started
from the desktop do not get the PATH of a shell."""


class UnusableEnvironmentError(Exception):
    """Why there is no usable environment, and what to do about it."""


@dataclass(frozen=True)
class Step:
    """A step of making an environment.

    Attributes:
        title: What it does.
        command: The command that does it.
        start: Progress in percent when it begins.
        stop: Progress in percent when it has ended.
    """

    title: str
    command: tuple[str, ...]
    start: float
    stop: float


def python_of(folder: Path) -> Path:
    """Return the Python of an environment."""
    return folder / ("Scripts/python.exe" if process.WINDOWS else "bin/python")


def package_source() -> str:
    """Return what pip installs: the wheel that comes with the plugin, else the name on PyPI."""
    wheels = sorted(PACKAGE.glob("semimtl_geo-*.whl"))
    return str(wheels[-1]) if wheels else "semimtl-geo"


def constraints() -> Path | None:
    """Return the file of the versions that were tested, if it came with the plugin."""
    file = PACKAGE / "constraints.txt"
    return file if file.is_file() else None


def own_version() -> str:
    """Return the version of the plugin, which is that of the package it was made for."""
    metadata = ConfigParser()
    metadata.read(Path(__file__).with_name("metadata.txt"), encoding="utf-8")
    return metadata["general"]["version"]


def version_of(python: str | Path) -> str:
    """Ask an environment for its version of semimtl_geo.

    Args:
        python: Its Python.

    Raises:
        UnusableEnvironmentError: If it cannot be run, or lacks semimtl_geo.
    """
    answer = _ask([str(python), *COMMAND, "--version"], seconds=120)
    if answer is None:
        raise UnusableEnvironmentError(
            f"{python} cannot be run, or gives no answer; choose the Python of an environment"
        )
    if answer.returncode:
        words = answer.stderr.strip().splitlines()[-1:] or ["no message"]
        raise UnusableEnvironmentError(
            f"{python} does not run semimtl_geo ({words[0]}); install it there, or let the "
            "plugin make an environment of its own"
        )
    return answer.stdout.strip()


def steps(folder: Path, source: str) -> list[Step]:
    """Return the steps that make an environment.

    Args:
        folder: Folder of the environment.
        source: What is installed: a wheel, a folder, or a name on PyPI.

    Raises:
        UnusableEnvironmentError: If neither uv nor a Python that is new enough is found.
    """
    python = str(python_of(folder))
    limits = ["--constraint", str(file)] if (file := constraints()) else []
    uv = _which("uv")
    if uv is not None:
        wanted = f">={'.'.join(map(str, OLDEST))},<{NEWEST[0]}.{NEWEST[1] + 1}"
        return [
            Step(
                "Make the environment",
                (uv, "venv", "--allow-existing", "--python", wanted, str(folder)),
                0,
                5,
            ),
            Step(
                "Install semimtl_geo",
                (uv, "pip", "install", "--upgrade", "--python", python, *limits, source),
                5,
                95,
            ),
        ]
    base = find_python()
    if base is None:
        oldest = ".".join(map(str, OLDEST))
        raise UnusableEnvironmentError(
            f"neither uv nor a Python from {oldest} on was found; install one of them "
            "(https://docs.astral.sh/uv), or name the Python of an environment that has semimtl_geo"
        )
    return [
        Step("Make the environment", (base, "-m", "venv", str(folder)), 0, 5),
        Step("Update pip", (python, "-m", "pip", "install", "--upgrade", "pip"), 5, 10),
        Step(
            "Install semimtl_geo",
            (python, "-m", "pip", "install", "--upgrade", *QUIET, *limits, source),
            10,
            95,
        ),
    ]


def find_python() -> str | None:
    """Return a Python that is new enough and can make environments; None if there is none."""
    newest_first = range(NEWEST[1], OLDEST[1] - 1, -1)
    names = [f"python{NEWEST[0]}.{minor}" for minor in newest_first]
    candidates = [sys.executable, *names, "python3", "python", "py"]  # py: the launcher of Windows
    code = "import sys, venv, ensurepip; print(*sys.version_info[:2]); print(sys.executable)"
    for candidate in dict.fromkeys(filter(None, map(_which, candidates))):
        # In QGIS for Windows and macOS, sys.executable is QGIS itself, which would be started.
        if not re.match(r"(python[\d.]*|py)(\.exe)?$", Path(candidate).name, re.IGNORECASE):
            continue
        answer = _ask([candidate, "-c", code], seconds=30)
        if answer is not None and not answer.returncode:
            version, executable = answer.stdout.splitlines()[:2]
            if OLDEST <= tuple(map(int, version.split())) <= NEWEST:
                return executable
    return None


def _which(name: str) -> str | None:
    """Look up a program, also where QGIS's own PATH does not lead."""
    folders = [str(Path(folder).expanduser()) for folder in FOLDERS]
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(folders))


def make(folder: Path, source: str, feedback: Any) -> Path | None:
    """Make an environment, or bring one that is there up to date.

    Args:
        folder: Folder of the environment.
        source: What is installed.
        feedback: As :func:`semimtl_geo_qgis.process.run` takes it.

    Returns:
        Its Python; None if the user has canceled.

    Raises:
        UnusableEnvironmentError: If a step fails.
    """
    for step in steps(folder, source):
        feedback.pushInfo(step.title)
        feedback.setProgress(step.start)
        show_line = _count_packages(step, feedback)
        try:
            outcome = process.run(step.command, feedback, show_line)
        except OSError as error:
            raise UnusableEnvironmentError(f"{step.title} failed ({error})") from error
        if feedback.isCanceled():
            return None
        if outcome.code != 0:
            raise UnusableEnvironmentError(f"{step.title} failed ({outcome.fault}); see the log")
        feedback.setProgress(step.stop)
    return python_of(folder)


def _count_packages(step: Step, feedback: Any) -> Callable[[str], None]:
    """Return a function that shows a line of pip or uv, and counts the packages named so far."""
    file = constraints()
    # constraints.txt has a line per package; its line of comment makes up for semimtl_geo itself.
    total = len(file.read_text(encoding="utf-8").splitlines()) if file else 100
    seen: set[str] = set()

    def show(line: str) -> None:
        feedback.pushConsoleInfo(line)
        named = re.match(r"\s*(?:Collecting|Requirement already satisfied:|\+) ([\w.-]+)", line)
        if named:
            seen.add(named[1].lower())
            share = min(1.0, len(seen) / total)
            feedback.setProgress(step.start + share * (step.stop - step.start))

    return show


def _ask(command: list[str], seconds: float) -> subprocess.CompletedProcess[str] | None:
    """Run a short command; None if it cannot be run."""
    try:
        return subprocess.run(  # noqa: S603 # nosec B603 - no shell
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
            env=process.clean(os.environ),
            stdin=subprocess.DEVNULL,
            creationflags=subprocess.CREATE_NO_WINDOW if process.WINDOWS else 0,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
