"""ISPRS Potsdam and Vaihingen in the official layout, small, written by rasterio and Pillow."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning
from rasterio.transform import Affine

from semimtl_geo.class_schemes import ISPRS
from tests.rasters import noise, write

SIZE = 36  # 1.8 m at 5 cm, which are just 20 px of 9 cm


def colour(classes: np.ndarray) -> np.ndarray:
    """A label image [3, H, W] of classes [H, W]; 6 is black."""
    return np.moveaxis(np.array([*ISPRS.colors, (0, 0, 0)], np.uint8)[classes], -1, 0)


def jpeg(path: Path, values: np.ndarray) -> Path:
    """Grey JPEG; blocks of 8 x 8 px of one value come through unchanged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path, quality=100)
    return path


def blocks(height: int = SIZE, width: int = SIZE, low: int = 0, seed: int = 0) -> np.ndarray:
    """Bytes [H, W] below 255 in blocks of 8 x 8 px."""
    small = np.random.default_rng(seed).integers(low, 200, (-(-height // 8), -(-width // 8)))
    return np.kron(small, np.ones((8, 8)))[:height, :width].astype(np.uint8)


def corner(scene: str, gsd: float = 0.05, size: int = SIZE) -> Affine:
    """North up, the corner of the scene's top left pixel, its neighbours beside it."""
    row, column = map(int, scene.split("_"))
    return Affine(
        gsd, 0, 366_000.025 + column * size * gsd, 0, -gsd, 5_808_000.05 - row * size * gsd
    )


def world_file(path: Path, transform: Affine) -> Path:
    """Six lines; the last two are the centre of the top left pixel."""
    x, y = transform.c + transform.a / 2, transform.f + transform.e / 2
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [transform.a, transform.d, transform.b, transform.e, x, y]
    path.write_text("".join(f"{line:.10f}\n" for line in lines), encoding="ascii")
    return path


def plain(path: Path, values: np.ndarray, **profile: Any) -> Path:
    """A GeoTIFF that does not say where it is."""
    settings: dict[str, Any] = {"crs": None, "transform": Affine.identity()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return write(path, values, **(settings | profile))


def potsdam_scene(raw: Path, scene: str, seed: int = 0) -> dict[str, Path]:
    """One scene; folders are doubly nested, height names zero-padded."""
    x, y = map(int, scene.split("_"))
    image = raw / "3_Ortho_IRRG" / "3_Ortho_IRRG" / f"top_potsdam_{scene}_IRRG.tif"
    label = raw / "5_Labels_all" / f"top_potsdam_{scene}_label.tif"
    heights = raw / "1_DSM_normalisation" / "1_DSM_normalisation"
    place = {"crs": "EPSG:32633", "transform": corner(scene)}
    return {
        "image": write(image, noise(3, SIZE, SIZE, seed=seed), **place),
        "label": write(label, colour(noise(SIZE, SIZE, seed=seed + 1) % 6), **place),
        "height": jpeg(
            heights / f"dsm_potsdam_{x:02}_{y:02}_normalized_lastools.jpg",
            blocks(seed=seed + 2),
        ),
    }


def vaihingen_area(
    raw: Path, area: str, size: tuple[int, int] = (40, 30), seed: int = 0
) -> dict[str, Path]:
    """One area: nothing has a place but the world file, which has the surface model's name."""
    official = raw / "ISPRS_semantic_labeling_Vaihingen"
    top = f"top_mosaic_09cm_area{area}"
    surface = np.full(size, 270.0, np.float32)
    surface[10:25, 5:20] += 9.0
    return {
        "image": plain(official / "top" / f"{top}.tif", noise(3, *size, seed=seed)),
        "label": plain(
            raw / "ISPRS_semantic_labeling_Vaihingen_ground_truth_COMPLETE" / f"{top}.tif",
            colour(noise(*size, seed=seed + 1) % 6),
        ),
        "dsm": plain(official / "dsm" / f"dsm_09cm_matching_area{area}.tif", surface),
        "world": world_file(
            raw / "world_files" / f"dsm_09cm_matching_area{area}.tfw",
            Affine(0.09, 0, 497_000 + 100 * int(area), 0, -0.09, 5_420_000.03),
        ),
    }


def zipped(folder: Path, to: Path) -> Path:
    """The folder as an archive, with itself as the first part of every name."""
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, f"{folder.name}/{file.relative_to(folder)}")
    return to


def load(path: Path) -> np.ndarray:
    """All bands [C, H, W]."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as file:
            return np.asarray(file.read())


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
