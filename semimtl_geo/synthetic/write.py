"""Both cities as folders of GeoTIFFs, split into training, validation and test."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import Affine, from_origin

from semimtl_geo.class_schemes import ISPRS
from semimtl_geo.synthetic.scene import Scene, make_scene
from semimtl_geo.synthetic.town.city_style import CITY_A, CITY_B, CityStyle
from tiles.errors import InputError
from tiles.files import aside
from tiles.types import UNKNOWN_CLASS, VALUE_NODATA, ProgressCallback

CITIES: Final = (CITY_A, CITY_B)
SPLITS: Final = ("train", "val", "test")
COLUMNS: Final = 12
"""Scenes stand in rows of so many."""
GAP: Final = 40.0
"""At least so many metres lie between two scenes."""


@dataclass(frozen=True)
class _Job:
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
    """Generates both cities.

    Files are ``out/{city}/{train,val,test}/{image,landcover,height}/{city}_{split}_{NNN}.tif``.
    The same arguments give the same arrays; files that are there already are replaced.

    Args:
        out: Folder to write into; made where it is missing.
        seed: Source of both cities.
        scenes: Training scenes per city; validation and test get a quarter each, at least 2.
        size: Edge of city B's scenes, in pixels; city A's cover the same ground.
        progress: Called after each scene with the scenes done and the scenes in all.

    Returns:
        The folder of each city by its name.

    Raises:
        InputError: If an argument cannot be used.
    """
    out = Path(out)
    if scenes < 1:
        raise InputError("scenes", f"{scenes} training scenes", "ask for 1 or more")
    if size < 64:
        raise InputError("size", f"{size} px are too few for a scene", "ask for 64 or more")
    if seed < 0:
        raise InputError("seed", f"{seed} is negative", "give 0 or more")
    counts = (scenes, max(2, scenes // 4), max(2, scenes // 4))
    jobs = [
        _Job(style, city, split, index)
        for city, style in enumerate(CITIES)
        for split, count in enumerate(counts)
        for index in range(count)
    ]
    folders = {style.name: out / style.name for style in CITIES}
    _make_folders(out, folders)
    extent = size * CITY_B.gsd
    for done, job in enumerate(jobs, start=1):
        key = (job.city, job.split, job.index)
        sequence = np.random.SeedSequence(entropy=seed, spawn_key=key)
        scene = make_scene(job.style, sequence, scene_size(job.style, size))
        tags = {
            "SPLIT": SPLITS[job.split],
            "SEED": str(seed),
            "SEED_WORDS": " ".join(str(word) for word in sequence.generate_state(4)),
            "SPAWN_KEY": " ".join(str(part) for part in key),
        }
        transform = place(job.style, job.split, job.index, extent)
        _write_scene(folders[job.style.name] / SPLITS[job.split], job, scene, transform, tags)
        if progress is not None:
            progress(done, len(jobs))
    return folders


def scene_size(style: CityStyle, size: int) -> int:
    """Edge in pixels of a city's scene that covers ``size`` pixels of city B."""
    return round(size * CITY_B.gsd / style.gsd)


def place(style: CityStyle, split: int, index: int, extent: float) -> Affine:
    """Where a scene lies, north up; no two scenes of a city overlap.

    Args:
        style: The city.
        split: 0 for training, 1 for validation, 2 for test.
        index: Number of the scene in its split.
        extent: Edge of a scene, in metres.

    Returns:
        The transform from pixels to metres in the city's zone.
    """
    row, column = divmod(index * len(SPLITS) + split, COLUMNS)
    step = math.ceil(extent + GAP)
    west, north = style.origin[0] + column * step, style.origin[1] - row * step
    return from_origin(west, north, style.gsd, style.gsd)


def _make_folders(out: Path, folders: dict[str, Path]) -> None:
    try:
        for folder in folders.values():
            for split in SPLITS:
                for layer in ("image", "landcover", "height"):
                    (folder / split / layer).mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(out, "there is a file where a folder must be", "name a folder") from error
    except OSError as error:
        fault = f"the folder cannot be made ({error.strerror})"
        raise InputError(out, fault, "name a folder that you may write to") from error


def _write_scene(
    folder: Path, job: _Job, scene: Scene, transform: Affine, tags: dict[str, str]
) -> None:
    shared = {"crs": job.style.crs, "transform": transform}

    def image(target: Any) -> None:
        for band, name in enumerate(("NIR", "red", "green"), start=1):
            target.set_band_description(band, name)

    def landcover(target: Any) -> None:
        target.set_band_description(1, "land cover")
        target.write_colormap(1, {value: (*rgb, 255) for value, rgb in enumerate(ISPRS.colors)})

    def height(target: Any) -> None:
        target.set_band_description(1, "height above ground")
        target.set_band_unit(1, "m")

    file = f"{job.name}.tif"
    _write(folder / "image" / file, scene.image, {**shared, "photometric": "RGB"}, tags, image)
    cover = scene.landcover[None]
    _write(folder / "landcover" / file, cover, {**shared, "nodata": UNKNOWN_CLASS}, tags, landcover)
    above = scene.height[None]
    profile = {**shared, "nodata": VALUE_NODATA, "predictor": 3}
    _write(folder / "height" / file, above, profile, tags, height)


def _write(
    path: Path,
    bands: NDArray[np.uint8] | NDArray[np.float32],
    profile: dict[str, object],
    tags: dict[str, str],
    finish: Callable[[Any], None],
) -> None:
    """Writes bands [C, H, W] aside and renames the finished file."""
    count, height, width = bands.shape
    with (
        aside(path) as part,
        rasterio.open(
            part,
            "w",
            driver="GTiff",
            count=count,
            height=height,
            width=width,
            dtype=bands.dtype.name,
            tiled=True,
            blockxsize=256,
            blockysize=256,
            compress="deflate",
            **profile,
        ) as target,
    ):
        finish(target)
        target.update_tags(**tags)
        target.write(bands)
