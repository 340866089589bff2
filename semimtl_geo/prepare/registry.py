"""The adapters that can be chosen, and their options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final


@dataclass(frozen=True)
class Option:
    """One option of an adapter on the command line, and the keyword that its maker takes.

    Attributes:
        name: Such as ``ndsm_scale``, which is ``--ndsm-scale`` on the command line.
        help: What it is, in a line.
        default: Its value if not given.
        choices: The values that it can have; any if empty.
        type: From text to its value. ``bool`` makes it a flag without a value.
        metavar: What stands for its value in the help.
    """

    name: str
    help: str
    default: Any = None
    choices: Sequence[str] = ()
    type: Callable[[str], Any] = str
    metavar: str | None = None


@dataclass(frozen=True)
class Entry:
    """An adapter that can be chosen; it is imported only then.

    Attributes:
        help: One line on it.
        maker: ``module:name`` of what makes it; called with the options as keywords.
        options: Its options. An option that is not given has its default.
    """

    help: str
    maker: str
    options: Sequence[Option] = ()


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


_LABELS = Option(
    "labels",
    "label version: full, or eroded at the borders of objects (noBoundary)",
    "full",
    ("full", "eroded"),
)


_HERE = "semimtl_geo.prepare"


REGISTRY: Final[Mapping[str, Entry]] = {
    "potsdam": Entry(
        "ISPRS Potsdam, 38 scenes: NIR, red, green; land cover; heights.",
        f"{_HERE}.isprs.potsdam:Potsdam",
        (
            _LABELS,
            Option(
                "heights",
                "normalised surface model to take",
                "lastools",
                ("lastools", "ownapproach", "none"),
            ),
            Option("gsd", "ground sampling distance in metres", 0.09, type=float),
            Option(
                "val",
                "scenes held out of the 24 for validation, such as 2_11,4_10; or none",
                ("2_11", "4_10", "5_11", "7_8"),
                type=_names,
                metavar="NAMES",
            ),
        ),
    ),
    "vaihingen": Entry(
        "ISPRS Vaihingen, 33 scenes: NIR, red, green; land cover; heights.",
        f"{_HERE}.isprs.vaihingen:Vaihingen",
        (
            _LABELS,
            Option(
                "heights",
                "made from the surface model (dsm), or read from a third party's normalised one "
                "(ndsm)",
                "dsm",
                ("dsm", "ndsm", "none"),
            ),
            Option(
                "ndsm_pattern",
                "names of the normalised surface models; {N} is the area's number",
                "dsm_09cm_matching_area{N}_normalized.jpg",
            ),
            Option(
                "ndsm_scale", "metres per unit of these; needed if they are integers", type=float
            ),
            Option("crs", "coordinate reference system of the world files", "EPSG:32632"),
            Option(
                "unplaced",
                "without world files: lay the scenes side by side, at no place on earth",
                False,
                type=bool,
            ),
            Option(
                "val",
                "areas held out of the 16 for validation, such as 11,28; or none",
                ("11", "28", "34"),
                type=_names,
                metavar="NAMES",
            ),
        ),
    ),
    "cityscapes": Entry(
        "Cityscapes, street views of 512 x 1024 px: classes, depth; train_extra with depth alone.",
        f"{_HERE}.streetview.cityscapes:Cityscapes",
    ),
    "synscapes": Entry(
        "Synscapes, 25 000 street views of 512 x 1024 px: classes, depth.",
        f"{_HERE}.streetview.synscapes:Synscapes",
    ),
    "folder": Entry(
        "Your own scenes: image/, landcover/, height/ of any CRS, pixel size and band order.",
        f"{_HERE}.own.folder:Folder",
        (
            Option(
                "config",
                "YAML: bands, classes, heights, split; scenes.yaml in the raw folder if not given",
                type=Path,
                metavar="FILE",
            ),
        ),
    ),
}
"""Adapters by name: one entry each, in its own lines."""
