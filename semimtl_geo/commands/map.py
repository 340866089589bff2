"""``semimtl-geo map``: cheap checks run before torch is imported."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semimtl_geo.mapping.names import check_name, name_places
from semimtl_geo.models import find_model, model_names
from semimtl_geo.progress import Style, add_progress, make_display
from tiles.errors import InputError, MissingFileError
from tiles.files import Closeable, output_path, path_errors
from tiles.reading.stac_item import is_item
from tiles.types import RasterName

if TYPE_CHECKING:
    import xarray
    from distributed import Client

    from semimtl_geo.tasks import Task

CLUSTER_TIMEOUT = 10
"""Seconds that a scheduler has to answer."""


def band_list(text: str) -> list[int | str]:
    """Bands as the command line has them: ``4,1,2`` or ``nir,red,green``."""
    bands = [band.strip() for band in text.split(",")]
    if not all(bands):
        raise argparse.ArgumentTypeError("numbers, such as 4,1,2, or names, such as nir,red,green")
    return [int(band) if band.lstrip("-").isdigit() else band for band in bands]


def add_model(command: argparse.ArgumentParser) -> None:
    """Add the argument that names the network."""
    command.add_argument(
        "--model",
        required=True,
        help=f"checkpoint, .safetensors file, or model of the package: {', '.join(model_names())}",
    )


def _devices(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError("names, such as cuda:0,cuda:1")
    return names


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_model(command)
    command.add_argument(
        "rasters",
        metavar="RASTER",
        nargs="+",
        help="anything that GDAL reads, a STAC Item (item.json#asset), or a tile service: "
        "a URL with {z}, {x} and {y}, or WMTS:URL,layer=NAME",
    )
    command.add_argument("--out", type=output_path, required=True, help="folder for the maps")
    command.add_argument(
        "--merge",
        metavar="NAME",
        help="the rasters are files of one place: one map, NAME_<task>.tif, of all of them",
    )
    command.add_argument("--area", type=Path, metavar="FILE", help="map only inside its polygons")
    command.add_argument(
        "--crs", help="CRS of the maps, such as EPSG:25833 (default: the raster's)"
    )
    command.add_argument(
        "--grid",
        choices=["source", "network"],
        default="source",
        help="pixels of the raster's size (source), or of the size that the network sees (network)",
    )
    command.add_argument(
        "--domain",
        help="take this training domain's BatchNorm statistics; without it, a network that has "
        "statistics per domain re-estimates them on the rasters together (no labels needed)",
    )
    command.add_argument(
        "--bands", type=band_list, help="band numbers or names, such as 4,1,2 or nir,red,green"
    )
    command.add_argument(
        "--white",
        type=float,
        help="raster value that is scaled to 1, such as 4095 for 12-bit data in 16-bit files "
        "(default: that of the model card, or the maximum of the data type)",
    )
    command.add_argument(
        "--resolution",
        type=float,
        metavar="METRES",
        help="zoom level to read a tile service at: the nearest (default: the network's)",
    )
    command.add_argument(
        "--confidence",
        action="store_true",
        help="also write the probability of the class that was chosen, in percent",
    )
    command.add_argument(
        "--plausibility",
        action="store_true",
        help="also write the probability, in percent, that discriminators assign to ground truth",
    )
    command.add_argument(
        "--probabilities",
        action="store_true",
        help="also write the probability of each class in percent, a band per class",
    )
    command.add_argument("--preview", action="store_true", help="also write a preview (PNG)")
    command.add_argument(
        "--tile", type=int, help="tile edge in the network's pixels (default: the model card's)"
    )
    command.add_argument(
        "--overlap", type=int, help="pixels that tiles share at least (default: the model card's)"
    )
    command.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16", "float16"),
        default="auto",
        help="precision of prediction (default: the fastest that is measured on this machine)",
    )
    add_progress(command)
    where = command.add_mutually_exclusive_group()
    where.add_argument(
        "--devices", type=_devices, help="predict on these, a process on each: cuda:0,cuda:1"
    )
    where.add_argument(
        "--cluster", metavar="ADDRESS", help="predict on a dask cluster: tcp://scheduler:8786"
    )


def run(args: argparse.Namespace) -> None:
    """Map every raster, or all of them as one place."""
    if args.merge is None:
        places = name_places(args.rasters)
    else:
        places = {check_name(args.merge, args.rasters, "--merge"): args.rasters}
    _check_paths(args)
    if args.preview:
        for name in places:
            if _preview(args.out, name).is_dir():
                raise InputError(_preview(args.out, name), "is a folder", "remove or rename it")
    from semimtl_geo.mapping.mapper import Mapper
    from semimtl_geo.mapping.places import resolve_places
    from semimtl_geo.mapping.settings import MapSettings

    device = args.devices[0] if args.devices else None
    mapper = Mapper.load(args.model, device, args.precision)
    if args.domain is not None:
        mapper = mapper.for_domain(args.domain)
    previews = args.out if args.preview else None
    read = MapSettings(bands=args.bands, area=args.area, resolution=args.resolution)
    places = resolve_places(places, mapper.card, read)
    report = _Report(places, mapper.card.tasks, previews, args.progress)
    with warnings_as_lines(), _cluster(args.cluster) as client, report:
        mapper.map_many(
            places,
            args.out,
            bands=args.bands,
            area=args.area,
            crs=args.crs,
            grid=args.grid,
            white=args.white,
            confidence=args.confidence,
            plausibility=args.plausibility,
            probabilities=args.probabilities,
            tile=args.tile,
            overlap=args.overlap,
            devices=args.devices,
            client=client,
            progress=report.show,
            finished=report.print,
        )


class _Report(Closeable):
    """Progress bars on standard error, and lines on standard output for each place that is done."""

    def __init__(
        self,
        places: Mapping[str, Sequence[RasterName]],
        tasks: Sequence[Task],
        previews: Path | None,
        style: Style,
    ) -> None:
        self._places, self._tasks, self._previews = places, tasks, previews
        self._display = make_display(style)

    def show(self, name: str, done: int, total: int) -> None:
        """Show how far the work on a place has come."""
        self._display.show(name, "px", done, total)

    def print(self, name: str, maps: xarray.Dataset) -> None:
        """Print what was made of a place, and write its preview if one is wanted."""
        # Close the bars first: on a terminal they would overwrite the printed lines.
        self.close()
        from semimtl_geo.mapping.dataset import map_files

        files = map_files(maps)
        print(f"bands: {maps.attrs['bands']}")
        print(maps.attrs["comment"])
        print(maps.attrs["prediction"])
        for file in files.values():
            print(file)
        if self._previews is not None:
            from semimtl_geo.report.preview import write_preview

            preview = _preview(self._previews, name)
            write_preview(self._places[name], files, self._tasks, preview)
            print(preview)

    def close(self) -> None:
        """Remove the progress bars."""
        self._display.close()


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print warnings of rasters as one line each, without the place in the code."""
    from semimtl_geo.mapping.places import RasterWarning

    with warnings.catch_warnings():
        warnings.simplefilter("always", RasterWarning)
        show = warnings.showwarning

        def print_line(
            message: Warning | str, category: type[Warning], *args: Any, **keywords: Any
        ) -> None:
            if issubclass(category, RasterWarning):
                print(message, file=sys.stderr)
            else:
                show(message, category, *args, **keywords)

        warnings.showwarning = print_line
        yield


def _check_paths(args: argparse.Namespace) -> None:
    """Check what needs no more than a look at the folders."""
    find_model(args.model)
    for raster in args.rasters:
        # A name with a colon may be a URL, a subdataset, or whatever else GDAL knows.
        file = raster.partition("#")[0] if is_item(raster) else raster
        if ":" not in raster and not raster.startswith("/vsi") and not _exists(file):
            raise MissingFileError(file)
    if args.area is not None and not _exists(args.area):
        raise MissingFileError(args.area)
    above = next(folder for folder in [args.out, *args.out.absolute().parents] if _exists(folder))
    if not above.is_dir():
        fault = "cannot be made (a file is in the way)"
        raise InputError(args.out, fault, "choose another folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise InputError(above, "cannot be written to", "choose another folder, or change rights")


def _preview(out: Path, name: str) -> Path:
    return out / f"{name}_preview.png"


def _exists(path: str | Path) -> bool:
    with path_errors(path):
        return Path(path).exists()


@contextmanager
def _cluster(address: str | None) -> Iterator[Client | None]:
    """Connect with a dask scheduler, if one is named."""
    if address is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError as error:
        remedy = "install it: pip install 'semimtl-geo[cluster]'"
        raise InputError("--cluster", "needs the package distributed", remedy) from error
    try:
        # dask does not annotate this class.
        client = Client(address, timeout=CLUSTER_TIMEOUT)  # type: ignore[no-untyped-call]
    # TypeError: of protocols that need more than an address, such as tls and ucx.
    except (OSError, RuntimeError, TypeError, ValueError, TimeoutError) as error:
        remedy = "start one with `dask scheduler`, or check the address (tcp://host:8786)"
        raise InputError(f"--cluster {address}", "no scheduler answers", remedy) from error
    with client:
        yield client
