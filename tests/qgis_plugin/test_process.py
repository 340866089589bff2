"""Commands that the QGIS plugin runs, without QGIS; `make test-qgis` tries the rest in one."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from semimtl_geo_qgis import environment, process


class Feedback:
    """What the plugin asks of QGIS's feedback; it cancels when a line is shown."""

    def __init__(self, cancels_at: str = "") -> None:
        self.cancels_at, self.lines, self.shares = cancels_at, list[str](), list[float]()

    def isCanceled(self) -> bool:  # noqa: N802
        return self.cancels_at in self.lines

    def setProgress(self, percent: float) -> None:  # noqa: N802
        self.shares.append(percent)

    def pushInfo(self, text: str) -> None:  # noqa: N802
        self.lines.append(text)

    pushConsoleInfo = pushInfo  # noqa: N815


def run(code: str, feedback: Feedback) -> process.Outcome:
    return process.run([sys.executable, "-c", code], feedback)


def test_progress_is_told_from_words() -> None:
    feedback = Feedback()
    code = """
import json, sys
from semimtl_geo.progress import make_display
with make_display("json") as display:
    display.show("ortho", "px", 30, 120)
    print("bands: 1, 2, 3")
    print("{no JSON", file=sys.stderr)
    print("über 100 %", file=sys.stderr)
    display.show("ortho", "px", 120, 120)
sys.exit(2)
"""
    outcome = run(code, feedback)
    assert feedback.shares == [25.0, 100.0]
    assert (outcome.code, outcome.printed) == (2, ["bands: 1, 2, 3"])
    assert outcome.said == ["{no JSON", "über 100 %"]
    assert sorted(feedback.lines) == sorted([*outcome.printed, *outcome.said])
    assert outcome.fault == "über 100 %"


def test_cancel_interrupts() -> None:
    code = """
import time
try:
    print("ready")
    time.sleep(60)
except KeyboardInterrupt:
    print("safe")
    raise SystemExit(130)
"""
    outcome = run(code, Feedback(cancels_at="ready"))
    assert outcome.code == 130
    assert outcome.printed[-1] == "safe"


def test_what_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it has started, which would hold its pipes."""
    monkeypatch.setattr(process, "GRACE", 0.3)
    code = """
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("ready")
time.sleep(60)
"""
    started = time.monotonic()
    outcome = run(code, Feedback(cancels_at="ready"))
    assert outcome.code is None
    assert time.monotonic() - started < 20


def test_an_environment_is_made_with_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def which(*found: str) -> None:
        def look(name: str, path: str | None = None) -> str | None:
            return name if name in found else None

        monkeypatch.setattr("shutil.which", look)

    python = str(environment.python_of(tmp_path / "env"))
    which("uv")
    make, install = environment.steps(tmp_path / "env", "semimtl-geo")
    assert make.command[:2] == ("uv", "venv")
    assert install.command[:3] == ("uv", "pip", "install")
    assert install.command[-1] == "semimtl-geo"
    assert python in install.command
    which()
    with pytest.raises(environment.UnusableEnvironmentError, match="neither uv nor a Python"):
        environment.steps(tmp_path / "env", "semimtl-geo")


def test_a_python_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Under the name that it has on Windows; one that is too old is passed over."""
    for name, version in (("python3.14", "3 9"), ("python.EXE", "3 12")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {version}\necho /base/{name}\n")
        (tmp_path / name).chmod(0o755)
    places = {"python3.14": "python3.14", "python": "python.EXE"}

    def look(name: str, path: str | None = None) -> str | None:
        return str(tmp_path / places[name]) if name in places else None

    monkeypatch.setattr("shutil.which", look)
    assert environment.find_python() == "/base/python.EXE"


def test_an_environment_that_fails_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import sys; print('Collecting torch'); print('no space left'); sys.exit(1)"
    step = environment.Step("Install it", (sys.executable, "-c", code), 10, 90)
    monkeypatch.setattr(environment, "steps", lambda *_: [step])
    feedback = Feedback()
    with pytest.raises(environment.UnusableEnvironmentError, match=r"Install it failed .*no space"):
        environment.make(tmp_path, "semimtl-geo", feedback)
    assert 10 < feedback.shares[-1] < 90


def test_the_version_is_that_of_the_package() -> None:
    from importlib.metadata import version

    assert environment.version_of(sys.executable) == version("semimtl-geo")
    with pytest.raises(environment.UnusableEnvironmentError, match="cannot be run"):
        environment.version_of("/no/python")
