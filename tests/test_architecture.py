"""The structure of both packages: which sub-package may import which, by their syntax trees."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parents[1]
FILES = sorted(
    file.relative_to(ROOT)
    for package in ("tiles", "semimtl_geo")
    for file in (ROOT / package).rglob("*.py")
)

TILES: Final = {"tiles.reading", "tiles.datasets", "tiles.maps", "tiles.mosaic"} | {
    "tiles.elevation",
    "tiles.vectors",
}
LEARNING: Final = {f"semimtl_geo.{part}" for part in ("tasks", "networks", "learning")}
BELOW_COMPARE: Final = (
    TILES
    | LEARNING
    | {f"semimtl_geo.{part}" for part in ("streetview", "data", "inspection", "training")}
) | {"semimtl_geo.models", "semimtl_geo.mapping"}

ALLOWED: Final[dict[str, set[str]]] = {
    "tiles.reading": set(),
    "tiles.datasets": {"tiles.reading"},
    "tiles.maps": set(),
    "tiles.mosaic": {"tiles.reading", "tiles.maps"},
    "tiles.elevation": {"tiles.reading", "tiles.maps"},
    "tiles.vectors": {"tiles.reading"},
    "semimtl_geo.tasks": {"tiles.maps"},
    "semimtl_geo.networks": {"semimtl_geo.tasks"},
    "semimtl_geo.learning": {"semimtl_geo.tasks", "semimtl_geo.networks"},
    "semimtl_geo.models": set(),
    "semimtl_geo.samples": set(),
    "semimtl_geo.streetview": TILES,
    "semimtl_geo.data": LEARNING | {"semimtl_geo.streetview", "tiles.datasets"},
    "semimtl_geo.inspection": {"semimtl_geo.tasks", "tiles.reading", "tiles.datasets"},
    "semimtl_geo.training": LEARNING
    | {f"semimtl_geo.{part}" for part in ("data", "inspection", "mapping", "models")}
    | {"tiles.datasets"},
    "semimtl_geo.mapping": TILES
    | {f"semimtl_geo.{part}" for part in ("tasks", "networks", "models", "streetview")},
    "semimtl_geo.export": {f"semimtl_geo.{part}" for part in ("mapping", "models", "networks")}
    | {"semimtl_geo.tasks"},
    "semimtl_geo.compare": BELOW_COMPARE,
    "semimtl_geo.report": BELOW_COMPARE | {"semimtl_geo.compare"},
    "semimtl_geo.prepare": TILES | {"semimtl_geo.streetview"},
    "semimtl_geo.synthetic": TILES,
    "semimtl_geo.commands": BELOW_COMPARE
    | {f"semimtl_geo.{part}" for part in ("compare", "report", "prepare", "samples", "synthetic")}
    | {"semimtl_geo.export"},
}
"""The sub-packages, and what each may import beside the modules at the roots of the packages."""

ROOT_MODULES: Final = {
    "tiles": {"errors", "files", "grid", "settings", "types"},
    "semimtl_geo": {"class_schemes", "cli", "progress"},
}
"""What all sub-packages share, and the entry of the command line."""

ENTRIES: Final = {"tiles", "semimtl_geo", "semimtl_geo.cli"}
"""Modules that may import any sub-package: they export the public names, or start the commands."""


def module(file: Path) -> str:
    return ".".join(file.with_suffix("").parts).removesuffix(".__init__")


MODULES = {module(file) for file in FILES}


def imports(source: str, known: set[str] = MODULES) -> set[str]:
    """Return the names of all modules that a source imports, at its top or anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                found.add(submodule if submodule in known else str(node.module))
    return found


def subpackage(name: str) -> str | None:
    """Return the sub-package of a module, or None for modules at the root of a package."""
    parts = name.split(".")
    return ".".join(parts[:2]) if ".".join(parts[:2]) in ALLOWED else None


def forbidden(name: str, source: str) -> Iterator[str]:
    """Yield the imports of a module that the table does not allow."""
    own = subpackage(name)
    for other in sorted(imports(source) & MODULES):
        target = subpackage(other)
        if target is None or target == own or name in ENTRIES:
            continue
        if own is None or target not in ALLOWED[own]:
            yield f"{name} imports {other}"


def read(file: Path) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


def test_every_module_is_in_a_subpackage() -> None:
    for package, modules in ROOT_MODULES.items():
        assert {path.stem for path in (ROOT / package).glob("*.py")} == modules | {"__init__"}
    assert {subpackage(name) for name in MODULES} - {None} == set(ALLOWED)


def test_subpackages_import_what_they_may() -> None:
    assert [fault for file in FILES for fault in forbidden(module(file), read(file))] == []


def test_an_arrow_against_the_table_is_found() -> None:
    for name, source in {
        "tiles.reading.raster": "from tiles.mosaic import mosaic",
        "tiles.grid": "import tiles.reading.raster",
        "semimtl_geo.learning.systems": "def f():\n    from semimtl_geo.mapping import Mapper",
        "semimtl_geo.report.page": "from semimtl_geo.commands import map",
    }.items():
        assert len(list(forbidden(name, source))) == 1, name


def test_no_two_subpackages_import_each_other() -> None:
    """They can be sorted from the bottom up, so that there is no circle of more than two either."""
    done: set[str] = set()
    while ALLOWED.keys() - done:
        free = {name for name in ALLOWED.keys() - done if ALLOWED[name] <= done}
        assert free, f"a circle among {sorted(ALLOWED.keys() - done)}"
        done |= free


def test_no_circles_between_files() -> None:
    graph = {
        module(file): (imports(read(file)) & MODULES) - {module(file)}
        for file in FILES
        if file.name != "__init__.py"
    }
    graph = {name: found & graph.keys() for name, found in graph.items()}
    done: set[str] = set()
    while graph.keys() - done:
        free = {name for name in graph.keys() - done if graph[name] <= done}
        assert free, f"a circle among {sorted(graph.keys() - done)}"
        done |= free


def test_modules_are_short() -> None:
    assert [str(file) for file in FILES if len(read(file).splitlines()) > 320] == []


def test_tiles_does_not_know_semimtl_geo() -> None:
    files = [file for file in FILES if file.parts[0] == "tiles"]
    assert [str(file) for file in files if "semimtl_geo" in top_names(read(file))] == []


def top_names(source: str) -> set[str]:
    """Return the first parts of the names of all modules that a source imports."""
    return {name.split(".")[0] for name in imports(source)}


TORCHGEO_WEIGHTS = "semimtl_geo.networks.pretrained"


def test_learning_knows_no_raster() -> None:
    faults = [
        f"{module(file)} imports {name}"
        for file in FILES
        if subpackage(module(file)) in LEARNING
        for name in sorted(top_names(read(file)) & {"rasterio", "torchgeo", "lightning"})
    ]
    assert faults == [f"{TORCHGEO_WEIGHTS} imports torchgeo"]


def test_only_one_subpackage_knows_torchgeo() -> None:
    """Its next release then changes one sub-package; the data module names its type alone.

    One module of the networks fetches torchgeo's weights.
    """
    know = {module(file) for file in FILES if "torchgeo" in read(file) and imports_torchgeo(file)}
    known = {subpackage(name) for name in know - {TORCHGEO_WEIGHTS}}
    assert known <= {"tiles.datasets", "semimtl_geo.data"}


def imports_torchgeo(file: Path) -> bool:
    return "torchgeo" in top_names(read(file))


def test_command_line_starts_without_torch() -> None:
    """A wrong argument is answered at once."""
    assert run_python("import sys, semimtl_geo.cli; print('torch' in sys.modules)") == "False"


def test_either_order_of_imports_gives_the_mosaicker() -> None:
    """The package ``tiles.mosaic`` has the name of the function that ``tiles`` exports."""
    orders = (
        "from tiles import mosaic; print(callable(mosaic))",
        "import tiles.mosaic.panels; from tiles import mosaic; print(callable(mosaic))",
        "import tiles.mosaic; print(callable(tiles.mosaic.mosaic))",
    )
    # In one interpreter, which forgets the package in between, but not what it imports.
    code = (
        f"import sys\nfor order in {orders}:\n"
        "    for name in [name for name in sys.modules if name.split('.')[0] == 'tiles']:\n"
        "        del sys.modules[name]\n"
        "    exec(order, {})"
    )
    assert run_python(code).split() == ["True"] * 3


def test_no_module_bears_the_name_of_an_exported_function() -> None:
    """``from tiles.reading import resample`` would give the one or the other by chance."""
    both = set()
    for file in FILES:
        if file.name == "__init__.py":
            modules = {path.stem for path in (ROOT / file.parent).iterdir()} - {"__init__"}
            both |= {f"{module(file)}.{name}" for name in modules & exported(read(file))}
    # The package tiles.mosaic is callable, so that both are the same.
    assert both == {"tiles.mosaic"}


def exported(source: str) -> set[str]:
    """Return the names in ``__all__`` of a source."""
    return {
        element.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
        for element in ast.walk(node.value)
        if isinstance(element, ast.Constant)
    }


def test_all_packages_are_installed() -> None:
    """Their list in pyproject.toml is written by hand."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = settings["tool"]["setuptools"]["packages"]
    packages = {module(file) for file in FILES if file.name == "__init__.py"}
    assert sorted(listed) == sorted(packages | {"semimtl_geo.configs"})


def run_python(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return result.stdout.strip()
