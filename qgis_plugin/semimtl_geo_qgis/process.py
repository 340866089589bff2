"""Run a command, show its progress and its words, and end it if the user cancels."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess  # nosec B404 - what the plugin is for
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any

SECONDS = 0.1
"""Interval at which it is asked whether the user has canceled."""

GRACE = 30.0
"""Seconds that a command has to end after an interrupt, before it is killed."""

FOREIGN = re.compile(
    r"(PYTHON(PATH|HOME|EXECUTABLE)|__PYVENV_LAUNCHER__|(LD|DYLD)_\w+|PROJ_\w+|GDAL_\w+|QGIS_\w+)$"
)
"""Environment variables of QGIS that lead another Python to QGIS's own libraries."""

WINDOWS = sys.platform == "win32"


@dataclass
class Outcome:
    """Exit code and output of a command.

    Attributes:
        code: Exit code; None if it had to be killed.
        printed: Lines of its standard output.
        said: Lines of its standard error, without those of progress.
    """

    code: int | None = None
    printed: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def fault(self) -> str:
        """Return the last line of output, with the exit code unless that is 2."""
        words = [line for line in (*self.printed, *self.said) if line.strip()]
        last = words[-1] if words else "no message"
        return last if self.code == 2 else f"exit code {self.code}: {last}"


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """Return environment variables without those of QGIS.

    Modules in the working folder are not imported, for it may be that of somebody's project.
    """
    kept = {name: value for name, value in environment.items() if not FOREIGN.match(name)}
    # What Windows decodes in the code page of the console would not arrive whole.
    return {**kept, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1"}


def share_done(line: str) -> float | None:
    """Return the share in a line of progress, 0 to 1; None if it is another line."""
    if not line.startswith("{"):
        return None
    try:
        progress = json.loads(line)["progress"]
        return float(progress["done"]) / max(1.0, float(progress["total"]))
    except (ValueError, KeyError, TypeError):
        return None


def run(
    command: Sequence[str],
    feedback: Any,
    show_line: Callable[[str], Any] | None = None,
) -> Outcome:
    """Run a command.

    Args:
        command: The program and its arguments.
        feedback: A ``QgsProcessingFeedback``, or what has its methods ``isCanceled``,
            ``setProgress``, ``pushInfo`` and ``pushConsoleInfo``.
        show_line: Called with each line that is none of progress; by default
            ``feedback.pushConsoleInfo``.

    Returns:
        What it has said.

    Raises:
        OSError: If the command cannot be started.
    """
    show_line = show_line or feedback.pushConsoleInfo
    if WINDOWS:
        own_group = {
            "creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        }
    else:
        own_group = {"start_new_session": True}
    process = subprocess.Popen(  # noqa: S603 # nosec B603 - no shell
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean(os.environ),
        encoding="utf-8",
        errors="replace",
        **own_group,
    )
    lines: queue.Queue[tuple[bool, str]] = queue.Queue()
    readers = [
        threading.Thread(target=_read, args=(stream, printed, lines), daemon=True)
        for stream, printed in ((process.stdout, True), (process.stderr, False))
    ]
    for reader in readers:
        reader.start()
    outcome = Outcome()
    interrupted: float | None = None
    try:
        while any(reader.is_alive() for reader in readers) or not lines.empty():
            if interrupted is None and feedback.isCanceled():
                interrupted = time.monotonic()
                feedback.pushInfo("Canceled. The command is ending.")
                _interrupt(process)
            if interrupted is not None and time.monotonic() - interrupted > GRACE:
                _kill(process)
                return outcome
            try:
                printed, line = lines.get(timeout=SECONDS)
            except queue.Empty:
                continue
            share = None if printed else share_done(line)
            if share is not None:
                feedback.setProgress(100 * share)
                continue
            (outcome.printed if printed else outcome.said).append(line)
            show_line(line)
        outcome.code = process.wait()
    finally:
        if process.poll() is None:
            _kill(process)
    return outcome


def _read(stream: IO[str], printed: bool, lines: queue.Queue[tuple[bool, str]]) -> None:
    """Hand on the lines of a stream; bars of progress rewrite theirs by a carriage return."""
    with stream:
        for line in stream:
            lines.put((printed, line.rstrip("\n").rpartition("\r")[2]))


def _interrupt(process: subprocess.Popen[str]) -> None:
    """Do what Ctrl-C does; Windows has no such thing for a process without a console.

    A command that is killed instead continues as well when it is started again.
    """
    if WINDOWS:
        _kill(process)
    else:
        process.send_signal(signal.SIGINT)


def _kill(process: subprocess.Popen[str]) -> None:
    """End a command and all processes that it has started."""
    if WINDOWS:
        tree = ["taskkill", "/T", "/F", "/PID", str(process.pid)]
        subprocess.run(tree, capture_output=True, check=False)  # noqa: S603 # nosec B603 - no shell
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
