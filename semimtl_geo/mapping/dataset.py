"""Maps opened: a lazy, georeferenced data set that says what its numbers mean (CF conventions)."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Final

import numpy as np
import rasterio
import rioxarray
import xarray
from rasterio.errors import RasterioError

from semimtl_geo.mapping.provenance import read_tags
from tiles.errors import InputError
from tiles.vectors.class_raster import category_names

CHUNK: Final = 2048
"""Edge of a chunk in pixels: whole blocks of the files, which are of 512."""


def open_maps(files: Mapping[str, str | PathLike[str]]) -> xarray.Dataset:
    """Open the maps of one place; pixels stay on disk until they are asked for.

    Args:
        files: Maps that :meth:`semimtl_geo.mapping.Mapper.map` wrote, by the names they shall have.

    Returns:
        Variables ``[y, x]`` in dask chunks of 2048 px. Classes are uint8 with ``flag_values`` and
        ``flag_meanings``, 255 where unknown; values are float32 with ``units``, NaN where unknown.
        ``dataset[name].encoding["source"]`` is the file. The attributes say what made the maps.
        To save it by ``to_netcdf``, install h5netcdf or netCDF4: scipy's netCDF3 has no uint8.

    Raises:
        InputError: If a file cannot be read, or they lie on different grids.
    """
    variables, attrs = {}, {}
    for name, file in files.items():
        variables[name], attrs[name] = _open(Path(file))
    try:
        xarray.align(*variables.values(), join="exact")
    except ValueError as error:
        names = ", ".join(str(file) for file in files.values())
        raise InputError(names, "lie on different grids", "open them one by one") from error
    return xarray.Dataset(variables, attrs=next(iter(attrs.values()), {}))


def _open(file: Path) -> tuple[xarray.DataArray, dict[str, str]]:
    """One map, and what made it."""
    classes = category_names(file)
    try:
        with rasterio.open(file) as source:
            made = _provenance(source.tags())
        # Numbers of classes stay whole; of values, unknown ones become NaN.
        opened = rioxarray.open_rasterio(
            file, chunks={"x": CHUNK, "y": CHUNK}, masked=classes is None
        )
    except RasterioError as error:
        fault = f"cannot be read as a map ({error})"
        raise InputError(file, fault, "map the raster again") from error
    if not isinstance(opened, xarray.DataArray) or opened.sizes.get("band") != 1:
        raise InputError(file, "is no map: it has several bands", "name a map")
    variable = opened.squeeze("band", drop=True).rio.write_coordinate_system()
    kept = ("long_name",) if classes is not None else ("long_name", "units")
    attrs = {key: variable.attrs[key] for key in kept if key in variable.attrs}
    if classes is not None:
        attrs["flag_values"] = np.arange(len(classes), dtype=np.uint8)
        attrs["flag_meanings"] = " ".join("_".join(label.split()) for label in classes)
        attrs["_FillValue"] = variable.attrs["_FillValue"]
    variable.attrs = attrs
    variable.encoding["source"] = str(file)
    return variable, made


def _provenance(tags: Mapping[str, str]) -> dict[str, str]:
    """The attributes of a data set, from the tags of a map."""
    found = read_tags(tags)
    attrs = {"Conventions": "CF-1.11"}
    if "RASTER" in found:
        attrs["title"] = f"Maps of {found['RASTER']}"
    if "VERSION" in found:
        attrs["source"] = f"semimtl-geo {found['VERSION']}"
        if "MODEL" in found:
            attrs["source"] += f", model {found['MODEL']} (SHA-256 {found.get('MODEL_SHA256')})"
    if "STATISTICS" in found:
        attrs["comment"] = f"BatchNorm statistics: {found['STATISTICS']}"
    return attrs
