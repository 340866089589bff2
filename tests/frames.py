"""Street views for tests, written by Pillow alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.rasters import noise


def save(path: Path, pixels: np.ndarray) -> Path:
    """Write what Pillow makes of an array: uint8 [H, W, 3] or [H, W], uint16, float32."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def load(path: Path) -> np.ndarray:
    """Read it back."""
    with Image.open(path) as image:
        return np.array(image)


def write_streets(
    root: Path, *, size: tuple[int, int] = (40, 64), train: int = 3, val: int = 2, classes: int = 3
) -> Path:
    """Two domains, a and b, both with classes and inverse depths, some of them unknown."""
    for domain in "ab":
        for split, count in (("train", train), ("val", val)):
            for number in range(count):
                seed = 100 * (domain == "b") + 10 * (split == "val") + number
                rng = np.random.default_rng(seed)
                folder, name = root / domain / split, f"{split}_{number}"
                save(folder / f"image/{name}.png", noise(*size, 3, seed=seed))
                segmentation = rng.integers(0, classes, size, dtype=np.uint8)
                segmentation[:2] = 255
                save(folder / f"segmentation/{name}.png", segmentation)
                depth = (rng.random(size) / 10).astype(np.float32)
                depth[:, :2], depth[-1] = np.nan, 0
                save(folder / f"depth/{name}.tif", depth)
    return root
