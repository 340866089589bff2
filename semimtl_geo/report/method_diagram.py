"""Diagram of the method as SVG: the data from which each part learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from semimtl_geo.report.thumbnails import (
    ExampleScene,
    data_uri,
    image_thumbnail,
    map_thumbnail,
    tops,
)
from semimtl_geo.tasks import Task

THUMB: Final = 92
ROWS: Final = {
    ("landcover", "a"): 44,
    ("landcover", "b"): 156,
    ("height", "a"): 336,
    ("height", "b"): 448,
}
"""Upper edges of the predictions on both cities, by task."""

Thumbnails = Mapping[tuple[str, str, str], str]
"""Data URIs by role (``image``, ``made``, ``truth``), task and city (``a``, ``b``)."""

LEGEND: Final = """<ul class="strokes">
<li><i></i><span><b>Supervised</b>, where labels exist: cross entropy for land cover, BerHu for
heights.</span></li>
<li><i class="dash"></i><span><b>Adversarial</b>, strongest where there are none. Mode M2: the
network learns until the discriminator takes its predictions for <em>ground truth</em>.</span></li>
<li><i class="thin"></i><span><b>The discriminator</b> sees true labels and predictions, and
learns to name the source of every pixel, in turn with the network.</span></li>
<li><i class="dots"></i><span><b>Consistency</b>, in what is recommended instead of the adversary:
land cover and height of a pixel must fit. A lawn is at 0 m, a building is not.</span></li>
</ul>"""


def method_section(panels: Sequence[ExampleScene], tasks: Sequence[Task]) -> tuple[str, str, str]:
    """Return the drawing as a section of a page, with thumbnails of two cities.

    Example:
        >>> heading, text, drawing = method_section([], [])
        >>> heading, drawing.startswith("<")
        ('How it works', True)
    """
    return "How it works", "", method_figure(_thumbnails(panels, tasks))


def method_figure(thumbnails: Thumbnails) -> str:
    """Return the figure and its legend.

    Args:
        thumbnails: Thumbnails; where one is missing a blank takes its place.
    """
    parts = [_defs(), _heads()]
    for city, top in (("a", 84), ("b", 352)):
        parts.append(_thumb(thumbnails.get(("image", "", city)), 28, top, city, edge=124))
        labels = {"a": "land-cover labels only", "b": "heights only"}[city]
        parts.append(_text(90, top + 144, f"City {city.upper()}", "bold"))
        parts.append(_text(90, top + 161, labels, "small"))
    parts += [
        _arrow("flow", "M156,146 C180,150 184,190 199,208"),
        _arrow("flow", "M156,414 C180,410 184,370 199,352"),
        '<path class="part" d="M204,130 L284,196 V364 L204,430 Z"/>',
        _text(244, 276, "shared", "bold"),
        _text(244, 294, "encoder", "bold"),
        _arrow("flow", "M284,252 C312,240 310,176 334,162"),
        _arrow("flow", "M284,308 C312,320 310,384 334,428"),
    ]
    for task, words, middle in (("landcover", "land cover", 148), ("height", "height", 440)):
        parts += _branch(thumbnails, task, words, middle)
    body = "".join(parts)
    return (
        '<figure class="method card"><div class="scroll"><svg viewBox="0 0 1180 552" role="img" '
        'aria-label="Both cities go through one encoder and one decoder per task; where labels '
        "exist the predictions are supervised, where not a discriminator per task aligns them "
        f'with ground truth">{body}</svg></div>{LEGEND}</figure>'
    )


def _branch(thumbnails: Thumbnails, task: str, words: str, middle: int) -> list[str]:
    """Draw a task: decoder, predictions, ground truth, discriminator and its outputs."""
    known, unknown = ("a", "b") if task == "landcover" else ("b", "a")
    loss = "cross entropy" if task == "landcover" else "BerHu"
    labelled, bare = ROWS[task, known] + THUMB // 2, ROWS[task, unknown] + THUMB // 2
    # Side of the labelled row that faces the other one.
    inward = 1 if bare > labelled else -1
    parts = [
        f'<path class="part" d="M338,{middle - 22} L430,{middle - 62} V{middle + 62} '
        f'L338,{middle + 22} Z"/>',
        _text(387, middle - 3, words, "bold"),
        _text(387, middle + 14, "decoder", "bold"),
    ]
    for city in ("a", "b"):
        row = ROWS[task, city] + THUMB // 2
        start = middle + (-16 if row < middle else 16)
        parts.append(_arrow("flow", f"M430,{start} C462,{start} 462,{row} 493,{row}"))
        parts.append(_thumb(thumbnails.get(("made", task, city)), 500, row - THUMB // 2, city))
    aside = labelled + 60 * inward
    parts += [
        _arrow("up", f"M694,{labelled} H602", both=True),
        _text(646, labelled - 10, "supervised", "good bold small"),
        _text(646, labelled + 20, loss, "good small"),
        _thumb(thumbnails.get(("truth", task, known)), 702, labelled - THUMB // 2, known),
        _arrow("seen", f"M794,{labelled} H876"),
        _arrow("fool", f"M592,{labelled + 32 * inward} C650,{aside} 690,{aside} 748,{aside} H876"),
        _arrow("fool-more", f"M592,{bare} H872"),
        _text(
            736,
            bare - 10,
            "no labels here: adversarial",
            "warn bold small",
        ),
        _text(736, bare + 20, "M2: shall pass for ground truth", "warn small"),
        f'<rect class="part" x="882" y="{middle - 94}" width="116" height="188" rx="12"/>',
        _text(940, middle - 4, words, "bold"),
        _text(940, middle + 14, "discriminator", "bold"),
    ]
    answers = (("truth", "ground truth"), ("a", "prediction on A"), ("b", "prediction on B"))
    for number, (name, answer) in enumerate(answers):
        y = middle + (number - 1) * 48
        parts.append(f'<path class="seen" d="M998,{middle} C1016,{middle} 1012,{y} 1030,{y}"/>')
        parts.append(
            f'<rect class="fill-{name}" x="1030" y="{y - 16}" width="132" height="32" rx="16"/>'
        )
        parts.append(_text(1096, y + 5, answer, "on"))
    parts.append(f'<rect class="fool" x="1025" y="{middle - 69}" width="142" height="42" rx="21"/>')
    return parts


def _heads() -> str:
    heads = (
        (90, "two cities"),
        (244, "one encoder"),
        (387, "two decoders"),
        (546, "predictions"),
        (748, "ground truth"),
        (940, "two discriminators"),
        (1096, "say of each pixel"),
    )
    return "".join(_text(x, 22, words, "head") for x, words in heads)


def _defs() -> str:
    tips = "".join(
        f'<marker id="tip-{name}" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="{size}" '
        f'markerHeight="{size}" markerUnits="userSpaceOnUse" orient="auto-start-reverse">'
        f'<path class="tip-{name}" d="M0,0 L10,5 L0,10 Z"/></marker>'
        for name, size in (("flow", 11), ("seen", 11), ("up", 14), ("fool", 14))
    )
    return f"<defs>{tips}</defs>"


def _arrow(style: str, path: str, both: bool = False) -> str:
    tip = f"url(#tip-{style.removesuffix('-more')})"
    start = f' marker-start="{tip}"' if both else ""
    return f'<path class="{style}" d="{path}" marker-end="{tip}"{start}/>'


def _text(x: int, y: int, words: str, style: str) -> str:
    return f'<text class="{style}" x="{x}" y="{y}">{words}</text>'


def _thumb(uri: str | None, x: int, y: int, city: str, edge: int = THUMB) -> str:
    """Return a framed image with the letter of the city in its corner."""
    size = f'x="{x}" y="{y}" width="{edge}" height="{edge}"'
    inside = (
        f'<image {size} href="{uri}" preserveAspectRatio="xMidYMid slice"/>'
        if uri
        else f'<rect class="blank" {size}/>'
    )
    return (
        f'{inside}<rect class="frame" {size}/>'
        f'<circle class="fill-{city}" cx="{x}" cy="{y}" r="11"/>'
        + _text(x, y + 5, city.upper(), "on")
    )


def _thumbnails(
    panels: Sequence[ExampleScene], tasks: Sequence[Task]
) -> dict[tuple[str, str, str], str]:
    """Return the images of the diagram: A is the city without heights, B without classes."""
    result: dict[tuple[str, str, str], str] = {}
    high = tops(panels, tasks)
    cities = {"height": "a", "landcover": "b"}
    drawn = [task for task in tasks if task.name in cities]
    for task in drawn:
        city = cities[task.name]
        panel = next((panel for panel in panels if task.name in panel.hidden), None)
        if panel is None or ("image", "", city) in result:
            continue
        result["image", "", city] = data_uri(image_thumbnail(panel.image, 248))
        for shown in drawn:
            names = [name for name, maps in panel.maps.items() if shown.name in maps]
            wanted = "SemiMTL" if "SemiMTL" in names else names[-1] if names else None
            files = {"made": panel.maps[wanted][shown.name]} if wanted else {}
            if shown.name in panel.truth and shown.name not in panel.hidden:
                files["truth"] = panel.truth[shown.name]
            for role, file in files.items():
                made = map_thumbnail(file, shown, high.get(shown.name), 184)
                result[role, shown.name, city] = data_uri(made)
    return result
