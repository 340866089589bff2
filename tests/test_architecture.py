"""The arrows of the design, read from the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    file.relative_to(ROOT)
    for package in ("tiles", "semimtl_geo")
    for file in (ROOT / package).rglob("*.py")
)


def module(file: Path) -> str:
    return ".".join(file.with_suffix("").parts).removesuffix(".__init__")


MODULES = {module(file) for file in FILES}


def imports(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                found.add(submodule if submodule in MODULES else str(node.module))
    return found


def test_tiles_does_not_know_semimtl_geo() -> None:
    names = sorted(module(file) for file in FILES if file.parts[0] == "tiles")
    code = (
        f"import importlib, sys\nfor name in {names}: importlib.import_module(name)\n"
        "print([m for m in sys.modules if m.split('.')[0] == 'semimtl_geo'])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "file",
    [
        file
        for file in FILES
        if file.parts[:2] == ("semimtl_geo", "networks")
        or file.name in ("losses.py", "alignment.py", "metrics.py", "systems.py")
    ],
    ids=str,
)
def test_learning_knows_no_raster(file: Path) -> None:
    assert not {name.split(".")[0] for name in imports(file)} & {
        "rasterio",
        "torchgeo",
        "lightning",
    }


def test_no_circles() -> None:
    graph = {module(file): imports(file) & MODULES - {module(file)} for file in FILES}
    done: set[str] = set()
    while graph.keys() - done:
        free = {name for name in graph.keys() - done if graph[name] <= done}
        assert free, f"a circle among {sorted(graph.keys() - done)}"
        done |= free


def test_command_line_starts_without_torch() -> None:
    """So that a wrong argument is answered at once."""
    code = "import sys, semimtl_geo.cli; print('torch' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.strip() == "False"
