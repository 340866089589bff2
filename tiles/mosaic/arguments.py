"""Arguments of the mosaicker, checked before any work is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path

import numpy as np

from tiles.errors import InvalidValueError
from tiles.files import absolute_if_file, output_path
from tiles.maps.layers import ClassMap, Layer, ProbabilityMap
from tiles.maps.writer import check_target
from tiles.reading.array_raster import ArrayRaster
from tiles.types import Float32Array, RasterName


def check_layers(
    layers: Layer | Sequence[Layer], out: str | PathLike[str] | Mapping[str, str | PathLike[str]]
) -> tuple[list[Layer], dict[str, Path]]:
    """Return the layers, and the path of each by its name.

    Args:
        layers: A layer or several.
        out: Path of the only layer, or paths by layer name.

    Raises:
        InvalidValueError: If the layers, or the layers and the paths, do not fit together.
    """
    every = list(layers) if isinstance(layers, Sequence) else [layers]
    names = [layer.name for layer in every]
    if isinstance(out, Mapping):
        paths = {name: output_path(path) for name, path in out.items()}
    elif len(names) == 1:
        paths = {names[0]: output_path(out)}
    else:
        fault = f"is one path for the layers {names}"
        raise InvalidValueError("out", fault, "give a dictionary of paths by layer name")
    if not names or len(set(names)) < len(names) or set(names) != set(paths):
        fault = f"names the layers {sorted(paths)}, but layers are {names}"
        raise InvalidValueError("out", fault, "give each layer a name and a path of its own")
    classes = {layer.name: layer for layer in every if isinstance(layer, ClassMap)}
    for layer in every:
        if layer.of not in {None, *classes}:
            fault = f"refers to {layer.of!r}, which is no class map among the layers"
            raise InvalidValueError(f"layer {layer.name}", fault, "add that class map")
        if isinstance(layer, ProbabilityMap) and (
            list(layer.classes) != list(classes[layer.of].classes)
        ):
            fault = f"has other classes than {layer.of!r}"
            raise InvalidValueError(f"layer {layer.name}", fault, "give both the same classes")
    return every, paths


def check_files(rasters: Sequence[RasterName], paths: Mapping[str, Path]) -> dict[str, Path]:
    """Check that maps can be written and overwrite neither each other nor the rasters.

    Args:
        rasters: The rasters to read.
        paths: Paths of the maps by layer name.

    Returns:
        The paths.

    Raises:
        InputError: If a path cannot be written.
    """
    # Styles and other sidecars have the name of the map without its suffix.
    if len({path.resolve().with_suffix("") for path in paths.values()}) < len(paths):
        fault = f"has one name twice: {sorted(map(str, paths.values()))}"
        raise InvalidValueError("out", fault, "give each layer a name of its own")
    for path in paths.values():
        check_target(path, rasters)
    return dict(paths)


def fill_values(fill: Sequence[float] | float, bands: int) -> Float32Array:
    """Return the value for unknown pixels of each band, float32 [bands].

    Raises:
        InvalidValueError: If there is neither one value nor one per band.
    """
    values = np.atleast_1d(np.asarray(fill, dtype=np.float32))
    if values.shape not in ((1,), (bands,)):
        fault = f"has {values.size} values for {bands} bands"
        raise InvalidValueError("fill", fault, "give one value, or one per band")
    return np.broadcast_to(values, (bands,))


def independent_of_folder(name: RasterName) -> RasterName:
    """Return the name of a raster that is valid in processes with another working folder."""
    # An image in memory is no file, though it may bear the name of the one that it was read from.
    return name if isinstance(name, ArrayRaster) else absolute_if_file(name)
