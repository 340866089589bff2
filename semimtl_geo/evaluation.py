"""Scores of maps against the truth: whole scenes, in the task's unit, as a user would get them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window
from torchmetrics import Metric

from semimtl_geo.inputs import Bands
from semimtl_geo.mapping import Mapper
from semimtl_geo.tasks import Task
from tiles.errors import InputError
from tiles.scenes import raster_files
from tiles.warp import warped

ROWS = 1024
"""Rows compared at a time."""

Scores = dict[str, dict[str, float]]
"""``{task: {score: value}}``."""


def evaluate(
    mapper: Mapper,
    scenes: str | Path,
    maps: str | Path,
    domain: str | None = None,
    bands: Bands | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Map every scene of a folder and score the maps against the labels that are there.

    Args:
        mapper: The network.
        scenes: Folder with ``image/`` and, for each task that is to be scored, its labels.
        maps: Folder for the maps.
        domain: Take this training domain's BatchNorm statistics. If None, and the network has
            statistics per domain and none of its own choice, they are re-estimated on all the
            images together.
        bands: Numbers or names of the bands that the network wants.
        progress: Called with scenes done and scenes in all.

    Returns:
        Per task with labels, its scores over all pixels of all scenes.

    Raises:
        InputError: If there are no images, or no labels at all, or one does not fit.
    """
    scenes = Path(scenes)
    images = raster_files(scenes / "image")
    if not images:
        raise InputError(scenes, "has no image/*.tif", "give a folder with scenes")
    tasks = [task for task in mapper.card.tasks if (scenes / task.name).is_dir()]
    if not tasks:
        names = " or ".join(f"{task.name}/" for task in mapper.card.tasks)
        raise InputError(scenes, "has no labels to compare with", f"put them in {names}")
    for task in tasks:
        for image in images:
            if not (truth := scenes / task.name / image.name).is_file():
                raise InputError(truth, "no such file", f"every image needs its {task.name}")
    if domain is not None:
        mapper = mapper.for_domain(domain)
    elif mapper.chooses:
        mapper = mapper.adapt(images, bands)
    metrics = {task.name: task.scores() for task in tasks}
    for done, image in enumerate(images, start=1):
        made = mapper.map(image, maps, bands=bands)
        for task in tasks:
            truth = scenes / task.name / image.name
            compare(Path(made[task.name].encoding["source"]), truth, task, metrics[task.name])
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


def _read(source: rasterio.DatasetReader, window: Window, task: Task) -> NDArray[np.generic]:
    """Rows of a label raster as in a batch: 255 or NaN where nobody knows."""
    data = source.read(1, window=window)
    known = source.dataset_mask(window=window) > 0
    if task.kind == "segmentation":
        return np.where(known, data, 255).astype(np.int64)
    return np.where(known, data, np.nan).astype(np.float32)
