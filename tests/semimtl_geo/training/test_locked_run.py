"""Two trainings in one folder: the second is refused, and the first goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from semimtl_geo.training.cli import train
from semimtl_geo.training.run_folder import locked_run
from tests.conftest import Run
from tiles.errors import InputError


def test_a_second_training_is_refused(run: Run, tmp_path: Path) -> None:
    with (
        locked_run(tmp_path),
        pytest.raises(InputError, match="is being written to by another run; wait until it ends"),
    ):
        train([*run.args, f"--out={tmp_path}"])
    assert not list(tmp_path.glob("*.ckpt"))
    assert not (tmp_path / "metrics.csv").exists()
    train([*run.args, f"--out={tmp_path}"])
    assert (tmp_path / "semimtl.ckpt").is_file()
    assert not list(tmp_path.glob(".*lock*"))
