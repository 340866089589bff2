"""``semimtl-geo map``: what can be refused cheaply is refused before torch is imported."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tiles.errors import InputError, path_faults

if TYPE_CHECKING:
    from distributed import Client

    from semimtl_geo.mapping.mapper import Mapper

CLUSTER_TIMEOUT = 10
"""Seconds that a scheduler has to answer."""


def band_list(text: str) -> list[int | str]:
    """Bands as the command line has them: ``4,1,2`` or ``nir,red,green``."""
    bands = [band.strip() for band in text.split(",")]
    if not all(bands):
        raise argparse.ArgumentTypeError("numbers, such as 4,1,2, or names, such as nir,red,green")
    return [int(band) if band.lstrip("-").isdigit() else band for band in bands]


def _devices(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError("names, such as cuda:0,cuda:1")
    return names


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What can be asked of it."""
    command.add_argument("checkpoint", type=Path)
    command.add_argument("rasters", metavar="RASTER", nargs="+", help="anything that GDAL reads")
    command.add_argument("--out", type=Path, required=True, help="folder for the maps")
    command.add_argument(
        "--merge",
        metavar="NAME",
        help="the rasters are files of one place: one map, NAME_<task>.tif, of all of them",
    )
    command.add_argument("--area", type=Path, metavar="FILE", help="map only inside its polygons")
    command.add_argument("--crs", help="map in this CRS, such as EPSG:25833; else the raster's own")
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
        "--confidence", action="store_true", help="also write the classes' probability in percent"
    )
    command.add_argument(
        "--plausibility",
        action="store_true",
        help="also write how far the discriminators take the maps for ground truth, in percent",
    )
    command.add_argument("--preview", action="store_true", help="also write a picture (PNG)")
    command.add_argument("--tile", type=int, help="tile edge in the network's pixels")
    where = command.add_mutually_exclusive_group()
    where.add_argument(
        "--devices", type=_devices, help="predict on these, a process on each: cuda:0,cuda:1"
    )
    where.add_argument(
        "--cluster", metavar="ADDRESS", help="predict on a dask cluster: tcp://scheduler:8786"
    )


def run(args: argparse.Namespace) -> None:
    """Map every raster, or all as one."""
    places = _places(args.rasters, args.merge)
    _check(args)
    if args.preview:
        for name in places:
            if _picture(args.out, name).is_dir():
                raise InputError(_picture(args.out, name), "is a folder", "remove or rename it")
    from semimtl_geo.mapping.input_bands import find_input, too_coarse
    from semimtl_geo.mapping.mapper import Mapper
    from semimtl_geo.mapping.predictor import map_layers
    from tiles.reading.source import Source

    mapper = Mapper.load(args.checkpoint, args.devices[0] if args.devices else None)
    bands, remarks = {}, []
    for name, rasters in places.items():
        bands[name] = find_input(rasters, mapper.card, args.bands)[0]
        # All are looked at before the first is worked on.
        with Source(rasters, bands[name], args.crs) as source:
            source.grid_at(mapper.card.gsd)  # raises what its pixels lack
            remarks.append(too_coarse(source.name, source.grid, mapper.card.gsd))
    made = {
        (args.out / f"{name}_{layer.name}.tif").absolute()
        for layer in map_layers(mapper.card.tasks, args.confidence, args.plausibility)
        for name in places
    }
    for raster in args.rasters:
        if Path(raster).absolute() in made:
            raise InputError(raster, "would be overwritten by a map", "choose another --out")
    for remark in filter(None, remarks):
        print(remark, file=sys.stderr)
    if args.domain is not None:
        mapper = mapper.for_domain(args.domain)
    elif mapper.chooses and len(places) > 1:
        # One sensor, one set of statistics: maps that lie side by side must not differ in them.
        mapper = mapper.adapt(args.rasters, args.bands, args.crs, args.area)
    with _cluster(args.cluster) as client:
        for name, rasters in places.items():
            _map_one(mapper, args, name, rasters, bands[name], client)


def _map_one(
    mapper: Mapper,
    args: argparse.Namespace,
    name: str,
    rasters: Sequence[str],
    bands: Sequence[int] | None,
    client: Client | None,
) -> None:
    from semimtl_geo.progress import progress_bar

    with progress_bar(name, "MP", per=1e6) as progress:
        maps = mapper.map(
            rasters,
            args.out,
            name=name,
            bands=bands,
            area=args.area,
            crs=args.crs,
            grid=args.grid,
            confidence=args.confidence,
            plausibility=args.plausibility,
            tile=args.tile,
            devices=args.devices,
            client=client,
            progress=progress,
        )
    files = {str(layer): Path(maps[layer].encoding["source"]) for layer in maps.data_vars}
    pairs = zip(bands or (), mapper.card.bands, strict=True)
    print("bands: " + ", ".join(f"{number} as {wanted}" for number, wanted in pairs))
    print(maps.attrs["comment"])
    for file in files.values():
        print(file)
    if args.preview:
        from semimtl_geo.report.preview import write_preview

        picture = _picture(args.out, name)
        write_preview(rasters, files, mapper.card.tasks, picture)
        print(picture)


def _places(rasters: Sequence[str], merge: str | None) -> dict[str, list[str]]:
    """Which files give one map, by the map's name."""
    if merge is not None:
        if not merge or Path(merge).name != merge:
            raise InputError("--merge", f"{merge!r} is no part of a file name", "choose another")
        return {merge: list(rasters)}
    stems = Counter(Path(raster).stem for raster in rasters)
    twice = next((stem for stem, count in stems.items() if count > 1), None)
    if twice is not None:
        raise InputError(
            " and ".join(raster for raster in rasters if Path(raster).stem == twice),
            "would give maps of the same name",
            "give them other names, map them apart, or --merge them if they are of one place",
        )
    return {Path(raster).stem: [raster] for raster in rasters}


def _check(args: argparse.Namespace) -> None:
    """What needs no more than a look at the folders."""
    if not _exists(args.checkpoint):
        raise InputError(args.checkpoint, "no such file", "check the path")
    for raster in args.rasters:
        # A name with a colon may be a URL, a subdataset, or whatever else GDAL knows.
        if ":" not in raster and not raster.startswith("/vsi") and not _exists(raster):
            raise InputError(raster, "does not exist", "check the path")
    if args.area is not None and not _exists(args.area):
        raise InputError(args.area, "does not exist", "check the path")
    above = next(folder for folder in [args.out, *args.out.absolute().parents] if _exists(folder))
    if not above.is_dir():
        fault = "cannot be made (a file is in the way)"
        raise InputError(args.out, fault, "choose another folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise InputError(above, "cannot be written to", "choose another folder, or change rights")


def _picture(out: Path, name: str) -> Path:
    return out / f"{name}_preview.png"


def _exists(path: str | Path) -> bool:
    with path_faults(path):
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
        client = Client(address, timeout=CLUSTER_TIMEOUT)  # type: ignore[no-untyped-call]  # dask's
    except (OSError, ValueError, TimeoutError) as error:
        remedy = "start one with `dask scheduler`, or check the address (tcp://host:8786)"
        raise InputError(f"--cluster {address}", "no scheduler answers", remedy) from error
    with client:
        yield client
