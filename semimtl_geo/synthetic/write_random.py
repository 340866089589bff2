"""Writing of random towns: scenes with all labels to pretrain networks with."""

from __future__ import annotations

from pathlib import Path
from typing import Final, get_args

import numpy as np

from semimtl_geo.class_schemes import TOWNS
from semimtl_geo.synthetic.rendering.palette import BandNames, Palette
from semimtl_geo.synthetic.scene import SyntheticScene, make_scene
from semimtl_geo.synthetic.scene_files import make_folders, write_scene
from semimtl_geo.synthetic.town.city_style import CityStyle
from semimtl_geo.synthetic.town.random_style import random_style
from semimtl_geo.synthetic.write import MAX_SEED, MOST_SCENES, scene_transform
from tiles.errors import InvalidValueError
from tiles.files import output_path
from tiles.settings import check_range
from tiles.types import ProgressCallback

EXTENT: Final = 160.0
"""Edge of a scene, in metres."""
SPLITS: Final = {"train": 0, "val": 1}


def make_random_town(
    seed: int | np.random.SeedSequence, bands: BandNames = "red,green,blue", extent: float = EXTENT
) -> tuple[CityStyle, SyntheticScene]:
    """Generate a town in a random style: layout, season, sun, sensor and colours.

    The idea of training on renderings in random styles is domain randomisation (Tobin et al. 2017);
    SynRS3D (Song et al. 2024) shows that it carries to land cover and heights of real orthophotos.

    Args:
        seed: Seed; the same seed gives the same scene.
        bands: Bands of the image.
        extent: Edge of the scene, in metres.

    Returns:
        The style, and a scene with :data:`~semimtl_geo.class_schemes.TOWNS`.

    Example:
        >>> style, scene = make_random_town(0, extent=40.0)
        >>> scene.image.shape == (3, round(40 / style.gsd), round(40 / style.gsd))
        True
    """
    rng = np.random.default_rng(seed)
    style = random_style(rng)
    palette = Palette(
        bands,
        seed=int(rng.integers(2**31)),
        dryness=float(np.clip(rng.normal(0.35, 0.35), 0, 1)),
    )
    return style, make_scene(style, int(rng.integers(2**31)), round(extent / style.gsd), palette)


def write_random_towns(
    out: Path,
    *,
    seed: int = 0,
    scenes: int = 240,
    bands: BandNames = "red,green,blue",
    progress: ProgressCallback | None = None,
) -> Path:
    """Generate scenes of random towns.

    Files are ``out/random/{train,val}/{image,landcover,height}/random_{split}_{NNN}.tif``. The same
    arguments give the same arrays; existing files are replaced.

    Args:
        out: Folder to write into; it is created if necessary.
        seed: Seed of all scenes.
        scenes: Training scenes; a thirtieth, at least 2, is added for validation.
        bands: Bands of the images.
        progress: Called after each scene with the number of scenes done, and of scenes in all.

    Returns:
        The folder ``out/random``.

    Raises:
        InvalidValueError: If an argument is too small, or the bands are unknown.
        InputError: If the folders cannot be created.

    Example:
        >>> folder = write_random_towns(Path("drawn"), scenes=1)
        >>> [file.name for file in sorted(folder.glob("train/image/*.tif"))]
        ['random_train_000.tif']
    """
    out = output_path(out)
    check_range("scenes", scenes, 1, MOST_SCENES)
    check_range("seed", seed, 0, MAX_SEED)
    if bands not in get_args(BandNames):
        known = " or ".join(get_args(BandNames))
        raise InvalidValueError("bands", f"{bands!r} cannot be rendered", f"use {known}")
    folder = out / "random"
    make_folders(out, (folder / split for split in SPLITS))
    counts = {"train": scenes, "val": max(2, scenes // 30)}
    requests = [(split, index) for split, count in counts.items() for index in range(count)]
    for done, (split, index) in enumerate(requests, start=1):
        key = (SPLITS[split], index)
        sequence = np.random.SeedSequence(entropy=seed, spawn_key=key)
        style, scene = make_random_town(sequence, bands, EXTENT)
        write_scene(
            folder / split,
            f"random_{split}_{index:03d}",
            scene,
            crs=style.crs,
            transform=scene_transform(style, SPLITS[split], index, EXTENT),
            bands=bands.split(","),
            classes=TOWNS,
            tags={"SEED": str(seed), "SPAWN_KEY": " ".join(map(str, key))},
        )
        if progress is not None:
            progress(done, len(requests))
    return folder
