"""Scores of maps against the truth: whole scenes or frames, in the task's unit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window
from torchmetrics import Metric

from semimtl_geo.mapping.frames import adapt_to_frames, frame_bands, map_frame
from semimtl_geo.mapping.mapper import Mapper
from semimtl_geo.streetview.dataset import check_size
from semimtl_geo.streetview.files import frame_files, label_file, read_classes, read_values
from semimtl_geo.tasks import Task
from tiles.datasets.scenes import LabelKind, raster_files
from tiles.errors import InputError
from tiles.reading.raster import Raster
from tiles.reading.warp import warped
from tiles.types import BandSelection, ProgressCallback

ROWS = 1024
"""Rows compared at a time."""

Scores = dict[str, dict[str, float]]
"""``{task: {score: value}}``."""


def evaluate(
    mapper: Mapper,
    scenes: str | Path,
    maps: str | Path,
    domain: str | None = None,
    bands: BandSelection | None = None,
    progress: ProgressCallback | None = None,
) -> Scores:
    """Map every scene or frame of a folder and score the maps against the labels that are there.

    Args:
        mapper: The network.
        scenes: Folder with ``image/`` and, for each task that is to be scored, its labels. PNG
            images are frames of street views, each of which is predicted at once.
        maps: Folder for the maps.
        domain: Take this training domain's BatchNorm statistics. If None, and the network has
            statistics per domain and none of its own choice, they are re-estimated on all the
            images together.
        bands: Numbers or names of the bands that the network wants.
        progress: Called with scenes or frames done, and how many there are.

    Returns:
        Per task with labels, its scores over all pixels of all scenes or frames.

    Raises:
        InputError: If there are no images, or no labels at all, or one does not fit.
    """
    scenes, maps = Path(scenes), Path(maps)
    frames = frame_files(scenes / "image")
    images = frames or raster_files(scenes / "image")
    if not images:
        raise InputError(scenes, "has no image/*.tif or *.png", "give a folder with scenes")
    tasks = [task for task in mapper.card.tasks if (scenes / task.name).is_dir()]
    if not tasks:
        names = " or ".join(f"{task.name}/" for task in mapper.card.tasks)
        raise InputError(scenes, "has no labels to compare with", f"put them in {names}")
    truths = {
        (task.name, image): _truth(scenes, task, image, bool(frames))
        for task in tasks
        for image in images
    }
    for (name, _), truth in truths.items():
        if not truth.is_file():
            raise InputError(truth, "no such file", f"every image needs its {name}")
        if not frames:
            Raster(truth).close()  # says what is wrong with it before anything is mapped
    numbers = frame_bands(mapper, images[0], bands) if frames else []
    if domain is not None:
        mapper = mapper.for_domain(domain)
    elif mapper.chooses and frames:
        mapper = adapt_to_frames(mapper, scenes, numbers)
    elif mapper.chooses:
        mapper = mapper.adapt(images, bands)
    metrics = {task.name: task.scores() for task in tasks}
    for done, image in enumerate(images, start=1):
        made: Mapping[str, Path]
        if frames:
            made = map_frame(mapper, image, maps, numbers)
        else:
            files = mapper.map(image, maps, bands=bands)
            made = {task.name: Path(files[task.name].encoding["source"]) for task in tasks}
        for task in tasks:
            against = compare_frames if frames else compare
            against(made[task.name], truths[task.name, image], task, metrics[task.name])
        if progress is not None:
            progress(done, len(images))
    scores = {
        name: {score: float(value) for score, value in metric.compute().items()}
        for name, metric in metrics.items()
    }
    for name, found in scores.items():
        if all(math.isnan(value) for value in found.values()):
            raise InputError(
                scenes / name, "knows no pixel of the images", "check extents and nodata values"
            )
    return scores


def compare(made: Path, truth: Path, task: Task, metric: Metric) -> None:
    """Add a map and its truth to a metric; the truth is brought onto the map's grid if need be.

    Raises:
        InputError: If the truth cannot be read or has no CRS.
    """
    try:
        with rasterio.open(made) as prediction, rasterio.open(truth) as source:
            if source.crs is None:
                raise InputError(
                    truth, "has no CRS", "assign one, with gdal_edit -a_srs for example"
                )
            with warped(
                source,
                crs=prediction.crs,
                transform=prediction.transform,
                width=prediction.width,
                height=prediction.height,
                resampling=Resampling.nearest,
            ) as target:
                for top in range(0, prediction.height, ROWS):
                    rows = min(ROWS, prediction.height - top)
                    window = Window(0, top, prediction.width, rows)
                    labels = torch.from_numpy(_read(target, window, task))
                    if fault := task.check(labels):
                        raise InputError(truth, fault, "correct the labels, or mark as nodata")
                    metric.update(torch.from_numpy(_read(prediction, window, task)), labels)
    except RasterioError as error:
        raise InputError(truth, f"cannot be compared ({error})", "replace the file") from error


def compare_frames(made: Path, truth: Path, task: Task, metric: Metric) -> None:
    """Add the map of a frame and its truth to a metric.

    Raises:
        InputError: If the truth cannot be read, is of another size, or holds what is no label.
    """
    prediction, labels = (_read_frame(path, task) for path in (made, truth))
    check_size(truth, labels, prediction)
    target = torch.from_numpy(labels)
    if fault := task.check(target):
        raise InputError(truth, fault, "correct the labels")
    metric.update(torch.from_numpy(prediction), target)


def _read_frame(path: Path, task: Task) -> NDArray[np.generic]:
    if task.kind == "segmentation":
        return read_classes(path).astype(np.int64)
    return read_values(path)


def _truth(folder: Path, task: Task, image: Path, frame: bool) -> Path:
    """Where the label of an image is."""
    if frame:
        kind: LabelKind = "classes" if task.kind == "segmentation" else "values"
        return label_file(folder, task.name, image, kind)
    return folder / task.name / image.name


def _read(source: rasterio.DatasetReader, window: Window, task: Task) -> NDArray[np.generic]:
    """Rows of a label raster as in a batch: 255 or NaN where nobody knows."""
    data = source.read(1, window=window)
    known = source.dataset_mask(window=window) > 0
    if task.kind == "segmentation":
        return np.where(known, data, 255).astype(np.int64)
    return np.where(known, data, np.nan).astype(np.float32)
