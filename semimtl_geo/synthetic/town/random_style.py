"""Random styles of towns: layout, season, sun and sensor differ from scene to scene."""

from __future__ import annotations

from typing import Final

import numpy as np

from semimtl_geo.synthetic.town.city_style import CityStyle, Range
from semimtl_geo.synthetic.town.materials import three

BLOCKS: Final = {
    "courtyard": 0.3,
    "slabs": 0.3,
    "villas": 0.5,
    "hall": 0.5,
    "park": 0.3,
    "houses": 1.2,
    "rows": 0.5,
    "shops": 0.5,
    "green": 0.3,
    "woods": 0.6,
    "field": 0.5,
    "car_park": 0.5,
    "river": 0.25,
    "works": 1.0,
}
"""Parameters of a Dirichlet distribution: few types of blocks dominate a scene."""


def random_style(rng: np.random.Generator, gsd: Range = (0.35, 0.6)) -> CityStyle:
    """Draw a town and the sensor that flew over it.

    Args:
        rng: Source of randomness.
        gsd: Smallest and largest ground sampling distance, in metres.

    Returns:
        A style whose ``mixing`` is the identity: the bands are those that the scene is painted in.

    Example:
        >>> style = random_style(np.random.default_rng(0))
        >>> 0.35 <= style.gsd <= 0.6
        True
    """

    def uniform(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    def span(low: Range, more: Range) -> Range:
        start = uniform(*low)
        return start, start + uniform(*more)

    weights = rng.dirichlet(list(BLOCKS.values())).tolist()
    small = rng.random() < 0.5
    sky = np.clip(uniform(0.15, 0.32) + np.array([0, 0.03, 0.07]) * uniform(0, 1.5), 0, 0.6)
    haze = np.array([0.5, 0.75, 1.0]) * uniform(0, 0.12)
    gain = uniform(1.2, 2.4) * np.exp(rng.normal(0, 0.08, 3))
    return CityStyle(
        name="random",
        gsd=uniform(*gsd),
        crs="EPSG:32633",
        origin=(366000.0, 5807000.0),
        margin=12.0,
        block_depth=span((34, 48) if small else (46, 75), (5, 50)),
        block_length=span((50, 80), (10, 90)),
        avenue=span((4.5, 9.0), (1.0, 7.0)),
        cross=span((3.5, 7.0), (0.5, 4.0)),
        pavement=uniform(0, 3),
        kerb_radius=uniform(2, 7),
        bend=0.0 if rng.random() < 0.4 else uniform(1, 8),
        markings=bool(rng.random() < 0.5),
        parked=uniform(0, 0.5),
        block_types=tuple(zip(BLOCKS, weights, strict=True)),
        street_trees=uniform(0, 0.7),
        growth=uniform(0.8, 2.0),
        sun_azimuth=uniform(95, 265),
        sun_elevation=uniform(28, 66),
        sun_jitter=0.0,
        sky=three(sky),
        mixing=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
        gain=three(gain),
        haze=three(haze),
        gamma=uniform(1.0, 1.8),
        blur=uniform(0.4, 1.1),
        noise=uniform(0, 4),
    )
