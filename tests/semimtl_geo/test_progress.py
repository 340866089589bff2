from __future__ import annotations

import pytest

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
