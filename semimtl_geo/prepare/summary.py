"""What is in a domain's folder, in Markdown, from its files alone: a resumed run says the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.errors import RasterioError

from semimtl_geo.prepare.adapter import SPLITS
from semimtl_geo.prepare.rasters.resampling import windows
from semimtl_geo.prepare.rasters.scene_writer import CLASSES, LAYERS, REMARK
from tiles.datasets.scenes import raster_files
from tiles.errors import InputError
from tiles.grid import PixelGrid
from tiles.reading.raster import Raster
from tiles.types import ProgressCallback

QUANTILES: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

DARK: Final = 0.25
"""Orthophotos of which no pixel is brighter than this part of white have another white."""


class HeightTally:
    """Quantiles of heights, to a centimetre, of any number of pixels.

    Heights below -100 m and above 1000 m count as these.
    """

    LOW, HIGH, STEP = -100.0, 1000.0, 0.01

    def __init__(self) -> None:
        bins = round((self.HIGH - self.LOW) / self.STEP) + 1
        self._counts = np.zeros(bins, np.int64)

    def add(self, heights: npt.NDArray[Any]) -> None:
        """Count known heights of any shape."""
        place = np.rint((heights.astype(np.float64).ravel() - self.LOW) / self.STEP)
        inside = np.clip(place, 0, self._counts.size - 1).astype(np.int64)
        self._counts += np.bincount(inside, minlength=self._counts.size)

    @property
    def count(self) -> int:
        """How many were counted."""
        return int(self._counts.sum())

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """The heights that these shares of all do not exceed, in metres."""
        reached = np.cumsum(self._counts)
        zero = round(-self.LOW / self.STEP)
        return [
            self.STEP * (int(np.searchsorted(reached, max(1.0, share * self.count))) - zero)
            for share in shares
        ]


@dataclass
class _Split:
    """What was found in one split."""

    files: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LAYERS, 0))
    pixels: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LAYERS, 0))
    known: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LAYERS, 0))
    classes: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    heights: HeightTally = field(default_factory=HeightTally)
    grids: list[PixelGrid] = field(default_factory=list)


@dataclass
class _Domain:
    splits: dict[str, _Split] = field(default_factory=dict)
    bands: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    brightest: float = 0.0
    """The largest value of any orthophoto, white being 1."""


def describe(folder: Path, title: str, notes: Sequence[str], progress: ProgressCallback) -> str:
    """Describe scenes.

    Args:
        folder: The domain's folder, with ``train/``, ``val/`` and ``test/``.
        title: What it is.
        notes: What is to be known of it, a sentence or more each.
        progress: Called with files read, and files in all.

    Returns:
        Markdown: scenes per split, bands, ground sampling distance, sizes, shares of classes,
        quantiles of heights, known shares, and what is odd about single files.

    Raises:
        InputError: A file is damaged.
    """
    domain = _read(folder, progress)
    lines = [f"# {title}", "", *(f"- {note}" for note in notes)]
    lines += [f"- Bands: {', '.join(domain.bands)}."]
    lines += ["", "| split | scenes | with land cover | with heights | size (px) | GSD (m) | CRS |"]
    lines += ["| --- | --- | --- | --- | --- | --- | --- |"]
    for name, split in domain.splits.items():
        counts = " | ".join(str(split.files[layer]) for layer in LAYERS)
        lines.append(f"| {name} | {counts} | {_sizes(split)} | {_gsd(split)} | {_crs(split)} |")
    lines += _known(domain) + _classes(domain) + _heights(domain)
    if not DARK <= domain.brightest <= 1:
        domain.remarks.append(
            f"The brightest pixel of all orthophotos is {domain.brightest:.3g} times white. If "
            "their values are of fewer bits than their type has, say what is white "
            "(image: {white: 4095} in scenes.yaml)."
        )
    if domain.remarks:
        lines += ["", "## Remarks", "", *(f"- {remark}" for remark in domain.remarks)]
    return "\n".join(lines) + "\n"


def _read(folder: Path, progress: ProgressCallback) -> _Domain:
    domain = _Domain()
    found = [
        (split, layer, file)
        for split in SPLITS
        for layer in LAYERS
        for file in raster_files(folder / split / layer)
    ]
    for number, (split, layer, file) in enumerate(found):
        progress(number, len(found))
        with Raster(file) as raster:
            _count(domain, domain.splits.setdefault(split, _Split()), layer, raster)
        _note(domain, split, layer, file)
    progress(len(found), len(found))
    return domain


def _count(domain: _Domain, split: _Split, layer: str, raster: Raster) -> None:
    split.files[layer] += 1
    if layer == "image":
        split.grids.append(raster.grid)
    for rows, columns in windows(raster.grid):
        values, known = raster.read(rows, columns)
        split.pixels[layer] += known.size
        split.known[layer] += int(known.sum())
        if layer == "image" and known.any():
            white = 1 if raster.dtype.kind == "f" else np.iinfo(raster.dtype).max
            top = float(values.max(where=known, initial=values.min()))
            domain.brightest = max(domain.brightest, top / white)
        elif layer == "landcover":
            split.classes += np.bincount(values[0][known], minlength=256)
        elif layer == "height":
            split.heights.add(values[0][known])


def _note(domain: _Domain, split: str, layer: str, file: Path) -> None:
    try:
        with rasterio.open(file) as source:
            tags, bands = source.tags(), source.descriptions
    except RasterioError as error:
        raise InputError(file, f"cannot be read ({error})", "remove it, and start again") from error
    if layer == "image" and not domain.bands:
        domain.bands = [name or str(number) for number, name in enumerate(bands, 1)]
    if layer == "landcover" and not domain.classes:
        domain.classes = json.loads(tags.get(CLASSES, "[]"))
    if REMARK in tags:
        domain.remarks.append(f"{split}/{layer}/{file.name}: {tags[REMARK]}")


def _sizes(split: _Split) -> str:
    sizes = sorted({(grid.width, grid.height) for grid in split.grids})
    if not sizes:
        return "-"
    (w, h), (wide, high) = sizes[0], sizes[-1]
    return f"{w} x {h}" if len(sizes) == 1 else f"{w} x {h} to {wide} x {high}"


def _gsd(split: _Split) -> str:
    found = sorted({f"{grid.gsd:.4g}" for grid in split.grids}, key=float)
    return " to ".join(dict.fromkeys([*found[:1], *found[-1:]])) or "-"


def _crs(split: _Split) -> str:
    return ", ".join(sorted({grid.crs.to_string() for grid in split.grids})) or "-"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "-"


def _table(domain: _Domain, title: str, rows: dict[str, list[str]]) -> list[str]:
    names = list(domain.splits)
    lines = ["", f"## {title}", "", f"| | {' | '.join(names)} |", f"| --- |{' --- |' * len(names)}"]
    return [*lines, *(f"| {row} | {' | '.join(cells)} |" for row, cells in rows.items())]


def _known(domain: _Domain) -> list[str]:
    splits = domain.splits.values()
    called = {"image": "orthophoto", "landcover": "land cover", "height": "heights"}
    rows = {
        called[layer]: [_share(split.known[layer], split.pixels[layer]) for split in splits]
        for layer in LAYERS
    }
    return _table(domain, "Known pixels", rows)


def _classes(domain: _Domain) -> list[str]:
    if not domain.classes:
        return []
    rows = {
        f"{number} {name}": [
            _share(int(split.classes[number]), split.known["landcover"])
            for split in domain.splits.values()
        ]
        for number, name in enumerate(domain.classes)
    }
    return _table(domain, "Classes, of known pixels", rows)


def _heights(domain: _Domain) -> list[str]:
    splits = list(domain.splits.values())
    if not any(split.heights.count for split in splits):
        return []
    columns = [
        [f"{height:.2f}" for height in split.heights.quantiles(QUANTILES)]
        if split.heights.count
        else ["-"] * len(QUANTILES)
        for split in splits
    ]
    rows = {
        f"{share:.0%}": [column[number] for column in columns]
        for number, share in enumerate(QUANTILES)
    }
    return _table(domain, "Quantiles of heights above ground (m)", rows)
