"""Heights as a survey has them: noisy, and smoothed where roofs end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from scipy.ndimage import gaussian_filter

SMEAR = 0.5
"""Deviation of the Gaussian that heights are smoothed by, in metres; noise is as smooth."""


def survey(folder: Path, noise: float) -> None:
    """Replace heights by what would have been measured.

    Args:
        folder: Of the rasters; they hold no nodata.
        noise: Its deviation, in metres.
    """
    for number, file in enumerate(sorted(folder.glob("*.tif"))):
        with rasterio.open(file, "r+") as raster:
            heights, pixels = raster.read(1), SMEAR / raster.res[0]
            grain = np.random.default_rng(number).standard_normal(heights.shape)
            grain = gaussian_filter(grain, pixels)
            measured = gaussian_filter(heights, pixels) + noise / grain.std() * grain
            raster.write(measured.astype(heights.dtype), 1)
