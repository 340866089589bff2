"""Docstrings: examples run, exported names have one, and summaries are sentences."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
import shutil
from collections.abc import Iterator
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


def touch(network: object, file: Path, *_: object) -> None:
    file.touch()


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_run(
    name: str, example_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each example runs in a copy of the folder that tests/example_folder.py describes."""
    module = import_module(name)
    if name == "semimtl_geo.export.bundle":
        # These take long, and test_export.py makes the same files.
        for writer in ("write_program", "write_onnx"):
            monkeypatch.setattr(module, writer, touch)
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


PACKAGES = [module_name(file) for file in FILES if file.name == "__init__.py"]
FRAGMENT = re.compile(r"(Of|What|Where|As|How|That|Its|Their|Likewise|Also)\b")


def test_exported_names_have_an_example() -> None:
    missing = []
    for name in PACKAGES:
        package = import_module(name)
        for exported in getattr(package, "__all__", ()):
            value = getattr(package, exported)
            own = getattr(value, "__module__", "").split(".")[0] in ("tiles", "semimtl_geo")
            if own and (inspect.isclass(value) or inspect.isfunction(value)):
                text = inspect.getdoc(value) or ""
                if "Example:" not in text or ">>> " not in text:
                    missing.append(f"{name}.{exported}")
    assert missing == []


def test_no_docstring_is_a_fragment() -> None:
    """Summaries are looked at, and the entries of Args, Attributes and Returns."""
    found = [
        f"{file}: {line}"
        for file in FILES
        for line in fragments((ROOT / file).read_text(encoding="utf-8"))
    ]
    assert found == []


def test_fragments_are_found() -> None:
    source = '''
def read(file):
    """Of a raster, the pixels.

    Args:
        file: Where the raster is.
    """


def write(file):
    """Write a raster."""
'''
    assert list(fragments(source)) == ["Of a raster, the pixels.", "file: Where the raster is."]


def fragments(source: str) -> Iterator[str]:
    """Yield the lines of docstrings that begin as parts of a sentence do."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            for number, line in enumerate((ast.get_docstring(node) or "").splitlines()):
                entry = re.fullmatch(r" {4}\*{0,2}\w+: (.*)", line)
                if FRAGMENT.match(entry.group(1) if entry else "" if number else line):
                    yield line.strip()
