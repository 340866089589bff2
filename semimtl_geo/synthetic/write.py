"""Writing of both cities as folders of GeoTIFFs, split into training, validation and test."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from rasterio.transform import Affine, from_origin

from semimtl_geo.class_schemes import ISPRS
from semimtl_geo.synthetic.scene import make_scene
from semimtl_geo.synthetic.scene_files import make_folders, write_scene
from semimtl_geo.synthetic.town.city_style import CITY_A, CITY_B, CityStyle
from tiles.files import output_path
from tiles.settings import check_range
from tiles.types import ProgressCallback

CITIES: Final = (CITY_A, CITY_B)
SPLITS: Final = ("train", "val", "test")

SCENES_PER_ROW: Final = 12

MIN_GAP: Final = 40.0
"""Smallest distance between two scenes, in metres."""

MIN_SIZE: Final = 64
"""Smallest edge of a scene of city B, in pixels."""

MAX_SIZE: Final = 8192
"""Largest edge of a scene of city B, in pixels: a scene is made in memory."""

MOST_SCENES: Final = 100_000
MAX_SEED: Final = 2**64 - 1


@dataclass(frozen=True)
class _SceneRequest:
    """Scene that is to be written: its city, split and number, the last three as indices."""

    style: CityStyle
    city: int
    split: int
    index: int

    @property
    def name(self) -> str:
        return f"{self.style.name}_{SPLITS[self.split]}_{self.index:03d}"


def write_cities(
    out: Path,
    *,
    seed: int = 0,
    scenes: int = 16,
    size: int = 512,
    progress: ProgressCallback | None = None,
) -> dict[str, Path]:
    """Generate both cities.

    Files are ``out/{city}/{train,val,test}/{image,landcover,height}/{city}_{split}_{NNN}.tif``.
    The same arguments give the same arrays; existing files are replaced.

    Args:
        out: Folder to write into; it is created if necessary.
        seed: Seed of both cities.
        scenes: Training scenes per city; validation and test get a quarter each, at least 2.
        size: Edge of city B's scenes in pixels; city A's cover the same ground.
        progress: Called after each scene with the number of scenes done, and of scenes in all.

    Returns:
        Folder of each city by its name.

    Raises:
        InvalidValueError: If an argument is too small.
        InputError: If the folders cannot be created.

    Example:
        >>> folders = write_cities(Path("cities"), scenes=1, size=64)
        >>> sorted(folders)
        ['city_a', 'city_b']
        >>> sorted(file.name for file in folders["city_a"].glob("train/*/*.tif"))
        ['city_a_train_000.tif', 'city_a_train_000.tif', 'city_a_train_000.tif']
    """
    out = output_path(out)
    check_range("scenes", scenes, 1, MOST_SCENES)
    check_range("size", size, MIN_SIZE, MAX_SIZE)
    check_range("seed", seed, 0, MAX_SEED)
    counts = (scenes, max(2, scenes // 4), max(2, scenes // 4))
    requests = [
        _SceneRequest(style, city, split, index)
        for city, style in enumerate(CITIES)
        for split, count in enumerate(counts)
        for index in range(count)
    ]
    folders = {style.name: out / style.name for style in CITIES}
    make_folders(out, (folder / split for folder in folders.values() for split in SPLITS))
    extent = size * CITY_B.gsd
    for done, request in enumerate(requests, start=1):
        key = (request.city, request.split, request.index)
        sequence = np.random.SeedSequence(entropy=seed, spawn_key=key)
        scene = make_scene(request.style, sequence, scene_size(request.style, size))
        tags = {
            "SPLIT": SPLITS[request.split],
            "SEED": str(seed),
            "SEED_WORDS": " ".join(str(word) for word in sequence.generate_state(4)),
            "SPAWN_KEY": " ".join(str(part) for part in key),
        }
        transform = scene_transform(request.style, request.split, request.index, extent)
        write_scene(
            folders[request.style.name] / SPLITS[request.split],
            request.name,
            scene,
            crs=request.style.crs,
            transform=transform,
            bands=("NIR", "red", "green"),
            classes=ISPRS,
            tags=tags,
        )
        if progress is not None:
            progress(done, len(requests))
    return folders


def scene_size(style: CityStyle, size: int) -> int:
    """Return the edge, in pixels, of a scene that covers as much ground as one of city B.

    Args:
        style: The city of the scene.
        size: Edge of the scene of city B, in pixels.
    """
    return round(size * CITY_B.gsd / style.gsd)


def scene_transform(style: CityStyle, split: int, index: int, extent: float) -> Affine:
    """Return the geotransform of a scene, north up; no two scenes of a city overlap.

    Args:
        style: The city.
        split: 0 for training, 1 for validation, 2 for test.
        index: Index of the scene in its split.
        extent: Edge of a scene in metres.

    Returns:
        Transform from pixels to metres in the city's UTM zone.
    """
    row, column = divmod(index * len(SPLITS) + split, SCENES_PER_ROW)
    step = math.ceil(extent + MIN_GAP)
    west, north = style.origin[0] + column * step, style.origin[1] - row * step
    return from_origin(west, north, style.gsd, style.gsd)
