"""Maps as lazy, georeferenced data sets that say what their numbers mean (CF conventions)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
import rioxarray
import xarray
from rasterio.errors import RasterioError

from semimtl_geo.mapping.provenance import read_tags
from tiles.errors import InputError, input_errors
from tiles.vectors.class_raster import category_names

FILE: Final = "file"
"""Attribute of a variable that names the file of its map."""

CLASS: Final = "class"
"""Dimension of a variable with a band per class, whose coordinates are the classes' names."""

CHUNK: Final = 2048
"""Edge of a chunk in pixels; a multiple of the edge of the files' blocks, which is 512."""


def open_maps(files: Mapping[str, str | PathLike[str]]) -> xarray.Dataset:
    """Open the maps of one place; pixels stay on disk until they are asked for.

    Args:
        files: Maps that :meth:`semimtl_geo.mapping.Mapper.map` wrote, by the names that the
            variables get.

    Returns:
        Variables ``[y, x]`` in dask chunks of 2048 px; of probabilities of classes
        ``[class, y, x]``. Classes are uint8 with ``flag_values`` and
        ``flag_meanings``, 255 where unknown; values are float32 with ``units``, NaN where unknown.
        The attribute ``file`` of a variable is the path of its map, which :func:`map_files`
        returns; the attribute ``files`` of the data set holds all paths, one per line. The other
        attributes say how the maps were made. All attributes survive ``to_netcdf`` (which needs
        h5netcdf or netCDF4 for classes, since scipy's netCDF3 has no uint8).

    Raises:
        InputError: If a file cannot be read, or the files lie on different grids.

    Example:
        >>> maps = open_maps({"landcover": "landcover.tif", "height": "height.tif"})
        >>> float(maps.height.max()), maps.height.rio.crs.to_epsg(), maps.sizes["x"]
        (6.0, 25832, 96)
    """
    variables, attrs = {}, {}
    for name, file in files.items():
        variables[name], attrs[name] = _open(Path(file))
    try:
        xarray.align(*variables.values(), join="exact")
    except ValueError as error:
        names = ", ".join(str(file) for file in files.values())
        raise InputError(names, "lie on different grids", "open them one by one") from error
    paths = "\n".join(variable.attrs[FILE] for variable in variables.values())
    return xarray.Dataset(variables, attrs={**next(iter(attrs.values()), {}), "files": paths})


def map_files(maps: xarray.Dataset) -> dict[str, Path]:
    """Return the files of maps that :func:`open_maps` opened, also after ``to_netcdf``.

    Args:
        maps: The maps, or some variables of them.

    Returns:
        The file of each variable that has one, by the variable's name.

    Example:
        >>> maps = open_maps({"height": "height.tif"})
        >>> maps.attrs["files"], map_files(maps)
        ('height.tif', {'height': PosixPath('height.tif')})
    """
    return {
        str(name): Path(variable.attrs[FILE])
        for name, variable in maps.data_vars.items()
        if FILE in variable.attrs
    }


def _open(file: Path) -> tuple[xarray.DataArray, dict[str, str]]:
    """Open one map, and return it with the attributes that say how it was made."""
    classes = category_names(file)
    with input_errors(file, "cannot be read as a map", "map the raster again", RasterioError):
        with rasterio.open(file) as source:
            provenance = provenance_attributes(source.tags())
            names, several = source.descriptions, source.count > 1
            if several and not (set(source.units) == {"%"} and all(names)):
                raise InputError(file, "is not a map: it has several bands", "name a map")
        # Masking makes real numbers of integers, so that unknown ones can be NaN; classes stay.
        opened = rioxarray.open_rasterio(
            file, chunks={"x": CHUNK, "y": CHUNK}, masked=classes is None
        )
    if not isinstance(opened, xarray.DataArray):
        raise InputError(file, "is not a map: its bands differ", "name a map")
    if several:
        opened = opened.rename(band=CLASS).assign_coords({CLASS: list(names)})
        opened.attrs |= {"long_name": "probability of each class", "units": "%"}
    else:
        opened = opened.squeeze("band", drop=True)
    variable = opened.rio.write_coordinate_system()
    kept = ("long_name",) if classes is not None else ("long_name", "units")
    attrs = {key: variable.attrs[key] for key in kept if key in variable.attrs}
    if classes is not None:
        attrs |= class_attributes(classes, variable.attrs["_FillValue"])
    variable.attrs = attrs | {FILE: str(file)}
    variable.encoding["source"] = str(file)
    return variable, provenance


def class_attributes(classes: Sequence[str], unknown: float) -> dict[str, Any]:
    """Return the attributes that say what the numbers of classes mean.

    Args:
        classes: Names of the classes 0, 1, ...
        unknown: Number of pixels whose class is unknown.
    """
    return {
        "flag_values": np.arange(len(classes), dtype=np.uint8),
        "flag_meanings": " ".join("_".join(label.split()) for label in classes),
        "_FillValue": np.uint8(unknown),
    }


def provenance_attributes(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the attributes of a data set, from the tags of a map."""
    found = read_tags(tags)
    attrs = {"Conventions": "CF-1.11"}
    if "RASTER" in found:
        attrs["title"] = f"Maps of {found['RASTER']}"
    if "VERSION" in found:
        attrs["source"] = f"semimtl-geo {found['VERSION']}"
        if "MODEL" in found:
            attrs["source"] += f", model {found['MODEL']} (SHA-256 {found.get('MODEL_SHA256')})"
    if "BANDS" in found:
        attrs["bands"] = found["BANDS"]
    if "STATISTICS" in found:
        attrs["comment"] = f"BatchNorm statistics: {found['STATISTICS']}"
    if "PRECISION" in found:
        tiles = f"tiles of up to {found['TILE']} px that overlap by {found['OVERLAP']} px"
        attrs["prediction"] = f"{tiles}, {found['PRECISION']}"
    return attrs
