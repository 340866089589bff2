"""Maps of street views: each frame is predicted at once and written as an image of its size."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import torch
from rasterio.errors import NotGeoreferencedWarning
from torch import Tensor

from semimtl_geo.mapping.adaptation import SAMPLE_CROPS
from semimtl_geo.mapping.input_bands import find_input
from semimtl_geo.mapping.mapper import Mapper
from semimtl_geo.mapping.predictor import Predictor
from semimtl_geo.streetview.dataset import Frames, RandomCrops
from semimtl_geo.streetview.files import read_image, write_png, write_values
from tiles.types import BandSelection

BATCH: Final = 8
"""Crops per batch for BatchNorm statistics, each of another frame."""


def frame_bands(mapper: Mapper, image: Path, bands: BandSelection | None = None) -> list[int]:
    """Return the numbers of the bands of a frame that the network wants.

    Args:
        mapper: The network.
        image: The frame.
        bands: Bands that the network wants, see :func:`find_input`.

    Raises:
        InputError: If the frame has other bands.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # no frame is georeferenced
        numbers, _ = find_input([image], mapper.card, bands)
    return numbers or [1, 2, 3]


def adapt_to_frames(mapper: Mapper, folder: Path, bands: Sequence[int]) -> Mapper:
    """Return the network with BatchNorm statistics re-estimated on frames, without labels.

    Args:
        mapper: The network.
        folder: Folder with ``image/*.png``. Of many frames, 96 random crops are read.
        bands: Numbers of the bands that the network wants.

    Returns:
        A copy; the given mapper stays as it is.

    Raises:
        InputError: If a frame cannot be used.
    """
    # As in training: crops of that size, a batch of them from different frames.
    frames = Frames(folder, {}, bands, mapper.card.crop)
    queries = iter(RandomCrops(len(frames), frames.crop, SAMPLE_CROPS, seed=0))

    def batches() -> Iterator[Tensor]:
        while batch := list(islice(queries, BATCH)):
            yield torch.stack([frames[query]["image"] for query in batch])

    return mapper.with_statistics_of(batches(), "frames")


def map_frame(mapper: Mapper, image: Path, out: Path, bands: Sequence[int]) -> dict[str, Path]:
    """Predict a frame, all of it at once.

    Args:
        mapper: The network.
        image: The frame, a PNG.
        out: Folder for ``<frame>_<task>.png`` (classes, with a palette) or ``.tif`` (values).
        bands: Numbers of the bands that the network wants.

    Returns:
        The files by task; images have the size of the frame.

    Raises:
        InputError: If the frame cannot be read, or a file cannot be written.
    """
    pixels = np.moveaxis(read_image(image)[..., [number - 1 for number in bands]], -1, 0)
    predict = Predictor(
        mapper.card,
        mapper.generator,
        device=mapper.device,
        scale=255.0,
        precision=mapper.precision_on(),
    )
    predictions = predict(torch.from_numpy(np.ascontiguousarray(pixels)).float()[None])
    files = {}
    for task in mapper.card.tasks:
        layer = task.layer()
        decision = task.decide(predictions[task.name])[0].cpu().numpy()
        colors = layer.colormap()
        if colors is not None:
            files[task.name] = out / f"{image.stem}_{task.name}.png"
            palette = [color[:3] for color in colors.values()]
            write_png(files[task.name], decision.astype(np.uint8), palette)
        else:
            files[task.name] = out / f"{image.stem}_{task.name}.tif"
            write_values(files[task.name], decision.astype(np.float32))
    return files
