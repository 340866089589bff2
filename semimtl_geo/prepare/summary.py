"""Summary of a domain in Markdown, from its files alone, so that a resumed run writes the same."""

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
from tiles.errors import input_errors
from tiles.grid import PixelGrid
from tiles.reading.raster import Raster
from tiles.types import ProgressCallback

QUANTILES: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

MIN_BRIGHTEST: Final = 0.25
"""If no pixel of any orthophoto exceeds this share of white, another value is meant to be white."""


class HeightHistogram:
    """Histogram of heights for quantiles to a centimetre, of any number of pixels.

    Heights below -100 m and above 1000 m count as these.
    """

    LOW: Final = -100.0
    HIGH: Final = 1000.0
    STEP: Final = 0.01

    def __init__(self) -> None:
        bins = round((self.HIGH - self.LOW) / self.STEP) + 1
        self._counts = np.zeros(bins, np.int64)

    def add(self, heights: npt.NDArray[Any]) -> None:
        """Add known heights in metres, of any shape."""
        index = np.rint((heights.astype(np.float64).ravel() - self.LOW) / self.STEP)
        inside = np.clip(index, 0, self._counts.size - 1).astype(np.int64)
        self._counts += np.bincount(inside, minlength=self._counts.size)

    @property
    def count(self) -> int:
        """Number of heights that were added."""
        return int(self._counts.sum())

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """Return the heights, in metres, that these shares of all heights do not exceed."""
        cumulative = np.cumsum(self._counts)
        zero = round(-self.LOW / self.STEP)
        return [
            self.STEP * (int(np.searchsorted(cumulative, max(1.0, share * self.count))) - zero)
            for share in shares
        ]


@dataclass
class _SplitStatistics:
    """Statistics of one split; counts of files and pixels are per layer."""

    files: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LAYERS, 0))
    pixels: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LAYERS, 0))
    known: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LAYERS, 0))
    classes: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))
    heights: HeightHistogram = field(default_factory=HeightHistogram)
    grids: list[PixelGrid] = field(default_factory=list)


@dataclass
class _DomainStatistics:
    """Statistics of a domain.

    Attributes:
        splits: Statistics of each split.
        bands: Names of the orthophotos' bands.
        classes: Names of the classes.
        remarks: Remarks on single files.
        brightest: Largest value of any orthophoto, as a share of white.
    """

    splits: dict[str, _SplitStatistics] = field(default_factory=dict)
    bands: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    brightest: float = 0.0


def describe_scenes(
    folder: Path, title: str, notes: Sequence[str], progress: ProgressCallback
) -> str:
    """Describe the scenes of a domain.

    Args:
        folder: Folder of the domain, with ``train/``, ``val/`` and ``test/``.
        title: Title of the summary.
        notes: Facts about the data set, one or more sentences each.
        progress: Called with the number of files read, and of files in all.

    Returns:
        Markdown: scenes per split, bands, ground sampling distance, sizes, shares of classes,
        quantiles of heights, shares of known pixels, and remarks on single files.

    Raises:
        InputError: If a file is damaged.
    """
    domain = _read(folder, progress)
    lines = [f"# {title}", "", *(f"- {note}" for note in notes)]
    lines += [f"- Bands: {', '.join(domain.bands)}."]
    lines += ["", "| split | scenes | with land cover | with heights | size (px) | GSD (m) | CRS |"]
    lines += ["| --- | --- | --- | --- | --- | --- | --- |"]
    for name, split in domain.splits.items():
        counts = " | ".join(str(split.files[layer]) for layer in LAYERS)
        lines.append(f"| {name} | {counts} | {_sizes(split)} | {_gsd(split)} | {_crs(split)} |")
    lines += _known_table(domain) + _class_table(domain) + _height_table(domain)
    if not MIN_BRIGHTEST <= domain.brightest <= 1:
        domain.remarks.append(
            f"The brightest pixel of all orthophotos is {domain.brightest:.3g} times white. If "
            "their values have fewer bits than their type, name the value that is white "
            "(image: {white: 4095} in scenes.yaml)."
        )
    if domain.remarks:
        lines += ["", "## Remarks", "", *(f"- {remark}" for remark in domain.remarks)]
    return "\n".join(lines) + "\n"


def _read(folder: Path, progress: ProgressCallback) -> _DomainStatistics:
    """Read all files of a domain once."""
    # The help of an adapter imports this module, and torchgeo takes seconds to import.
    from tiles.datasets import raster_files

    domain = _DomainStatistics()
    files = [
        (split, layer, file)
        for split in SPLITS
        for layer in LAYERS
        for file in raster_files(folder / split / layer)
    ]
    for number, (split, layer, file) in enumerate(files):
        progress(number, len(files))
        with Raster(file) as raster:
            _count(domain, domain.splits.setdefault(split, _SplitStatistics()), layer, raster)
        _read_tags(domain, split, layer, file)
    progress(len(files), len(files))
    return domain


def _count(domain: _DomainStatistics, split: _SplitStatistics, layer: str, raster: Raster) -> None:
    """Add one raster to the statistics of its split."""
    split.files[layer] += 1
    if layer == "image":
        split.grids.append(raster.grid)
    for rows, columns in windows(raster.grid):
        values, known = raster.read(rows, columns)
        split.pixels[layer] += known.size
        split.known[layer] += int(known.sum())
        if layer == "image" and known.any():
            white = 1 if raster.dtype.kind == "f" else np.iinfo(raster.dtype).max
            brightest = float(values.max(where=known, initial=values.min()))
            domain.brightest = max(domain.brightest, brightest / white)
        elif layer == "landcover":
            split.classes += np.bincount(values[0][known], minlength=256)
        elif layer == "height":
            split.heights.add(values[0][known])


def _read_tags(domain: _DomainStatistics, split: str, layer: str, file: Path) -> None:
    """Read names of bands and classes, and remarks."""
    with (
        input_errors(file, "cannot be read", "remove it and start again", RasterioError),
        rasterio.open(file) as source,
    ):
        tags, bands = source.tags(), source.descriptions
    if layer == "image" and not domain.bands:
        domain.bands = [name or str(number) for number, name in enumerate(bands, 1)]
    if layer == "landcover" and not domain.classes:
        domain.classes = json.loads(tags.get(CLASSES, "[]"))
    if REMARK in tags:
        domain.remarks.append(f"{split}/{layer}/{file.name}: {tags[REMARK]}")


def _sizes(split: _SplitStatistics) -> str:
    sizes = sorted({(grid.width, grid.height) for grid in split.grids})
    if not sizes:
        return "-"
    ends = [f"{width} x {height}" for width, height in (sizes[0], sizes[-1])]
    return " to ".join(dict.fromkeys(ends))


def _gsd(split: _SplitStatistics) -> str:
    values = sorted({f"{grid.gsd:.4g}" for grid in split.grids}, key=float)
    return " to ".join(dict.fromkeys([*values[:1], *values[-1:]])) or "-"


def _crs(split: _SplitStatistics) -> str:
    return ", ".join(sorted({grid.crs.to_string() for grid in split.grids})) or "-"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "-"


def _table(domain: _DomainStatistics, title: str, rows: dict[str, list[str]]) -> list[str]:
    names = list(domain.splits)
    lines = ["", f"## {title}", "", f"| | {' | '.join(names)} |", f"| --- |{' --- |' * len(names)}"]
    return [*lines, *(f"| {row} | {' | '.join(cells)} |" for row, cells in rows.items())]


def _known_table(domain: _DomainStatistics) -> list[str]:
    splits = domain.splits.values()
    titles = {"image": "orthophoto", "landcover": "land cover", "height": "heights"}
    rows = {
        titles[layer]: [_share(split.known[layer], split.pixels[layer]) for split in splits]
        for layer in LAYERS
    }
    return _table(domain, "Known pixels", rows)


def _class_table(domain: _DomainStatistics) -> list[str]:
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


def _height_table(domain: _DomainStatistics) -> list[str]:
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
