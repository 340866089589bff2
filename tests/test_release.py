"""What is released is of one piece: one version, and the same requirements everywhere."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement

import semimtl_geo

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

GENERATED = ("training_settings.md", "prepare_options.md")
"""Pages that are made with the site."""

CONDA_NAMES = {
    "dask": "dask-core",
    "matplotlib": "matplotlib-base",
    "tensorboardX": "tensorboardx",
    "torch": "pytorch",
}
"""Names of packages on conda-forge that differ from those on PyPI."""


def test_the_version_stands_in_one_place() -> None:
    assert semimtl_geo.__version__ == PROJECT["version"]
    for name in (
        "CITATION.cff",
        "Dockerfile",
        "conda/recipe.yaml",
        "docs/conf.py",
        "qgis_plugin/semimtl_geo_qgis/metadata.txt",
        "semimtl_geo/__init__.py",
    ):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(rf"version\W{{1,4}}{re.escape(PROJECT['version'])}", text), name


def test_the_plugin_s_zip_has_the_version() -> None:
    spec = importlib.util.spec_from_file_location("build_plugin", ROOT / "qgis_plugin/build.py")
    assert spec is not None
    assert spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    assert "\nversion=1.2.3\n" in build.metadata("1.2.3")


def test_conda_requires_what_pip_does() -> None:
    recipe = yaml.safe_load((ROOT / "conda/recipe.yaml").read_text(encoding="utf-8"))
    # Conda has no extras: these are what laspy[lazrs] and jsonargparse[signatures] ask for.
    of_extras = ("lazrs-python", "docstring_parser", "typeshed_client")
    lines = [line for line in recipe["requirements"]["run"] if line not in of_extras]
    conda = {name: bounds for name, _, bounds in (line.partition(" ") for line in lines)}
    pip = {"python": PROJECT["requires-python"]}
    for line in PROJECT["dependencies"]:
        requirement = Requirement(line)
        pip[CONDA_NAMES.get(requirement.name, requirement.name)] = str(requirement.specifier)
    assert {name: sorted(bounds.split(",")) for name, bounds in conda.items()} == {
        name: sorted(bounds.split(",")) for name, bounds in pip.items()
    }


def test_the_changelog_and_the_image_know_what_there_is() -> None:
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    docker = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for line in re.findall(r"^COPY (.+) \S+$", docker, re.MULTILINE):
        assert all((ROOT / name).exists() for name in line.split()), line
    (extras,) = re.findall(r'"\.\[(.+)\]"', docker)
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


def test_links_between_files_lead_somewhere() -> None:
    """Those of pages on the site are also followed to their anchors by docs/build.py."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")]
    for page in pages:
        for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if "://" not in link and link not in GENERATED:
                assert (page.parent / link).exists(), f"{page.relative_to(ROOT)}: {link}"
