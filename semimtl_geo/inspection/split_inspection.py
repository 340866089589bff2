"""Inspection of one domain and split: statistics of its layers, faults and remarks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from semimtl_geo.inspection.layer_statistics import (
    Extents,
    LayerStatistics,
    read_file,
)
from semimtl_geo.tasks import Finding, Task, tasks_by_label
from tiles.datasets.rasters import raster_files
from tiles.errors import InputError
from tiles.reading.raster import HIGHEST_COLOUR, LOWEST_COLOUR
from tiles.types import BandSelection, ProgressCallback

TRAINING_ROWS: Final = 1024
"""Rows of each file that are read before training."""

TWELVE_BITS: Final = 4096
"""Sensors of 12 bits have values below this, also in files of 16 bits."""

LISTED: Final = 5
"""Faults that an error names."""


@dataclass(frozen=True)
class Remark:
    """A finding about a file or folder.

    Example:
        >>> finding = Finding("has one colour alone", "check it", severe=False)
        >>> print(Remark(Path("a.tif"), finding))
        a.tif: has one colour alone; check it
    """

    path: Path
    finding: Finding

    def __str__(self) -> str:
        """Return the line of an error message."""
        return f"{self.path}: {self.finding.fault}; {self.finding.remedy}"


@dataclass(frozen=True)
class SplitInspection:
    """Statistics of the layers of one domain and split, and remarks on them.

    Attributes:
        folder: The split's folder.
        layers: Statistics by layer: ``image``, and the labels of each task.
        covered: Share of the images' area that each label covers.
        remarks: Remarks on what is wrong or odd.

    Example:
        >>> from semimtl_geo.tasks import Depth
        >>> inspection = inspect_split(Path("data/city_b/train"), [Depth()])
        >>> inspection.layers["image"].files[0].dtype, inspection.remarks
        (dtype('uint8'), ())
    """

    folder: Path
    layers: dict[str, LayerStatistics]
    covered: dict[str, float]
    remarks: tuple[Remark, ...]

    @property
    def faults(self) -> list[Remark]:
        """Remarks on what makes training useless."""
        return [remark for remark in self.remarks if remark.finding.severe]


def inspect_split(
    folder: Path,
    tasks: Sequence[Task],
    bands: BandSelection | None = None,
    rows: int | None = None,
    progress: ProgressCallback | None = None,
) -> SplitInspection:
    """Look at the scenes of one domain and split.

    Args:
        folder: Folder with ``image/`` and a folder of labels for each task.
        tasks: Tasks whose labels are to be looked at; those without a folder are left out.
        bands: Numbers or names of the image's bands; all except alpha if None.
        rows: Number of rows to read of each file; all of them if None.
        progress: Called with the number of files that were read, and of all.

    Raises:
        InputError: If there are no images.

    Example:
        >>> from semimtl_geo.tasks import Depth
        >>> found = inspect_split(Path("data/city_b/train"), [Depth()])
        >>> sorted(found.layers), found.covered, found.faults
        (['height', 'image'], {'height': 1.0}, [])
    """
    labels = tasks_by_label([task for task in tasks if (folder / task.label).is_dir()])
    files = {name: raster_files(folder / name) for name in ("image", *labels)}
    if not (folder / "image").is_dir():
        raise InputError(folder / "image", "no such folder", "put the images there")
    if not files["image"]:
        raise InputError(folder / "image", "holds no .tif files", "put the images there")
    total, done = sum(map(len, files.values())), 0
    layers: dict[str, LayerStatistics] = {}
    remarks: list[Remark] = []
    for name, paths in files.items():
        found = []
        for path in paths:
            try:
                found.append(read_file(path, bands if name == "image" else [1], rows))
            except InputError as error:
                remarks.append(Remark(path, Finding(error.fault, error.remedy)))
            done += 1
            if progress is not None:
                progress(done, total)
        bands_of_most = _commonest([file.bands for file in found])
        layers[name] = LayerStatistics(tuple(f for f in found if f.bands == bands_of_most))
        for file in found:
            if file.bands != bands_of_most:
                fault = f"has {file.bands} bands, most of the others {bands_of_most}"
                remarks.append(Remark(file.path, Finding(fault, "choose bands, or remove it")))
    remarks += _image_remarks(layers["image"], folder / "image")
    covered = {}
    for name, task in labels.items():
        if not files[name]:
            remedy = "put the labels there"
            remarks.append(Remark(folder / name, Finding("holds no .tif files", remedy)))
        if not layers[name].files or not layers["image"].files:
            continue
        remarks += _label_remarks(layers[name], task, folder / name)
        covered[name] = _coverage(layers["image"], layers[name])
        remarks += _overlap_remarks(layers["image"], layers[name], covered[name], folder / name)
    return SplitInspection(folder, layers, covered, tuple(remarks))


def check_for_training(
    folder: Path, tasks: Sequence[Task], bands: BandSelection | None = None
) -> list[Remark]:
    """Refuse scenes that nothing useful can be learnt from; reads a part of each file.

    Args:
        folder: Folder of the training scenes of a domain.
        tasks: Tasks whose labels are used.
        bands: Numbers of the bands that are used.

    Returns:
        Remarks on what is odd.

    Raises:
        InputError: If there are faults; its one line names up to five of them.

    Example:
        >>> from semimtl_geo.tasks import Depth
        >>> check_for_training(Path("data/city_b/train"), [Depth()])
        []
    """
    found = inspect_split(folder, tasks, bands, TRAINING_ROWS)
    refuse_faults(found.faults)
    return list(found.remarks)


def refuse_faults(faults: Sequence[Remark]) -> None:
    """Raise one error that lists the first faults; do nothing if there are none.

    Args:
        faults: Remarks on what cannot be right.

    Raises:
        InputError: If there is a fault.

    Example:
        >>> from semimtl_geo.tasks import Depth
        >>> refuse_faults(inspect_split(Path("data/city_b/train"), [Depth()]).faults)
    """
    if faults:
        first, *others = faults
        more = [str(remark) for remark in others[: LISTED - 1]]
        if len(faults) > LISTED:
            more.append(f"and {len(faults) - LISTED} more faults")
        remedy = " | ".join([first.finding.remedy, *more])
        raise InputError(first.path, first.finding.fault, remedy)


def _commonest(values: Sequence[Any]) -> Any:
    """Return the commonest value, the first of several; None if there is none."""
    return Counter(values).most_common(1)[0][0] if values else None


def _common_remarks(layer: LayerStatistics, folder: Path) -> Iterator[Remark]:
    """Yield remarks on files without known pixels, and on those with infinite ones."""
    if not layer.files:
        return
    blank = [file for file in layer.files if not file.known]
    if len(blank) == len(layer.files):
        remedy = "check nodata values and masks"
        yield Remark(folder, Finding("has no known pixel in any file", remedy))
    else:
        for file in blank:
            yield Remark(file.path, Finding("has no known pixel", "remove it, or check it", False))
    for file in layer.files:
        if file.beyond:
            fault = f"has {file.beyond} pixels that are infinite or nearly so"
            yield Remark(file.path, Finding(fault, "they count as unknown", severe=False))


def _image_remarks(layer: LayerStatistics, folder: Path) -> Iterator[Remark]:
    yield from _common_remarks(layer, folder)
    common = _commonest([str(file.dtype) for file in layer.files])
    for file in layer.files:
        if str(file.dtype) != common:
            fault = f"holds {file.dtype}, most of the others {common}"
            remedy = "convert it: values are divided by the largest one of their type"
            yield Remark(file.path, Finding(fault, remedy))
        if not len(file.sample):
            continue
        top = float(np.percentile(file.sample, 99))
        if file.dtype.kind == "f" and not LOWEST_COLOUR <= file.low <= top <= HIGHEST_COLOUR:
            fault = f"holds floats from {file.low:.3g} to {file.high:.3g}, which are read as 0 to 1"
            yield Remark(file.path, Finding(fault, "divide them, or convert them to integers"))
        elif file.dtype == np.uint16 and file.high < TWELVE_BITS:
            fault = f"holds values up to {file.high:.0f} of 65535, and is read as very dark"
            remedy = "stretch it to the whole range, with gdal_translate -scale for example"
            yield Remark(file.path, Finding(fault, remedy, severe=False))
        if file.low == file.high:
            yield Remark(file.path, Finding("has one colour alone", "check it", severe=False))


def _label_remarks(layer: LayerStatistics, task: Task, folder: Path) -> Iterator[Remark]:
    yield from _common_remarks(layer, folder)
    for file in layer.files:
        if len(file.sample):
            for finding in task.label_findings(file.sample[:, 0], file.low):
                yield Remark(file.path, finding)


def _coverage(images: LayerStatistics, labels: LayerStatistics) -> float:
    """Return the share of the images' area that labels cover."""
    extents = Extents(labels)
    covered = sum(extents.share_of(file.grid) * file.hectares for file in images.files)
    return covered / images.hectares


def _overlap_remarks(
    images: LayerStatistics, labels: LayerStatistics, covered: float, folder: Path
) -> Iterator[Remark]:
    if covered == 0:
        fault = "does not overlap any image"
        yield Remark(folder, Finding(fault, "check the georeferences of both"))
        return
    extents = Extents(labels)
    for file in images.files:
        if extents.share_of(file.grid) == 0:
            fault = f"has no {folder.name}, and is left out of training"
            yield Remark(file.path, Finding(fault, "check its georeference", severe=False))
    extents = Extents(images)
    for file in labels.files:
        if extents.share_of(file.grid) == 0:
            fault = "does not overlap any image"
            yield Remark(file.path, Finding(fault, "check its georeference", severe=False))
