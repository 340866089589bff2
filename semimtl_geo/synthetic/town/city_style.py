"""Properties in which the two cities, their sensors and their days differ."""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]
Matrix = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True)
class CityStyle:
    """A city and the sensor that flew over it.

    Attributes:
        name: Name of the city in folders and file names.
        gsd: Ground sampling distance, in metres.
        crs: Coordinate reference system.
        origin: Easting and northing of the upper left corner of its first scene, in metres.
        margin: Width of the ground around a scene whose objects cast shadows into it, in metres.
        block_depth: Shortest and longest distance between two avenues' edges, in metres.
        block_length: Shortest and longest distance between two cross streets' edges, in metres.
        avenue: Narrowest and widest carriageway of an avenue, in metres.
        cross: Narrowest and widest carriageway of a cross street, in metres.
        pavement: Width of a street's pavement on each side, in metres.
        kerb_radius: Rounding of street corners, in metres.
        bend: Amplitude by which streets bend, in metres; 0 keeps them straight.
        markings: Whether lanes and crossings are marked.
        parked: Share of kerb places with a parked car.
        block_types: Types of blocks (keys of :data:`.layout.BLOCKS`), each with its frequency.
        street_trees: Share of street-tree places that are planted.
        growth: Factor of the heights of trees on blocks; street trees keep theirs.
        sun_azimuth: Direction toward the sun, clockwise from north, in degrees.
        sun_elevation: Elevation of the sun above the horizon, in degrees.
        sun_jitter: Largest difference of both from scene to scene, in degrees.
        sky: Light that reaches open shade (NIR, red, green), as a share of full light.
        mixing: Share of each true band (columns) in each band of the sensor (rows).
        gain: Exposure of each band.
        haze: Light scattered into the sensor, as a share of full scale, for each band.
        gamma: Exponent of the tone curve; values above 1 lighten shadows.
        blur: Standard deviation of the point spread function, in pixels.
        noise: Standard deviation of the noise, in digital numbers of 0..255.

    Example:
        >>> from semimtl_geo.synthetic import CITY_A, CITY_B
        >>> CITY_A.gsd, CITY_B.gsd
        (0.15, 0.27)
    """

    name: str
    gsd: float
    crs: str
    origin: tuple[float, float]
    margin: float
    block_depth: Range
    block_length: Range
    avenue: Range
    cross: Range
    pavement: float
    kerb_radius: float
    bend: float
    markings: bool
    parked: float
    block_types: tuple[tuple[str, float], ...]
    street_trees: float
    sun_azimuth: float
    sun_elevation: float
    sun_jitter: float
    sky: tuple[float, float, float]
    mixing: Matrix
    gain: tuple[float, float, float]
    haze: tuple[float, float, float]
    gamma: float
    blur: float
    noise: float
    growth: float = 1.0


CITY_A = CityStyle(
    name="city_a",
    gsd=0.15,
    crs="EPSG:32633",
    origin=(366000.0, 5807000.0),
    margin=12.0,
    block_depth=(46.0, 66.0),
    block_length=(54.0, 88.0),
    avenue=(7.0, 9.4),
    cross=(5.5, 7.5),
    pavement=2.0,
    kerb_radius=5.0,
    bend=0.0,
    markings=True,
    parked=0.45,
    block_types=(
        ("courtyard", 0.36),
        ("slabs", 0.22),
        ("villas", 0.18),
        ("hall", 0.11),
        ("park", 0.13),
    ),
    street_trees=0.75,
    sun_azimuth=152.0,
    sun_elevation=50.0,
    sun_jitter=4.0,
    sky=(0.23, 0.28, 0.31),
    mixing=((0.70, 0.25, 0.05), (0.09, 0.81, 0.10), (0.03, 0.13, 0.84)),
    gain=(1.90, 2.05, 2.05),
    haze=(0.015, 0.025, 0.035),
    gamma=1.55,
    blur=0.55,
    noise=2.2,
)
"""Large blocks of tall flat and pitched roofs on straight wide streets; a sharp, neutral sensor."""

CITY_B = CityStyle(
    name="city_b",
    gsd=0.27,
    crs="EPSG:32632",
    origin=(497000.0, 5419000.0),
    margin=7.0,
    block_depth=(32.0, 42.0),
    block_length=(50.0, 90.0),
    avenue=(5.2, 6.4),
    cross=(4.4, 5.4),
    pavement=1.3,
    kerb_radius=3.5,
    bend=5.0,
    markings=False,
    parked=0.30,
    block_types=(("houses", 0.62), ("rows", 0.18), ("shops", 0.10), ("green", 0.10)),
    street_trees=0.08,
    sun_azimuth=218.0,
    sun_elevation=55.0,
    sun_jitter=4.0,
    sky=(0.24, 0.30, 0.34),
    mixing=((1.00, 0.00, 0.00), (0.00, 0.88, 0.12), (0.00, 0.10, 0.90)),
    gain=(1.46, 1.74, 1.92),
    haze=(0.030, 0.055, 0.075),
    gamma=1.15,
    blur=0.80,
    noise=3.2,
)
"""Small pitched roofs and gardens on narrow bent streets; a hazier, more vivid, softer sensor."""
