"""Inputs that Hypothesis draws: rasters, areas and model cards of any content."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import rasterio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rasterio import Affine
from rasterio.errors import RasterioError

from tests.attacks.attack import MAP, Attack
from tests.attacks.checkpoints import COMMAND, ENTRIES, entry, rewritten
from tests.attacks.rasters import TARGETS
from tests.example_folder import GSD, NORTH, SIZE, WEST

T = TypeVar("T")

RASTERS, AREAS, CARDS = 240, 120, 120

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "int64", "float32", "float64")
CRSS = (None, "EPSG:25832", "EPSG:4326", "EPSG:3857", "EPSG:2263", "EPSG:32733", "EPSG:4978")
SPECIAL = (0.0, 1.0, -1.0, 255.0, -9999.0, 1e4, 3e38, -3.4e38, math.inf, -math.inf, math.nan)


def drawn(strategy: st.SearchStrategy[T], count: int) -> list[T]:
    """Return some examples of a strategy, the same ones each time."""
    examples: list[T] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(strategy)
    def collect(example: T) -> None:
        examples.append(example)

    collect()
    return examples


def near(value: float, spread: float) -> st.SearchStrategy[float]:
    """Return mostly numbers around a value, and sometimes any."""
    around = st.floats(value - spread, value + spread)
    return st.one_of(around, around, around, st.sampled_from(SPECIAL), st.floats())


TRANSFORMS = st.one_of(
    st.builds(
        lambda east, north: Affine(GSD, 0, east, 0, -GSD, north), near(WEST, 99), near(NORTH, 99)
    ),
    st.builds(
        Affine,
        *(
            near(*pair)
            for pair in ((GSD, 1), (0, 0.1), (WEST, 99), (0, 0.1), (-GSD, 1), (NORTH, 99))
        ),
    ),
)
PROFILES = st.fixed_dictionaries(
    {
        "count": st.integers(1, 5),
        "height": st.integers(1, 2 * SIZE),
        "width": st.integers(1, 2 * SIZE),
        "dtype": st.sampled_from(DTYPES),
        "crs": st.sampled_from(CRSS),
        "transform": TRANSFORMS,
        "nodata": st.one_of(st.none(), st.sampled_from(SPECIAL)),
        "tiled": st.booleans(),
        "photometric": st.sampled_from(["MINISBLACK", "RGB"]),
    }
)
VALUES = st.lists(st.one_of(st.sampled_from(SPECIAL), st.floats(-500, 500)), min_size=1, max_size=6)
PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
POINT = st.tuples(near(WEST, 2 * SIZE * GSD), near(NORTH, 2 * SIZE * GSD)).map(list)
RING = st.lists(POINT, min_size=0, max_size=7).map(lambda points: [*points, *points[:1]])
GEOMETRY = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("Polygon"), "coordinates": st.lists(RING, min_size=0, max_size=3)}
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("MultiPolygon"),
            "coordinates": st.lists(st.lists(RING, min_size=1, max_size=2), max_size=4),
        }
    ),
    st.fixed_dictionaries({"type": st.just("LineString"), "coordinates": RING}),
    st.none(),
    PLAIN,
)


def _write_raster(folder: Path, name: str, profile: dict[str, Any], values: list[float]) -> None:
    rng = np.random.default_rng(len(values))
    shape = profile["count"], profile["height"], profile["width"]
    with np.errstate(all="ignore"):
        pixels = rng.choice(values, shape).astype(profile["dtype"])
    # What GDAL does not write as asked stays as it is then.
    with (
        suppress(RasterioError, ValueError, OverflowError),
        rasterio.open(folder / name, "w", driver="GTiff", **profile) as file,
    ):
        file.write(pixels)


def _write_area(folder: Path, geometries: list[Any]) -> None:
    features = [
        {"type": "Feature", "properties": {}, "geometry": geometry} for geometry in geometries
    ]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::25832"}}
    collection = {"type": "FeatureCollection", "crs": crs, "features": features}
    (folder / "hostile.geojson").write_text(json.dumps(collection), encoding="utf-8")


def attacks() -> Iterator[Attack]:
    """Yield rasters for every command that reads one, areas, and entries of model cards."""
    targets = [*TARGETS.items()]
    for number, (profile, values) in enumerate(drawn(st.tuples(PROFILES, VALUES), RASTERS)):
        target, (file, command) = targets[number % len(targets)]
        prepare = partial(_write_raster, name=file, profile=profile, values=values)
        yield Attack(f"raster {number} for {target}", command, prepare)
    for number, geometries in enumerate(drawn(st.lists(GEOMETRY, min_size=1, max_size=4), AREAS)):
        command = (*MAP, "ortho.tif", "--area", "hostile.geojson")
        yield Attack(f"area {number}", command, partial(_write_area, geometries=geometries))
    for number, value in enumerate(drawn(PLAIN, CARDS)):
        path = ENTRIES[number % len(ENTRIES)]
        where = ".".join(map(str, path))
        yield Attack(f"card {number}: {where}", COMMAND, rewritten(entry(path, value)))
