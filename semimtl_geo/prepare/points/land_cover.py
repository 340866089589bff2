"""Land cover from laser points and an image: by a programme's classes, or by rules."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import ndimage, signal

from semimtl_geo.class_schemes import TOWNS
from semimtl_geo.prepare.points.cells import Cells
from semimtl_geo.prepare.points.scene_image import SceneImage
from tiles.types import UNKNOWN_CLASS, BoolArray, Float32Array, Float64Array, UInt8Array

IMPERVIOUS, BUILDING, LOW_VEGETATION, TREE, _, WATER = range(len(TOWNS.names))

VEGETATION_CODES: Final = (3, 4, 5)
BUILDING_CODE: Final = 6
WATER_CODE: Final = 9
"""Classes of the LAS specification, version 1.4 R15, table 17: low, medium and high vegetation."""

RAISED: Final = 2.2
"""Metres above ground from which something is a building or a tree."""

LOW: Final = 1.0
"""Metres above ground up to which something is ground. What is between is unknown."""

ROUGH: Final = 0.3
"""Metres by which the surface of trees deviates from planes of 1.5 m; roofs deviate less."""

LATER: Final = 0.05
"""Share of later returns in trees; roofs have fewer."""

BIN: Final = 0.02
SMOOTHING: Final = 0.08
PROMINENCE: Final = 0.1
"""Histogram of log ratios: width of its bins, standard deviation of its smoothing, and the height
of peaks over the valleys beside them, as a share of the highest peak."""

MARGIN: Final = 0.1
"""Low ground is unknown if its log ratio of near infrared to red is this close to the threshold."""

MIN_BUILDING: Final = 10.0
"""Area in square metres below which a flat raised patch is part of a tree."""

MIN_WATER: Final = 1000.0
"""Area in square metres from which level ground is water."""

LEVEL: Final = 0.003
"""Slope in metres per metre below which ground is level."""


def vegetation_ratio(cells: Cells, image: SceneImage) -> Float64Array:
    """Return the logarithm of near infrared over red, averaged over 3 x 3 cells.

    Like the NDVI, a function of the same ratio, it is high for vegetation. Without a near infrared
    band, the intensity of the laser takes its place, whose wavelength of 1064 nm is in the near
    infrared; its unknown gain adds a constant.

    Args:
        cells: The cells.
        image: The image in the same cells.

    Returns:
        float64 [H, W], NaN where unknown.
    """
    near = image.band("nir") if "nir" in image.bands else cells.intensity
    logarithms = (np.log(np.maximum(_mean(band, 3), 0.5)) for band in (near, image.band("red")))
    infrared, red = logarithms
    return np.asarray(infrared - red)


def vegetation_threshold(ratios: Float64Array) -> float:
    """Return the ratio that separates vegetation from other low ground.

    Vegetation is the peak of the histogram with the highest ratio, and what lies less than two of
    its standard deviations below. Other ground is no single peak: asphalt, gravel and soil differ.
    The standard deviation is that of the peak's upper side, on which nothing else lies.

    Args:
        ratios: Values of :func:`vegetation_ratio` on low ground with some vegetation, float64 [N].

    Example:
        >>> random = np.random.default_rng(0)
        >>> lawns, streets = random.normal(0.4, 0.2, 5000), random.uniform(-2, 0, 9000)
        >>> -0.15 < vegetation_threshold(np.concatenate([lawns, streets])) < 0.15
        True
    """
    edges = np.arange(ratios.min() - 0.5, ratios.max() + 0.5, BIN)
    counts, _ = np.histogram(ratios, edges)
    smooth = ndimage.gaussian_filter1d(counts.astype(np.float64), SMOOTHING / BIN)
    peaks, _ = signal.find_peaks(smooth, prominence=PROMINENCE * smooth.max())
    peak = edges[peaks[-1]] + BIN / 2
    above = ratios[ratios >= peak]
    return float(peak - 2 * max(np.sqrt(np.mean((above - peak) ** 2)), SMOOTHING))


def classify(
    cells: Cells,
    heights: Float32Array,
    closed: Float32Array,
    terrain: Float32Array,
    image: SceneImage,
    threshold: float,
    coded: bool,
    gsd: float,
) -> UInt8Array:
    """Classify the cells.

    Args:
        cells: The cells.
        heights: Heights above ground in metres, float32 [H, W].
        closed: Heights without the pits of crowns, float32 [H, W]. A pit in a tree is a tree.
        terrain: Terrain in metres, float32 [H, W].
        image: The image in the same cells.
        threshold: Value of :func:`vegetation_ratio` above which low ground is vegetation.
        coded: Whether the programme classifies vegetation or buildings. If it does, its classes
            decide on what is raised; else roughness, later returns and greenness do.
        gsd: Width of a cell in metres.

    Returns:
        Indices of :data:`~semimtl_geo.class_schemes.TOWNS`, uint8 [H, W]; 255 where unknown.
    """
    classes = np.full(heights.shape, UNKNOWN_CLASS, np.uint8)
    low = heights < LOW
    ratio = vegetation_ratio(cells, image)
    classes[low & (ratio > threshold + MARGIN)] = LOW_VEGETATION
    classes[low & (ratio < threshold - MARGIN)] = IMPERVIOUS
    classes[low & _is_level(terrain, gsd)] = WATER
    raised = heights > RAISED
    if coded:
        codes = _spread(cells)
        classes[raised & np.isin(codes, VEGETATION_CODES)] = TREE
        classes[(heights > LOW) & (codes == BUILDING_CODE)] = BUILDING
        classes[low & (codes == VEGETATION_CODES[0])] = LOW_VEGETATION
        classes[codes == WATER_CODE] = WATER
    else:
        building = raised & ~_are_trees(cells, heights, image, ratio > threshold, gsd)
        classes[raised] = TREE
        classes[building] = BUILDING
    crowns = ndimage.binary_closing(classes == TREE, iterations=max(1, round(1 / gsd)))
    classes[crowns & (closed > RAISED) & (classes != BUILDING)] = TREE
    return classes


def _are_trees(
    cells: Cells,
    heights: Float32Array,
    image: SceneImage,
    vegetation: BoolArray,
    gsd: float,
) -> BoolArray:
    """Return which raised cells are trees, by a vote of three signs over 5 x 5 cells."""
    score = np.log(_roughness(heights) / ROUGH + 1e-3)
    returns = ndimage.uniform_filter(cells.returns.astype(np.float64), 9)
    later = ndimage.uniform_filter(cells.later.astype(np.float64), 9)
    score += 8 * (later / np.maximum(returns, 1e-6) - LATER)
    if "green" in image.bands:
        score += 0.5 * np.nan_to_num(_greenness(image, heights < LOW, vegetation))
    raised = heights > RAISED
    votes = ndimage.uniform_filter((raised & (score > 0)).astype(np.float64), 5)
    trees: BoolArray = raised & (votes > 0.5 * ndimage.uniform_filter(raised.astype(float), 5))
    flat = raised & ~trees
    return trees | (flat & ~_large_patches(flat, MIN_BUILDING, gsd))


def _roughness(heights: Float32Array) -> Float64Array:
    """Return the deviation from a plane through 3 x 3 cells: its median over 7 x 7 cells.

    The median leaves out the edges of roofs, where the surface steps.
    """
    known = np.nan_to_num(heights, nan=0.0).astype(np.float64)
    ones, steps = np.ones(3), np.array([-1.0, 0.0, 1.0])
    mean = ndimage.uniform_filter(known, 3)
    variance = ndimage.uniform_filter(known**2, 3) - mean**2
    for down, along in ((steps, ones), (ones, steps)):
        slope = ndimage.correlate1d(ndimage.correlate1d(known, down, 0), along, 1) / 6
        variance -= slope**2 * 6 / 9
    return ndimage.median_filter(np.sqrt(np.maximum(variance, 0)), 7)


def _greenness(image: SceneImage, low: BoolArray, vegetation: BoolArray) -> Float64Array:
    """Return green against red, scaled so that low vegetation has 0.5 and other ground -0.5."""
    red, green = (image.band(name).astype(np.float64) for name in ("red", "green"))
    index = _mean((green - red) / (green + red + 1), 5)
    known = low & np.isfinite(index)
    if not ((known & vegetation).any() and (known & ~vegetation).any()):
        return np.zeros(low.shape)
    plants, others = (np.median(index[known & chosen]) for chosen in (vegetation, ~vegetation))
    return np.clip((index - (plants + others) / 2) / max(plants - others, 0.02), -2, 2)


def _is_level(terrain: Float32Array, gsd: float) -> BoolArray:
    """Return which cells lie in level patches of water's size: the terrain is flat over 10 m."""
    known = np.isfinite(terrain)
    if not known.any():
        return known
    filled = np.where(known, terrain, np.nanmin(terrain)).astype(np.float64)
    reach = max(1, round(5 / gsd))
    span = 2 * reach + 1
    range_ = ndimage.maximum_filter(filled, span) - ndimage.minimum_filter(filled, span)
    level = known & (range_ <= LEVEL * 2 * reach * gsd)
    level = ndimage.binary_dilation(level, iterations=reach) & known
    return _large_patches(level, MIN_WATER, gsd)


def _large_patches(chosen: BoolArray, area: float, gsd: float) -> BoolArray:
    """Return the chosen cells that lie in connected patches of at least an area in m²."""
    patches, _ = ndimage.label(chosen)
    large = np.bincount(patches.ravel()) * gsd**2 >= area
    large[0] = False
    found: BoolArray = large[patches]
    return found


def _spread(cells: Cells) -> UInt8Array:
    """Return the programme's classes; empty cells take that of the nearest cell with returns."""
    empty = cells.returns == 0
    nearest = ndimage.distance_transform_edt(empty, return_distances=False, return_indices=True)
    codes: UInt8Array = cells.classes[nearest[0], nearest[1]]
    return codes


def _mean(values: Float32Array | Float64Array, size: int) -> Float64Array:
    """Return the mean of the known values in windows of cells, NaN without any."""
    known = np.isfinite(values)
    total = ndimage.uniform_filter(np.where(known, values, 0).astype(np.float64), size)
    share = ndimage.uniform_filter(known.astype(np.float64), size)
    return np.where(share > 1e-9, total / np.maximum(share, 1e-9), np.nan)
