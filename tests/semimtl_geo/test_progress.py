from __future__ import annotations

import io

import pytest
from rich.console import Console

from semimtl_geo import progress
from semimtl_geo.progress import Display, progress_bar


def test_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 0.0, 4.0, 12.0, 20.0, 20.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with Display() as display:
        for done in (0, 1, 3, 5, 5):
            display.show("map", "tiles", done, 5)
    lines = capsys.readouterr().err.splitlines()
    # Nothing at 4 s; at 12 s 3 tiles are done, 2 are left at a quarter of a tile per second.
    assert lines == [
        "map: 3/5 tiles, 0.2 tiles/s, 8 s left",
        "map: 5/5 tiles, 0.2 tiles/s, 0 s left",
    ]


def test_progress_bar_passes_on(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar("cities", "scenes") as show:
        show(2, 2)
    assert capsys.readouterr().err.startswith("cities: 2/2 scenes")


def test_pixels_are_shown_as_megapixels(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """12 MP were there from an earlier run; 10.2 MP in 2 s are 5.1 MP/s."""
    clock = iter([0.0, 0.0, 2.0, 12.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(progress, "LINE_EVERY", 2.0)
    with progress_bar("ortho", "MP", per=1e6) as show:
        for done in (12_000_000, 22_200_000, 36_000_000):
            show(done, 36_000_000)
    assert capsys.readouterr().err.splitlines() == [
        "ortho: 22.2/36.0 MP, 5.1 MP/s, 3 s left",
        "ortho: 36.0/36.0 MP, 2.0 MP/s, 0 s left",
    ]


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    monkeypatch.setattr(progress, "Console", lambda stderr: console)
    with progress_bar("ortho", "MP", per=1e6) as show:
        show(12_300_000, 36_000_000)
    assert "12.3/36.0 MP" in screen.getvalue()


def test_finished_bars_give_way_to_new_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "MOST_BARS", 2)
    with Display() as display:
        display.show("slow", "tiles", 0, 5)
        for name in ("first", "second", "third"):
            display.show(name, "tiles", 0, 5)
            display.show(name, "tiles", 5, 5)
        shown = [task.description for task in display._bars.tasks if task.visible]
    assert shown == ["slow", "third"]
