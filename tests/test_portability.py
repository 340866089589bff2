"""Both packages on a system without ``fcntl``, such as Windows: they import, and maps are equal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from semimtl_geo.cli import main
from tests.conftest import Run
from tiles.errors import MissingFileError
from tiles.reading import Raster

ROOT = Path(__file__).parent.parent

WITHOUT_FCNTL = """
import importlib, os, pkgutil, sys
sys.modules["fcntl"] = None
for name in ("pread", "pwrite", "O_DIRECTORY", "sched_getaffinity"):
    vars(os).pop(name, None)
if __name__ == "__main__":
    for root in map(importlib.import_module, ("tiles", "semimtl_geo")):
        for module in pkgutil.walk_packages(root.__path__, root.__name__ + "."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    from semimtl_geo.cli import main
    sys.exit(main(sys.argv[1:]))
"""


def test_a_map_without_fcntl(run: Run, tmp_path: Path) -> None:
    """Processes, locks and work in progress are used, and no byte differs."""
    ortho = next((run.cities / "city_b" / "test" / "image").glob("*.tif"))
    args = ["map", f"--model={run.checkpoint}", str(ortho), "--domain=city_b"]
    assert main([*args, f"--out={tmp_path / 'here'}"]) == 0
    script = tmp_path / "script.py"
    script.write_text(WITHOUT_FCNTL)
    options = [f"--out={tmp_path / 'there'}", "--devices=cpu,cpu"]
    subprocess.run([sys.executable, script, *args, *options], cwd=ROOT, check=True)
    here, there = (
        # The STAC Item says when the maps were made.
        {
            file.name: file.read_bytes()
            for file in (tmp_path / name).iterdir()
            if file.suffix != ".json"
        }
        for name in ("here", "there")
    )
    assert len(here) >= 4
    assert here == there


@pytest.mark.parametrize("name", [r"C:\ortho.tif", "c:/data/ortho.tif"])
def test_drive_letters_name_files(name: str) -> None:
    """A path with a drive letter is looked for on the disk, unlike a URL or a subdataset."""
    with pytest.raises(MissingFileError, match=r"ortho\.tif: does not exist"):
        Raster(name)
