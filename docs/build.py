"""Build the documentation site: sources are put together, Sphinx runs, and all links are checked.

python docs/build.py [--out build/docs]

Pages link to other files of the repository as they lie there, so that they can be read in a
checkout, too. Here, the files that are linked to become pages of the site.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import inspect
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import import_module
from os.path import normpath, relpath
from pathlib import Path
from urllib.parse import unquote, urldefrag

from draw_packages import draw_packages, packages
from sphinx.pycode import ModuleAnalyzer

DOCS = Path(__file__).parent
ROOT = DOCS.parent
LINK = re.compile(r"(?<=\]\()([^)\s#]*)(#[^)\s]*)?(?=\))")
PAGES = ("CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/*.md", "semimtl_geo/models/*.md",
         "semimtl_geo/samples/*.md")  # fmt: skip
"""Files of the repository that become pages, besides those that pages link to."""


def build(out: Path) -> Path:
    """Build the site; returns its folder."""
    source, site = out / "source", out / "html"
    for folder in (source, site):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(DOCS, source, ignore=shutil.ignore_patterns("*.py", "__pycache__", ".*"))
    shutil.copy(DOCS / "conf.py", source)
    linked: set[str] = set()
    for page in DOCS.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        linked |= set(links_outside(text, "docs"))
        (source / page.name).write_text(rewrite(text, "docs", "."), encoding="utf-8")
    every = {path.relative_to(ROOT).as_posix() for name in PAGES for path in ROOT.glob(name)}
    for name in sorted(every | linked):
        write_page(source / "repository", name)
    write_settings(source / "training_settings.md")
    write_options(source / "prepare_options.md")
    write_api(source / "api")
    draw_packages(source / "packages.svg")
    command = ["-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "-b", "html"]
    subprocess.run([sys.executable, *command, source, site], check=True)  # noqa: S603
    return site


def links_outside(text: str, folder: str) -> Iterator[str]:
    """Yield the files of the repository, outside of docs/, that a page in a folder links to."""
    for match in LINK.finditer(text):
        target = target_of(match[1], folder)
        if target and not target.startswith("docs/"):
            yield target


def target_of(link: str, folder: str) -> str:
    """Return the file of the repository that a page in a folder links to; empty if it is none."""
    if not link or "://" in link or link.startswith("mailto:"):
        return ""
    return Path(normpath(f"{folder}/{link}")).as_posix()


def rewrite(text: str, folder: str, place: str) -> str:
    """Return a page of the repository with links to the pages of the site.

    Args:
        text: The page.
        folder: Its folder in the repository.
        place: Its folder in the site.
    """

    def replace(match: re.Match[str]) -> str:
        link, anchor = match[1], match[2] or ""
        target = target_of(link, folder)
        if not target:
            return match[0]
        if target == "README.md":
            target = "docs/index.md"
        if target.startswith("docs/"):
            target = target.removeprefix("docs/")
        else:
            if not (ROOT / target).is_file():
                sys.exit(f"{folder}: links to {link}, which does not exist")
            target = f"repository/{as_page(target)}"
        return Path(relpath(target, place)).as_posix() + anchor

    return LINK.sub(replace, text)


def as_page(name: str) -> str:
    """Return the name of the page for a file: scripts are shown in one."""
    return name if name.endswith((".md", ".png", ".svg")) else f"{name}.md"


def write_page(folder: Path, name: str) -> None:
    """Write the page for a file of the repository."""
    page = folder / as_page(name)
    page.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith((".png", ".svg")):
        shutil.copy(ROOT / name, page)
        return
    text = (ROOT / name).read_text(encoding="utf-8")
    if name.endswith(".md"):
        text = rewrite(text, str(Path(name).parent), f"repository/{Path(name).parent}")
    else:
        language = {".py": "python", ".yaml": "yaml"}.get(Path(name).suffix, "text")
        text = f"# {name}\n\n````{language}\n{text}````\n"
    page.write_text(f"---\norphan: true\n---\n\n{text}", encoding="utf-8")


def write_settings(page: Path) -> None:
    """Write the help of ``semimtl-geo train``, which LightningCLI makes."""
    from semimtl_geo.training.cli import train

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        train(["--help"])
    text = printed.getvalue()
    page.write_text(
        f"---\norphan: true\n---\n\n# Settings of training\n\n```text\n{text}```\n",
        encoding="utf-8",
    )


def write_options(page: Path) -> None:
    """Write the options of each kind of data that ``semimtl-geo prepare`` reads."""
    from semimtl_geo.prepare import REGISTRY
    from semimtl_geo.prepare.options import options_of

    parts = ["---\norphan: true\n---\n\n# Options of prepare\n\nAll take `--raw` and `--out`.\n"]
    for name, entry in REGISTRY.items():
        lines = [f"## {name}", "", entry.help, ""]
        options = list(options_of(entry.load()))
        if options:
            lines += ["| option | default | meaning |", "| --- | --- | --- |"]
        for field, option, default in options:
            given = ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
            shown = "" if default in (None, (), False) else f"`{given}`"
            choices = f" ({', '.join(map(str, option.choices))})" if option.choices else ""
            meaning = f"{option.help}{choices}".replace("|", "\\|")
            lines.append(f"| `--{field.replace('_', '-')}` | {shown} | {meaning} |")
        parts.append("\n".join(lines) + "\n")
    page.write_text("\n".join(parts), encoding="utf-8")


def write_api(folder: Path) -> None:
    """Write a page for each package that exports names."""
    folder.mkdir()
    pages = []
    for package in packages():
        module = import_module(package)
        names = getattr(module, "__all__", ())
        if names:
            pages.append(package)
            documented = [directive(package, name, getattr(module, name)) for name in names]
            entries = "\n".join(documented)
            text = f"# {package}\n\n```{{eval-rst}}\n.. automodule:: {package}\n\n{entries}```\n"
            (folder / f"{package}.md").write_text(text, encoding="utf-8")
    contents = "\n".join(pages)
    (folder / "index.md").write_text(
        "# Python API\n\nEach sub-package exports its public names; others may change without "
        "notice. `tiles` and `semimtl_geo` export the most used of them, too.\n\n"
        f":::{{toctree}}\n:maxdepth: 1\n\n{contents}\n:::\n",
        encoding="utf-8",
    )


def directive(package: str, name: str, thing: object) -> str:
    """Return the directive of Sphinx that documents an exported name."""
    if inspect.isclass(thing):
        return f".. autoclass:: {package}.{name}\n   :members:\n   :show-inheritance:\n"
    if inspect.isfunction(thing):
        return f".. autofunction:: {package}.{name}\n"
    # Autodoc does not find what stands below a constant in another module.
    text = constant_text(package, name)
    return f".. py:data:: {package}.{name}\n\n   {text}\n"


def constant_text(package: str, name: str) -> str:
    """Return the string below the constant that a package exports."""
    source = (ROOT / package.replace(".", "/") / "__init__.py").read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and name in [alias.name for alias in node.names]:
            found = ModuleAnalyzer.for_module(str(node.module)).find_attr_docs()
            return " ".join(found.get(("", name), []))
    return ""


class Anchors(HTMLParser):
    """Reads what a page links to, and the anchors that it has."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note the links and anchors of an element."""
        for name, value in attributes:
            if value and name in ("href", "src"):
                self.links.add(value)
            elif value and name in ("id", "name"):
                self.anchors.add(value)


def broken_links(site: Path) -> list[str]:
    """Return the links of a site that lead nowhere inside it; others are not followed."""
    pages = {page.resolve(): Anchors(page) for page in site.rglob("*.html")}
    broken = []
    for page, found in pages.items():
        for link in found.links:
            path, anchor = urldefrag(unquote(link))
            if re.match(r"[a-z]+:|//", link):
                continue
            target = (page.parent / path.split("?")[0]).resolve() if path else page
            missing = anchor and target in pages and anchor not in pages[target].anchors
            if not target.exists() or missing:
                broken.append(f"{page.relative_to(site.resolve())}: {link}")
    return sorted(broken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "build/docs")
    site = build(parser.parse_args().out.resolve())
    if broken := broken_links(site):
        sys.exit("broken links:\n" + "\n".join(broken))
    print(site / "index.html")


if __name__ == "__main__":
    main()
