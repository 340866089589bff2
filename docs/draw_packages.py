"""A drawing of the sub-packages of both packages, and of what they import."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[1]
COLORS = {"tiles": "#d8ecdf", "semimtl_geo": "#dbe4f5"}


def packages() -> list[str]:
    """Return the sub-packages of both packages."""
    return sorted(
        f"{package}.{init.parent.name}"
        for package in COLORS
        for init in (ROOT / package).glob("*/__init__.py")
    )


@cache
def imports(part: str) -> frozenset[str]:
    """Return the sub-packages that one imports."""
    found: set[str] = set()
    for file in (ROOT / part.replace(".", "/")).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {".".join(name.split(".")[:2]) for name in names}
    return frozenset(found & set(packages()) - {part})


@cache
def reached(part: str) -> frozenset[str]:
    """Return the sub-packages that one imports, and those that these import, and so on."""
    return imports(part).union(*map(reached, imports(part)))


@cache
def depth(part: str) -> int:
    """Return the longest chain of imports that leads to a sub-package."""
    return 1 + max((depth(other) for other in packages() if part in imports(other)), default=-1)


def draw_packages(path: Path) -> None:
    """Draw them, each above all that it imports.

    Args:
        path: The SVG file.
    """
    floors: dict[int, list[str]] = {}
    for part in packages():
        floors.setdefault(depth(part), []).append(part)
    places: dict[str, tuple[float, float]] = {}
    for number, inhabitants in sorted(floors.items()):
        # Each stands under those that import it, as far as its neighbours let it.
        ordered = sorted(inhabitants, key=lambda part: (_mean_place(part, places), part))
        for column, part in enumerate(ordered):
            places[part] = (2.2 * (column - (len(ordered) - 1) / 2), -1.5 * number)
    width = 2.2 * max(map(len, floors.values()))
    with matplotlib.rc_context({"svg.hashsalt": "packages"}):
        figure = Figure(figsize=(width, 1.5 * len(floors)))
        axes = figure.add_axes((0, 0, 1, 1))
        for part in places:
            for other in imports(part):
                if not any(other in reached(between) for between in imports(part) - {other}):
                    _draw_arrow(axes, places[part], places[other])
        for part, (x, y) in places.items():
            package, name = part.split(".")
            style = {"boxstyle": "round,pad=0.45", "facecolor": COLORS[package]}
            axes.text(
                x,
                y,
                f"{package}\n$\\bf{{{name}}}$",
                ha="center",
                va="center",
                fontsize=10,
                bbox={**style, "edgecolor": "none"},
                zorder=3,
            )
        bottom = -1.5 * (len(floors) - 1)
        axes.set(xlim=(-width / 2, width / 2), ylim=(bottom - 0.6, 0.6))
        axes.axis("off")
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _mean_place(part: str, places: dict[str, tuple[float, float]]) -> float:
    """Return the mean position of those that import a sub-package."""
    above = [place[0] for other, place in places.items() if part in imports(other)]
    return sum(above) / max(len(above), 1)


def _draw_arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    # Long arrows are bent, so that they pass by those between.
    bend = 0.25 if start[1] - end[1] > 2 and abs(start[0] - end[0]) < 1 else 0.0
    axes.annotate(
        "",
        xy=(end[0], end[1] + 0.28),
        xytext=(start[0], start[1] - 0.28),
        arrowprops={
            "arrowstyle": "->",
            "color": "#8a8f98",
            "shrinkA": 0,
            "shrinkB": 0,
            "connectionstyle": f"arc3,rad={bend}",
        },
        zorder=1,
    )
