from __future__ import annotations

import json
import re
import sys

import pytest

from semimtl_geo.progress import make_display, show_progress


def test_a_line_says_how_much_is_done_at_what_rate(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress("cities", "scenes") as show:
        for done in range(4):
            show(done, 3)
    *_, last = filter(None, re.split(r"[\r\n]+", capsys.readouterr().err))
    assert re.fullmatch(r"cities: 100%\|.*\| 3/3 \[00:00<00:00, .* scenes/s\]", last)


def test_pixels_are_shown_in_millions(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress("ortho", "px") as show:
        show(12_000_000, 36_000_000)
    assert "12.0M/36.0M" in capsys.readouterr().err


def test_a_log_is_not_flooded(capsys: pytest.CaptureFixture[str]) -> None:
    assert not sys.stderr.isatty()
    with show_progress("map", "tiles") as show:
        for done in range(10_000):
            show(done, 20_000)
    assert len(re.split(r"[\r\n]+", capsys.readouterr().err)) < 10


def test_what_an_earlier_run_did_says_nothing_of_the_rate(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with make_display() as display:
        display.show("map", "tiles", 4000, 5000)
    assert re.search(r"4000/5000 .*\?", capsys.readouterr().err)


def test_programs_get_lines_of_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first, the last, and none within the interval."""
    times = iter([0.0, 0.1, 0.25, 0.26, 0.27])
    monkeypatch.setattr("time.monotonic", lambda: next(times))
    with show_progress("map", "tiles", "json") as show:
        for done in range(5):
            show(done, 4)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        {"progress": {"name": "map", "unit": "tiles", "done": done, "total": 4}}
        for done in (0, 2, 4)
    ]
