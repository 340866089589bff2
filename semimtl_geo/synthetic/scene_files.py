"""Writing of a scene's three layers as GeoTIFFs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import rasterio
from rasterio.transform import Affine

from semimtl_geo.class_schemes import ClassScheme
from semimtl_geo.synthetic.scene import SyntheticScene
from tiles.errors import input_errors
from tiles.files import atomic_write, write_errors
from tiles.types import UNKNOWN_CLASS, VALUE_NODATA, Float32Array, UInt8Array

LAYERS: Final = ("image", "landcover", "height")


def make_folders(out: Path, splits: Iterable[Path]) -> None:
    """Create the folders of the layers in those of the splits.

    Raises:
        InputError: If they cannot be created; it names ``out``.
    """
    with input_errors(out, "cannot be created", "name a folder that you may write to"):
        for split in splits:
            for layer in LAYERS:
                (split / layer).mkdir(parents=True, exist_ok=True)


def write_scene(
    folder: Path,
    name: str,
    scene: SyntheticScene,
    *,
    crs: str,
    transform: Affine,
    bands: Sequence[str],
    classes: ClassScheme,
    tags: dict[str, str],
) -> None:
    """Write ``{image,landcover,height}/{name}.tif``; each file whole or not at all.

    Args:
        folder: Folder of the split.
        name: Name of the scene.
        scene: The image, the land cover and the heights.
        crs: Coordinate reference system.
        transform: Transform from pixels to metres.
        bands: Names of the bands of the image.
        classes: Classes of the land cover.
        tags: Tags of the files.
    """

    def describe_image(target: Any) -> None:
        for band, band_name in enumerate(bands, start=1):
            target.set_band_description(band, band_name)

    def describe_landcover(target: Any) -> None:
        target.set_band_description(1, "land cover")
        target.write_colormap(1, {value: (*rgb, 255) for value, rgb in enumerate(classes.colors)})

    def describe_height(target: Any) -> None:
        target.set_band_description(1, "height above ground")
        target.set_band_unit(1, "m")

    shared = {"crs": crs, "transform": transform}
    image = {**shared, "photometric": "RGB"}
    landcover = {**shared, "nodata": UNKNOWN_CLASS}
    height = {**shared, "nodata": VALUE_NODATA, "predictor": 3}
    file = f"{name}.tif"
    _write(folder / "image" / file, scene.image, image, tags, describe_image)
    _write(folder / "landcover" / file, scene.landcover[None], landcover, tags, describe_landcover)
    _write(folder / "height" / file, scene.height[None], height, tags, describe_height)


def _write(
    path: Path,
    bands: UInt8Array | Float32Array,
    profile: dict[str, object],
    tags: dict[str, str],
    describe: Callable[[Any], None],
) -> None:
    """Write bands [C, H, W] as a GeoTIFF, whole or not at all.

    Args:
        path: The file.
        bands: Values.
        profile: Further settings of the file.
        tags: Tags of the file.
        describe: Function that sets descriptions, units and colours of the open file.

    Raises:
        InputError: If the file cannot be written.
    """
    count, height, width = bands.shape
    with (
        write_errors(path),
        atomic_write(path) as part,
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
        describe(target)
        target.update_tags(**tags)
        target.write(bands)
