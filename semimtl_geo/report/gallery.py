"""Scenes on the page: image, labels and maps side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from semimtl_geo.compare import Row
from semimtl_geo.report.example_scene import EDGE, HIDDEN, ExampleScene, humanize, methods
from semimtl_geo.report.scores import score_tables, swatch
from semimtl_geo.report.thumbnails import data_uri, image_thumbnail, map_thumbnail, ramp_maxima
from semimtl_geo.tasks import Task

Section = tuple[str, str, str]
"""Heading, text and body of a section of the page, in HTML."""

MOST_FIGURES: Final = 80
"""With more figures than this each is made smaller, so that the page stays below some 8 MB."""
WIDEST: Final = 7
"""Figures side by side on the page."""


def scene_gallery(scenes: Sequence[ExampleScene], tasks: Sequence[Task]) -> str:
    """Return every scene as one row of images per task, in HTML.

    Args:
        scenes: The scenes.
        tasks: The mapped tasks.
    """
    count = sum(1 + len(p.truth) + sum(map(len, p.maps.values())) for p in scenes)
    edge = round(EDGE * min(1.0, (MOST_FIGURES / count) ** 0.5))
    high = ramp_maxima(scenes, tasks)
    columns = 2 + max((len(methods(scenes, task)) for task in tasks), default=0)
    columns = min(columns, WIDEST)
    parts = []
    for scene in scenes:
        where = escape(humanize(scene.domain))
        parts.append(
            f'<article class="panel card"><h3>{where}'
            f'<span class="file">{escape(scene.image.stem)}</span></h3>'
        )
        for number, task in enumerate(tasks):
            unseen = task.name in scene.hidden
            first = (
                _figure(data_uri(image_thumbnail(scene.image, edge)), "image", f"{where}, image")
                if number == 0
                else _key(tasks, high)
            )
            files = {"truth": scene.truth[task.name]} if task.name in scene.truth else {}
            files |= {
                name: maps[task.name] for name, maps in scene.maps.items() if task.name in maps
            }
            name = humanize(task.name)
            caption = f"{name[:1].upper()}{name[1:]}"
            figures = "".join(
                _figure(
                    data_uri(map_thumbnail(file, task, high.get(task.name), edge)),
                    escape(label),
                    f"{where}, {escape(name)}, {escape(label)}",
                )
                for label, file in files.items()
            )
            note = HIDDEN if unseen else "labels of this domain were used in training"
            parts.append(
                f'<div class="layer{" hidden" if unseen else ""}" style="--columns: {columns}">'
                f"<p>{escape(caption)}<span>{note}</span></p>{first}{figures}</div>"
            )
        if len(tasks) == 1:
            parts.append(_key(tasks, high))
        parts.append("</article>")
    return "".join(parts)


def scene_section(
    heading: str,
    text: str,
    rows: Sequence[Row],
    scenes: Sequence[ExampleScene],
    tasks: Sequence[Task],
) -> Section:
    """Return a section with the maps of some scenes and their scores.

    Args:
        heading: Heading of the section, in HTML.
        text: Text below it, in HTML.
        rows: The scores.
        scenes: The scenes.
        tasks: The mapped tasks.

    Example:
        >>> from pathlib import Path
        >>> from semimtl_geo.tasks import Depth
        >>> scene = ExampleScene("east", Path("ortho.tif"), {"height": Path("height.tif")}, {}, [])
        >>> heading, text, body = scene_section("East", "", [], [scene], [Depth()])
        >>> body.count("<img")
        2
    """
    hidden = {scene.domain: frozenset(scene.hidden) for scene in scenes}
    tables = f"<h3>Scores</h3>{score_tables(rows, tasks, hidden)}" if rows else ""
    return heading, text, scene_gallery(scenes, tasks) + tables


def _figure(uri: str, label: str, alt: str) -> str:
    return f'<figure><img src="{uri}" alt="{alt}"/><figcaption>{label}</figcaption></figure>'


def _key(tasks: Sequence[Task], high: Mapping[str, float]) -> str:
    """Return the legend."""
    parts = []
    for task in tasks:
        legend = task.legend(high.get(task.name))
        items = "".join(
            f"<li>{swatch(color)}{escape(name)}</li>" for name, color in legend.swatches.items()
        )
        if items:
            parts.append(f"<ul>{items}</ul>")
        for ramp in legend.ramps:
            top, unit = ramp.high, escape(ramp.unit)
            ticks = "".join(f"<span>{value:g} {unit}</span>" for value in (top, top / 2, 0))
            parts.append(f'<div class="bar"><i></i><div>{ticks}</div></div>')
    return f'<div class="key">{"".join(parts)}</div>'
