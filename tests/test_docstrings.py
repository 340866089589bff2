"""Examples in docstrings run."""

from __future__ import annotations

import doctest
import shutil
from importlib import import_module
from pathlib import Path

import pytest

from tests.example_folder import write_example_folder

ROOT = Path(__file__).parents[1]
FILES = sorted(
    file.relative_to(ROOT)
    for package in ("tiles", "semimtl_geo")
    for file in (ROOT / package).rglob("*.py")
)


def module_name(file: Path) -> str:
    return ".".join(file.with_suffix("").parts).removesuffix(".__init__")


WITH_EXAMPLES = [
    module_name(file) for file in FILES if ">>> " in (ROOT / file).read_text(encoding="utf-8")
]


@pytest.fixture(scope="session")
def example_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    write_example_folder(folder)
    return folder


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_run(
    name: str, example_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in a copy of the folder that tests/example_folder.py describes."""
    module = import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    report: list[str] = []
    for number, test in enumerate(doctest.DocTestFinder().find(module)):
        if test.examples:
            folder = tmp_path / str(number)
            shutil.copytree(example_folder, folder)
            monkeypatch.chdir(folder)
            runner.run(test, out=report.append)
    result = runner.summarize(verbose=False)
    assert result.attempted > 0
    assert result.failed == 0, "".join(report)
