"""Diagram of the method: the data from which each part learns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from importlib import resources
from string import Template
from typing import Final

from semimtl_geo.report.thumbnails import (
    ExampleScene,
    data_uri,
    image_thumbnail,
    map_thumbnail,
    ramp_maxima,
)
from semimtl_geo.tasks import Task

NOTHING: Final = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEAAAAALAAAAAABAAEAAAIBAAA="
"""A transparent image in place of one that is missing."""


def method_section(panels: Sequence[ExampleScene], tasks: Sequence[Task]) -> tuple[str, str, str]:
    """Return the diagram ``method.html`` as a section of a page, with thumbnails of two cities.

    Example:
        >>> heading, text, drawing = method_section([], [])
        >>> heading, drawing.startswith("<")
        ('How it works', True)
    """
    drawing = resources.files("semimtl_geo.report").joinpath("method.html").read_text("utf-8")
    thumbnails = defaultdict(lambda: NOTHING, _thumbnails(panels, tasks))
    return "How it works", "", Template(drawing).substitute(thumbnails)


def _thumbnails(panels: Sequence[ExampleScene], tasks: Sequence[Task]) -> dict[str, str]:
    """Return the images of the diagram: A is the city without heights, B without classes."""
    result: dict[str, str] = {}
    high = ramp_maxima(panels, tasks)
    cities = {"height": "a", "landcover": "b"}
    drawn = [task for task in tasks if task.name in cities]
    for task in drawn:
        city = cities[task.name]
        panel = next((panel for panel in panels if task.name in panel.hidden), None)
        if panel is None or f"image_{city}" in result:
            continue
        result[f"image_{city}"] = data_uri(image_thumbnail(panel.image, 248))
        for shown in drawn:
            names = [name for name, maps in panel.maps.items() if shown.name in maps]
            wanted = "SemiMTL" if "SemiMTL" in names else names[-1] if names else None
            files = {"made": panel.maps[wanted][shown.name]} if wanted else {}
            if shown.name in panel.truth and shown.name not in panel.hidden:
                files["truth"] = panel.truth[shown.name]
            for role, file in files.items():
                made = map_thumbnail(file, shown, high.get(shown.name), 184)
                result[f"{role}_{shown.name}_{city}"] = data_uri(made)
    return result
