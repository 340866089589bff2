"""Heights without a network that predicts them: a constant, and means by predicted land cover."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rasters import read_band

from semimtl_geo.compare.comparison import Comparison, Outcome
from semimtl_geo.compare.table import Row
from semimtl_geo.mapping.dataset import map_files
from semimtl_geo.mapping.mapper import Mapper
from tiles.types import VALUE_NODATA

CONSTANT = "a constant: the mean of its own training scenes"
CLASS_MEANS = "mean heights of predicted classes"

Floats = npt.NDArray[np.float64]


def constant(data: Path, town: str, split: str) -> Row:
    """Score the mean height of a town's training scenes on the scenes of a split."""
    mean = np.concatenate(list(known_heights(data / town / "train"))).mean()
    truth = np.concatenate(list(known_heights(data / town / split)))
    return Row(town, CONSTANT, {"RMSE": rmse(truth - mean), "MAE": float(abs(truth - mean).mean())})


def with_class_means(outcome: Outcome, comparison: Comparison, labelled: str) -> Outcome:
    """Add rows of heights that are looked up on a network's land cover.

    Args:
        outcome: A trained network, and its scores.
        comparison: What it was compared in.
        labelled: The domain whose heights are labelled.
    """
    maps = comparison.folder(outcome.run) / "class_means"
    towns = list(comparison.scenario.supervised)
    mapper, split = Mapper.load(outcome.checkpoint), comparison.scenario.evaluate[labelled]
    title = outcome.run.title
    rows = class_means(mapper, title, comparison.data, labelled, towns, split, maps)
    return replace(outcome, rows=[*outcome.rows, *rows])


def class_means(
    mapper: Mapper, method: str, data: Path, labelled: str, towns: list[str], split: str, maps: Path
) -> list[Row]:
    """Score heights that are looked up on predicted land cover.

    Args:
        mapper: The network that predicts land cover in all towns.
        method: Its name in the table.
        data: Folder of the towns.
        labelled: The town whose heights are labelled: its training scenes give each class a mean.
        towns: The towns to score.
        split: Their scenes.
        maps: Folder for maps.
    """
    sums, counts = np.zeros(256), np.zeros(256)
    for predicted, heights in pairs(mapper, data, labelled, "train", maps):
        sums += np.bincount(predicted, heights, 256)
        counts += np.bincount(predicted, minlength=256)
    means = np.where(counts > 0, sums / counts.clip(1), sums.sum() / counts.sum())
    rows = []
    for town in towns:
        errors = [
            means[predicted] - heights
            for predicted, heights in pairs(mapper, data, town, split, maps)
        ]
        off = np.concatenate(errors)
        scores = {"RMSE": rmse(off), "MAE": float(abs(off).mean())}
        rows.append(Row(town, f"{method}, {CLASS_MEANS}", scores))
    return rows


def pairs(
    mapper: Mapper, data: Path, town: str, split: str, maps: Path
) -> Iterator[tuple[Any, Floats]]:
    """Iterate over predicted classes and true heights of known pixels, [N] each, by scene."""
    network = mapper.for_domain(town)
    for image in sorted((data / town / split / "image").glob("*.tif")):
        made = map_files(network.map(image, maps / town / split))
        heights, known = read_heights(data / town / split / "height" / image.name)
        yield read_band(made["landcover"])[known], heights[known]


def known_heights(folder: Path) -> Iterator[Floats]:
    """Iterate over the known heights of the scenes of a folder, [N] each."""
    for file in sorted((folder / "height").glob("*.tif")):
        heights, known = read_heights(file)
        yield heights[known]


def read_heights(file: Path) -> tuple[Floats, Any]:
    """Read heights, and which are known."""
    heights = read_band(file).astype(np.float64)
    return heights, heights != VALUE_NODATA


def rmse(errors: Floats) -> float:
    """Return the root of the mean square."""
    return math.sqrt(float(np.mean(errors**2)))
