"""Making scenes of a folder of miniature files, and reading them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import rasterio
import shapely
import yaml

from semimtl_geo.prepare.own.folder import Folder
from semimtl_geo.prepare.pipeline import prepare


def make(raw: Path, to: str = "out", **config: Any) -> Path:
    """Write scenes.yaml, make the scenes, and return the folder of the data set."""
    (raw / "scenes.yaml").write_text(yaml.safe_dump(config))
    return prepare("folder", Folder(), raw, raw.parent / to)[0].parent


def load(folder: Path, layer: str, name: str) -> np.ndarray:
    """Read a file of a scene, whatever its split: [C, H, W]."""
    (file,) = folder.glob(f"*/{layer}/{name}.tif")
    with rasterio.open(file) as source:
        return np.asarray(source.read())


def write_polygons(
    path: Path, shapes: list[tuple[Any, Any]], crs: str, layer: str | None = None, field: str = "v"
) -> Path:
    """Write pairs of value and shape as a layer of a file; values of None are missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = [value for value, _ in shapes]
    frame = geopandas.GeoDataFrame(
        {field: values}, geometry=[shape for _, shape in shapes], crs=crs
    )
    frame.to_file(path, **({} if layer is None else {"layer": layer}))
    return path


def box(west: float, north: float, left: float, top: float, right: float, bottom: float) -> Any:
    """A rectangle by distances in metres from a corner, eastward and southward."""
    return shapely.box(west + left, north - bottom, west + right, north - top)
