"""Scores of maps against labels, over whole scenes or frames and in the task's unit."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import rasterio
import torch
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window

from semimtl_geo.mapping.dataset import map_files
from semimtl_geo.mapping.frames import adapt_to_frames, frame_bands, map_frame
from semimtl_geo.mapping.mapper import Mapper
from semimtl_geo.streetview.dataset import check_size
from semimtl_geo.streetview.files import frame_files, label_file, read_labels
from semimtl_geo.tasks import Task
from tiles.datasets.rasters import raster_files
from tiles.errors import InputError, MissingFileError, input_errors
from tiles.grid import PixelGrid
from tiles.reading.raster import UNKNOWN_MAGNITUDE, Raster
from tiles.reading.vrt import warped_vrt
from tiles.types import UNKNOWN_CLASS, BandSelection, ProgressCallback

if TYPE_CHECKING:
    from torchmetrics import Metric

ROWS = 1024
"""Rows of a map that are compared at a time."""

SAMPLED: Final = 512
"""Rows and columns of a label raster that are looked at before it is compared."""

Scores = dict[str, dict[str, float]]
"""Values by task and by name of the score."""


def evaluate(
    mapper: Mapper,
    scenes: str | Path,
    maps: str | Path,
    domain: str | None = None,
    bands: BandSelection | None = None,
    progress: ProgressCallback | None = None,
) -> Scores:
    """Map every scene or frame of a folder and score the maps against its labels.

    Args:
        mapper: The network.
        scenes: Folder with ``image/`` and, for each task that is to be scored, a folder of labels.
            PNG images are frames of street views, which are predicted one by one.
        maps: Folder for the maps.
        domain: Use the BatchNorm statistics of this training domain. If None, and the network has
            statistics per domain and none are chosen, they are re-estimated on all images together.
        bands: Numbers or names of the bands that the network wants.
        progress: Called with the number of scenes or frames done, and of all.

    Returns:
        Scores of each task that has labels, over all pixels of all scenes or frames.

    Raises:
        InputError: If there are no images or no labels, or one of them does not fit.

    Example:
        >>> from semimtl_geo import Mapper
        >>> from semimtl_geo.mapping import evaluate
        >>> scores = evaluate(Mapper.load("semimtl.ckpt"), "data/city_b/test", "maps")
        >>> sorted(scores)
        ['height', 'landcover']
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
    by_name = {task.name: task for task in tasks}
    for (name, _), truth in truths.items():
        if not truth.is_file():
            raise MissingFileError(truth, "no such file", f"every image needs its {name}")
        if not frames:
            Raster(truth).close()  # raises an error before anything is mapped if it cannot be used
            _refuse_faults(truth, by_name[name])
    numbers = frame_bands(mapper, images[0], bands) if frames else []
    if domain is not None:
        mapper = mapper.for_domain(domain)
    elif mapper.needs_statistics and frames:
        mapper = adapt_to_frames(mapper, scenes, numbers)
    elif mapper.needs_statistics:
        mapper = mapper.adapt(images, bands)
    metrics = {task.name: task.scores() for task in tasks}
    blank = []
    for done, image in enumerate(images, start=1):
        made: Mapping[str, Path]
        if frames:
            made = map_frame(mapper, image, maps, numbers)
        else:
            made = map_files(mapper.map(image, maps, bands=bands))
        for task in tasks:
            truth = truths[task.name, image]
            update = update_with_frame if frames else update_with_map
            if not update(made[task.name], truth, task, metrics[task.name]):
                blank.append(truth)
        if progress is not None:
            progress(done, len(images))
    scores = {
        name: {score: float(value) for score, value in metric.compute().items()}
        for name, metric in metrics.items()
    }
    for name, found in scores.items():
        if all(math.isnan(value) for value in found.values()):
            raise InputError(
                scenes / name, "has no known pixel in any image", "check extents and nodata values"
            )
    for truth in blank:
        warnings.warn(f"{truth}: no known pixel in its image, so it is not scored", stacklevel=2)
    return scores


def _refuse_faults(truth: Path, task: Task) -> None:
    """Check evenly spaced values of a label raster.

    Raises:
        InputError: If they cannot be labels of the task.
    """
    with (
        input_errors(truth, "cannot be read", "replace the file", RasterioError),
        rasterio.open(truth) as source,
    ):
        shape = min(SAMPLED, source.height), min(SAMPLED, source.width)
        values = source.read(1, out_shape=shape).astype(np.float32)
        known = source.dataset_mask(out_shape=shape) > 0
    sample = values[known & (np.abs(values) < UNKNOWN_MAGNITUDE)]
    if sample.size:
        for finding in task.label_findings(sample, float(sample.min())):
            if finding.severe:
                raise InputError(truth, finding.fault, finding.remedy)


def update_with_map(made: Path, truth: Path, task: Task, metric: Metric) -> bool:
    """Update a metric with a map and its labels, which are warped to the map's grid.

    Args:
        made: The map.
        truth: The labels.
        task: Task of both.
        metric: The metric.

    Returns:
        Whether any pixel of the labels is known.

    Raises:
        InputError: If the labels cannot be read, have no CRS, or hold values that are no labels.
    """
    with (
        input_errors(truth, "cannot be compared", "replace the file", RasterioError),
        rasterio.open(made) as prediction,
        rasterio.open(truth) as source,
    ):
        if source.crs is None:
            raise InputError(truth, "has no CRS", "assign one, with gdal_edit -a_srs for example")
        known = False
        with on_grid(source, prediction) as target:
            for top in range(0, prediction.height, ROWS):
                rows = min(ROWS, prediction.height - top)
                window = Window(0, top, prediction.width, rows)
                labels = torch.from_numpy(read_pixels(target, window, task))
                if fault := task.label_fault(labels):
                    remedy = "correct the labels, or declare the value as nodata"
                    raise InputError(truth, fault, remedy)
                known = known or _any_known(labels)
                metric.update(torch.from_numpy(read_pixels(prediction, window, task)), labels)
    return known


def update_with_frame(made: Path, truth: Path, task: Task, metric: Metric) -> bool:
    """Update a metric with the map of a frame and its labels.

    Args:
        made: The map.
        truth: The labels.
        task: Task of both.
        metric: The metric.

    Returns:
        Whether any pixel of the labels is known.

    Raises:
        InputError: If the labels cannot be read, have another size, or hold values that are no
            labels.
    """
    prediction, labels = (_read_frame(path, task) for path in (made, truth))
    check_size(truth, labels, prediction)
    target = torch.from_numpy(labels)
    if fault := task.label_fault(target):
        raise InputError(truth, fault, "correct the labels")
    metric.update(torch.from_numpy(prediction), target)
    return _any_known(target)


def _any_known(labels: torch.Tensor) -> bool:
    return bool((labels.isfinite() & (labels != UNKNOWN_CLASS)).any())


def _read_frame(path: Path, task: Task) -> NDArray[np.generic]:
    return task.mask_unknown(read_labels(path, task.label_kind))


def _truth(folder: Path, task: Task, image: Path, frame: bool) -> Path:
    """Return the file of an image's labels."""
    if frame:
        return label_file(folder, task.name, image, task.label_kind)
    return folder / task.name / image.name


def on_grid(labels: rasterio.DatasetReader, grid: PixelGrid | rasterio.DatasetReader) -> Any:
    """Open labels on another grid, or on that of an open map, by nearest-neighbour resampling."""
    return warped_vrt(
        labels,
        crs=grid.crs,
        transform=grid.transform,
        width=grid.width,
        height=grid.height,
        resampling=Resampling.nearest,
    )


def read_pixels(source: rasterio.DatasetReader, window: Window, task: Task) -> NDArray[np.generic]:
    """Read a window of a map or of labels as in a batch: 255 or NaN where a pixel is unknown."""
    data = source.read(1, window=window)
    known = (source.dataset_mask(window=window) > 0) & (np.abs(data) < UNKNOWN_MAGNITUDE)
    return task.mask_unknown(data, known)
