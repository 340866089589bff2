"""What users give by mistake: one line that says what to do, exit code 2, and no file touched.

Each command runs in a process of its own, forked from one that has imported everything, so that
all that a user would see on standard error is seen: lines of GDAL, of libraries' loggers, warnings.
"""

from __future__ import annotations

import os
import pickle
import re
import resource
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
import torch
from rasterio import Affine
from rasterio.crs import CRS

from semimtl_geo import cli
from semimtl_geo.commands import map as map_command
from tests import fresh_process
from tests.conftest import Run
from tests.rasters import GSD, NORTH, WEST, noise, write
from tiles.maps.work_folder import WorkFolder

ROOT = Path(__file__).parents[1]
EDGE = 64
PROGRESS = re.compile(r"|[\w.: -]+: +\d+%\|.*")
LOCAL = 'LOCAL_CS["site",UNIT["metre",1],AXIS["x",EAST],AXIS["y",NORTH]]'


@contextmanager
def another_run() -> Iterator[None]:
    """Hold the map of heights, as another run does that makes it."""
    work = WorkFolder(Path("maps/good_height.tif").absolute(), (EDGE, EDGE), "float32")
    yield
    work.close(finished=True)


def vanish() -> None:
    """Have the raster vanish, as from a network drive, when the network is first asked."""
    from semimtl_geo.mapping.predictor import Predictor

    predict = Predictor.__call__

    def once(self: Predictor, images: torch.Tensor) -> dict[str, torch.Tensor]:
        os.truncate("tall.tif", 5000)
        return predict(self, images)

    Predictor.__call__ = once  # type: ignore[method-assign]


@dataclass(frozen=True)
class Bad:
    """A command that cannot be done.

    Attributes:
        command: After `semimtl-geo`; `MAP` is short for the usual one.
        says: What the line says of the fault.
        beside: What goes on meanwhile.
        first: Called in the command's process before it.
        limit: Bytes that a file may have at most, as on a full disk.
        leaves: Folder of maps that were whole before the fault was met: they stay.
    """

    command: str
    says: str
    beside: Callable[[], AbstractContextManager[None]] = nullcontext
    first: str = ""
    limit: int = 0
    leaves: str = ""

    @property
    def args(self) -> list[str]:
        """Return what the command line takes; the table is without ``--model`` for short lines."""
        command = self.command.replace("MAP", "map net.ckpt --out maps", 1)
        return shlex.split(re.sub(r"^(map|evaluate) ", r"\1 --model ", command))


# fmt: off
TABLE = {
    # The raster.
    "missing": Bad("MAP none.tif", "none.tif: does not exist"),
    "a folder": Bad("MAP empty", "empty: is a folder"),
    "truncated": Bad("MAP truncated.tif", "truncated.tif: cannot be read in rows"),
    "a corrupt block": Bad("MAP corrupt.tif", "corrupt.tif: cannot be read in rows"),
    "a corrupt block, in another process":
        Bad("MAP corrupt.tif --domain city_a --devices cpu,cpu", "corrupt.tif: cannot be read in"),
    "a text file": Bad("MAP text.tif", "text.tif: cannot be read as a raster"),
    "zero bytes": Bad("MAP zero.tif", "zero.tif: cannot be read as a raster"),
    "no CRS": Bad("MAP nowhere.tif", "nowhere.tif: has no coordinate reference system"),
    "rotated": Bad("MAP rotated.tif", "rotated.tif: its geotransform is rotated"),
    "no geotransform":
        Bad("MAP placeless.tif", "placeless.tif: has no geotransform"),
    "complex values": Bad("MAP complex.tif", "complex.tif: has complex values"),
    "all nodata": Bad("MAP nodata.tif", "nodata.tif: has no known pixel"),
    "all nodata, a known domain":
        Bad("MAP nodata.tif --domain city_a", "nodata.tif: has no known pixel"),
    "all NaN": Bad("MAP nan.tif", "nan.tif: has no known pixel"),
    "a mask that cannot be read":
        Bad("MAP masked.tif", "masked.tif.msk: cannot be read as a mask"),
    "hopelessly coarse": Bad("MAP coarse.tif", "coarse.tif: has pixels of 30 m, the network wants"),
    "a local CRS": Bad("MAP local.tif", "local.tif"),
    "a local CRS, another wanted": Bad("MAP local.tif --crs EPSG:25833", "local.tif"),
    "vanishes midway":
        # Before the first row of blocks is finished: else its work is kept.
        Bad(
            "MAP tall.tif --domain city_a --tile 32 --overlap 24",
            "tall.tif: cannot be read",
            first="vanish",
        ),
    "no such subdataset": Bad("MAP NETCDF:none.nc:height", "NETCDF:none.nc:height"),
    "a raster's name too long":
        Bad(f"MAP {300 * 'x'}.tif", "xxx"),
    "nobody serves it": Bad("MAP http://127.0.0.1:9/x.tif", "http://127.0.0.1:9/x.tif: cannot be"),
    # Its bands.
    "too few": Bad("MAP one.tif", "one.tif: 1 bands, the network wants 3"),
    "too many": Bad("MAP four.tif", "four.tif: 4 bands, the network wants 3"),
    "a number beyond": Bad("MAP good.tif --bands 1,2,7", "good.tif: has 3 bands"),
    "band zero": Bad("MAP good.tif --bands 0,1,2", "good.tif: has 3 bands"),
    "no such name": Bad("MAP good.tif --bands swir,red,green", "good.tif: has no band named swir"),
    "nonsense": Bad("MAP good.tif --bands 1,,2", "argument --bands"),
    "too few asked": Bad("MAP good.tif --bands 1,2", "good.tif: 2 bands"),
    # Several rasters.
    "one stem":
        Bad("MAP good.tif other/good.tif", "good.tif and other/good.tif: would give maps of"),
    "other dtypes": Bad("MAP good.tif sixteen.tif --merge town", "sixteen.tif: has"),
    "other band counts": Bad("MAP good.tif four.tif --merge town", "four.tif: 4 bands"),
    "other band counts, both with these":
        Bad("MAP three.tif four.tif --bands 1,2,4 --merge town", "three.tif: has 3 bands"),
    "1000 km apart": Bad("MAP good.tif far.tif --merge town", "lies 1,000 km from"),
    "no name": Bad("MAP good.tif --merge a/b", "--merge: must be a part of a file name, got 'a/b'"),
    "one of several is bad": Bad("MAP good.tif nowhere.tif", "nowhere.tif: has no coordinate"),
    "one of several is bad, a known domain":
        Bad("MAP good.tif nowhere.tif --domain city_a", "nowhere.tif: has no coordinate"),
    # Settings.
    "no such CRS": Bad("MAP good.tif --crs nonsense", "crs nonsense: is not a coordinate"),
    "a CRS of heights": Bad("MAP good.tif --crs EPSG:5773", "crs EPSG:5773: is neither"),
    "no such grid": Bad("MAP good.tif --grid nonsense", "argument --grid: invalid choice"),
    "no such domain": Bad("MAP good.tif --domain nonsense", "domain nonsense: the network was not"),
    "tile 0": Bad("MAP good.tif --tile 0", "tile: must be >= 1 px, got 0"),
    "tile below 0": Bad("MAP good.tif --tile -5", "tile: must be >= 1 px, got -5"),
    "tile of a word": Bad("MAP good.tif --tile big", "argument --tile"),
    "tile too small to judge":
        Bad("MAP good.tif --plausibility --tile 16", "tile: must be larger for a discriminator"),
    "no such GPU": Bad("MAP good.tif --devices cuda:77", "device cuda:77: is not a device of this"),
    "no such device":
        Bad("MAP good.tif --devices xpu9", "device xpu9: is not a device of this machine"),
    "no device name":
        Bad("MAP good.tif --devices cpu,,cpu", "device"),
    "no word of a device": Bad("MAP good.tif --devices nonsense", "nonsense: is not a device"),
    "a device without memory":
        Bad("MAP good.tif --devices meta", "device meta: is not a device"),
    "a device of Apple":
        Bad("MAP good.tif --devices mps", "device mps: is not a device of this"),
    "a device of Intel":
        Bad("MAP good.tif --devices xpu:9", "device xpu:9: is not a device of this"),
    "nobody at the address":
        Bad("MAP good.tif --cluster tcp://127.0.0.1:9", "no scheduler answers"),
    "no address": Bad("MAP good.tif --cluster nonsense://x", "no scheduler answers"),
    # The checkpoint.
    "no checkpoint": Bad("map none.ckpt good.tif --out maps", "none.ckpt: no such file"),
    "a folder, no checkpoint": Bad("map empty good.tif --out maps", "empty: is a folder"),
    "text, no checkpoint": Bad("map text.tif good.tif --out maps", "text.tif: cannot be loaded"),
    "an empty checkpoint": Bad("map zero.tif good.tif --out maps", "zero.tif: cannot be loaded"),
    "a pickle bomb":
        Bad("map bomb.pkl good.tif --out maps", "bomb.pkl: cannot be loaded safely"),
    "a zipped bomb": Bad("map bomb.ckpt good.tif --out maps", "bomb.ckpt: cannot be loaded safely"),
    "of something else":
        Bad("map other.ckpt good.tif --out maps", "other.ckpt: is not a checkpoint of semimtl_geo"),
    "a tensor": Bad("map tensor.ckpt good.tif --out maps", "tensor.ckpt: holds no state dict"),
    "a truncated checkpoint":
        Bad("map half.ckpt good.tif --out maps", "half.ckpt: cannot be loaded"),
    "weights missing": Bad("map lacking.ckpt good.tif --out maps", "lacking.ckpt: is damaged"),
    "of a later format": Bad("map later.ckpt good.tif --out maps", "later.ckpt: is damaged, or of"),
    "a card of nonsense": Bad("map odd.ckpt good.tif --out maps", "odd.ckpt: is damaged"),
    "no encoder of that name":
        Bad("map strange.ckpt good.tif --out maps", "strange.ckpt"),
    "nobody to judge":
        Bad("map alone.ckpt good.tif --plausibility --out maps", "alone.ckpt: has no discrim"),
    # The area.
    "no area": Bad("MAP good.tif --area none.gpkg", "none.gpkg: does not exist"),
    "an area elsewhere": Bad("MAP good.tif --area far.gpkg", "far.gpkg: lies outside the raster"),
    "an area without CRS":
        Bad("MAP good.tif --area nowhere.gpkg", "nowhere.gpkg: has no coordinate"),
    "an area of points": Bad("MAP good.tif --area points.gpkg", "points.gpkg: has no polygons"),
    "an area of text":
        Bad("MAP good.tif --area text.geojson", "text.geojson: cannot be read as poly"),
    "an area of a folder": Bad("MAP good.tif --area empty", "empty: "),
    "an area without known pixels":
        Bad("MAP half.tif --area right.gpkg --domain city_a", "half.tif: has no known pixel in"),
    # The output.
    "out is a file": Bad("map net.ckpt good.tif --out text.tif", "text.tif: cannot be made"),
    "out is in a file":
        Bad("map net.ckpt good.tif --out text.tif/maps", "text.tif/maps: cannot be"),
    "out cannot be made": Bad("map net.ckpt good.tif --out /proc/maps", "/proc"),
    "out cannot be written to": Bad("map net.ckpt good.tif --out /proc", "/proc"),
    "no out": Bad("map net.ckpt good.tif", "--out"),
    "a map is the raster":
        Bad("map net.ckpt town_height.tif --out . --merge town", "would be overwritten"),
    "a folder has the name of its style":
        Bad("map net.ckpt good.tif --out styled", "good_landcover.qml: is a folder"),
    "a link in place of its work":
        Bad("map net.ckpt good.tif --out linked", ".good_height.tif.work: is a link"),
    "a map is a folder": Bad("map net.ckpt good.tif --out taken", "good_height.tif: is a folder"),
    "the disk is full": Bad("MAP good.tif --domain city_a", "cannot be written", limit=1000),
    "the disk is full later":
        Bad("MAP good.tif --domain city_a", "good_height.tif: can", limit=9000),
    "a name too long": Bad(f"MAP good.tif --merge {300 * 'x'}", "xxx"),
    "a preview is a folder":
        Bad("map net.ckpt good.tif --preview --out png", "good_preview.png",
            leaves="png"),
    "another run":
        Bad("MAP good.tif", "good_height.tif: is being written to by another run", another_run),
    # Other commands.
    "no maps": Bad("buildings empty", "empty: has no NAME_landcover.tif"),
    "no folder of maps": Bad("buildings none", "none: is not a folder"),
    "maps of two grids": Bad("buildings grids", "grids/x_height.tif: has another size"),
    "maps without classes":
        Bad("buildings nameless", "x_landcover.tif: has no class called building"),
    "maps of text": Bad("buildings words", "words/x_landcover.tif: cannot be read as a raster"),
    "buildings into a file": Bad("buildings pair --out text.tif", "text.tif"),
    "buildings on a full disk": Bad("buildings pair", "x_buildings.gpkg: cannot be", limit=50_000),
    "a folder's name too long":
        Bad(f"buildings {300 * 'x'}", "xxx: cannot be accessed"),
    "no area of buildings": Bad("buildings pair --min-area -1", "min_area: must be >= 0, got -1.0"),
    "no DSM": Bad("ndsm none.tif --out new.tif", "none.tif: does not exist"),
    "a DSM without CRS": Bad("ndsm flat.tif --out new.tif", "flat.tif: has no coordinate"),
    "a DSM of colours":
        Bad("ndsm good.tif --out new.tif", "good.tif: has 3 bands, but heights are"),
    "a DTM elsewhere": Bad("ndsm dsm.tif --dtm dtm.tif --out new.tif", "dtm.tif: does not overlap"),
    "ndsm onto the DSM": Bad("ndsm dsm.tif --out dsm.tif", "dsm.tif: is an input of the map"),
    "ndsm on a full disk": Bad("ndsm dsm.tif --out new.tif", "new.tif: cannot be", limit=1000),
    "no images": Bad("evaluate net.ckpt empty --out scores", "empty: has no image/*.tif"),
    "no scenes": Bad("evaluate net.ckpt none --out scores", "none: has no image/*.tif"),
    "no labels": Bad("evaluate net.ckpt images --out scores", "images: has no labels"),
    "a label missing": Bad("evaluate net.ckpt unpaired --out scores", "height/x.tif: no such file"),
    "labels of text":
        Bad("evaluate net.ckpt words --out scores", "words/height/x.tif: cannot be"),
    "heights of a surface model":
        Bad("evaluate net.ckpt absolute --out scores", "absolute/height/x.tif: has no pixel near"),
    "labels without CRS":
        Bad("evaluate net.ckpt nowhere --out scores", "nowhere/height/x.tif: has"),
    "two folders of one domain":
        Bad("evaluate net.ckpt blank blank --out scores", "blank: would overwrite the maps of"),
    "labels that know nothing":
        Bad("evaluate net.ckpt blank --out scores", "blank/height: has no known pixel",
            leaves="scores/work"),
    "labels of no class":
        Bad("evaluate net.ckpt classes --out scores", "classes/landcover/x.tif: ",
            leaves="scores/work"),
    "scores into a file": Bad("evaluate net.ckpt good --out text.tif", "text.tif"),
    "no training domain":
        Bad("evaluate net.ckpt good --domain x --out scores", "domain x: the netw"),
    "scores of another network":
        Bad("evaluate other.ckpt good --out scores", "other.ckpt: is not a"),
    "cities into a file": Bad("cities --out text.tif", "text.tif"),
    "a demo into a file": Bad("demo --out text.tif", "text.tif"),
    "ndsm into no folder": Bad("ndsm dsm.tif --out none/new.tif", "its folder none does not exist"),
    "holes without a DTM": Bad("ndsm dsm.tif --holes 9 --out new.tif", "none is given"),
    "a building beside a DTM": Bad(
        "ndsm dsm.tif --dtm dtm.tif --building 9 --out new.tif", "which --dtm gives"
    ),
    "holes of a kilometre": Bad("ndsm dsm.tif --dtm dtm.tif --holes 1e6 --out new.tif", "at most"),
    "a building of no width": Bad("ndsm dsm.tif --building -1 --out new.tif", "building"),
    "no command": Bad("", "required: command"),
}
# fmt: on


class Bomb:
    """A pickle that makes a file when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("exploded"),))


def _rasters(at: Path) -> None:
    image = noise(3, EDGE, EDGE)
    good = write(at / "good.tif", image)
    write(at / "three.tif", image)
    write(at / "town_height.tif", image)
    write(at / "other" / "good.tif", image)
    write(at / "tall.tif", noise(3, 1200, EDGE), blockysize=4)
    (at / "zero.tif").touch()
    (at / "truncated.tif").write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    whole = write(at / "corrupt.tif", image, compress="deflate", blockysize=8).read_bytes()
    third = len(whole) // 3
    (at / "corrupt.tif").write_bytes(whole[:third] + bytes(third) + whole[2 * third :])
    write(at / "nowhere.tif", image, crs=None)
    rotated = Affine(GSD, 0.01, WEST, 0.01, -GSD, NORTH)
    write(at / "rotated.tif", image, transform=rotated)
    write(at / "placeless.tif", image, transform=None)
    write(at / "complex.tif", np.ones((3, EDGE, EDGE), np.complex64))
    write(at / "nodata.tif", np.zeros((3, EDGE, EDGE), np.uint8), nodata=0)
    write(at / "nan.tif", np.full((3, EDGE, EDGE), np.nan, np.float32))
    write(at / "masked.tif", image)
    (at / "masked.tif.msk").write_bytes(good.read_bytes()[:99])
    write(at / "coarse.tif", image, gsd=30.0)
    write(at / "local.tif", image, crs=CRS.from_wkt(LOCAL))
    write(at / "one.tif", image[:1])
    write(at / "four.tif", noise(4, EDGE, EDGE), photometric="MINISBLACK", alpha="NO")
    write(at / "sixteen.tif", image.astype(np.uint16), at=(EDGE, 0))
    write(at / "far.tif", image, at=(1e6 / GSD, 0))
    half = noise(3, EDGE, EDGE) | np.uint8(1)
    half[:, :, EDGE // 2 :] = 0
    write(at / "half.tif", half, nodata=0)


def _checkpoints(at: Path, trained: Path) -> None:
    shutil.copy(trained, at / "net.ckpt")
    (at / "half.ckpt").write_bytes(trained.read_bytes()[: trained.stat().st_size // 2])
    (at / "bomb.pkl").write_bytes(pickle.dumps(Bomb()))
    torch.save(Bomb(), at / "bomb.ckpt")
    torch.save({"weights": torch.zeros(3)}, at / "other.ckpt")
    torch.save(torch.zeros(3), at / "tensor.ckpt")
    loaded = torch.load(trained, weights_only=True)
    card, weights = loaded["semimtl_geo"], loaded["state_dict"]
    some = {key: value for key, value in weights.items() if "decoder" not in key}
    assert len(some) < len(weights)
    for name, saved in {
        "lacking": (card, some),
        "later": (card | {"format": 99}, weights),
        "odd": (card | {"crop": "wide", "mean": 3}, weights),
        "strange": (card | {"encoder": card["encoder"] | {"name": "tu-nonsense"}}, weights),
        "alone": (card | {"sources": 0, "system": "jtl"}, weights),
    }.items():
        torch.save({"semimtl_geo": saved[0], "state_dict": saved[1]}, at / f"{name}.ckpt")


def _areas(at: Path) -> None:
    def save(name: str, shape: Any, crs: str | None = "EPSG:32633") -> None:
        geopandas.GeoDataFrame(geometry=[shape], crs=crs).to_file(at / name)

    edge = EDGE * GSD
    save("far.gpkg", shapely.box(WEST + 5e4, NORTH, WEST + 6e4, NORTH + 1e4))
    save("nowhere.gpkg", shapely.box(WEST, NORTH - edge, WEST + edge, NORTH), None)
    save("points.gpkg", shapely.Point(WEST + 2, NORTH - 2))
    save("right.gpkg", shapely.box(WEST + 0.6 * edge, NORTH - edge, WEST + edge, NORTH))
    (at / "text.geojson").write_text("hello", encoding="utf-8")


def _others(at: Path) -> None:
    (at / "empty").mkdir()
    (at / "text.tif").write_text("hello", encoding="utf-8")
    (at / "taken" / "good_height.tif").mkdir(parents=True)
    (at / "styled" / "good_landcover.qml").mkdir(parents=True)
    (at / "linked").mkdir()
    (at / "linked" / ".good_height.tif.work").symlink_to(Path("..", "images"))
    classes, heights = np.ones((EDGE, EDGE), np.uint8), np.full((EDGE, EDGE), 9, np.float32)
    names = "<Category>ground</Category><Category>building</Category>"
    for folder, shown in {"pair": heights, "grids": heights[:-1], "nameless": heights}.items():
        write(at / folder / "x_landcover.tif", classes)
        write(at / folder / "x_height.tif", shown)
        if folder != "nameless":
            band = f'<PAMRasterBand band="1"><CategoryNames>{names}</CategoryNames></PAMRasterBand>'
            xml = f"<PAMDataset>{band}</PAMDataset>"
            (at / folder / "x_landcover.tif.aux.xml").write_text(xml, encoding="utf-8")
    (at / "words").mkdir()
    for name in ("landcover", "height"):
        (at / "words" / f"x_{name}.tif").write_text("hello", encoding="utf-8")
    write(at / "dsm.tif", heights)
    write(at / "flat.tif", heights, crs=None)
    write(at / "dtm.tif", heights, at=(1e6, 0))
    every = ("images", "unpaired", "words", "nowhere", "absolute", "blank", "classes", "good")
    for folder in every:
        write(at / folder / "image" / "x.tif", noise(3, EDGE, EDGE))
    for folder in ("unpaired", "words"):
        (at / folder / "height").mkdir()
    (at / "words" / "height" / "x.tif").write_text("hello", encoding="utf-8")
    write(at / "nowhere" / "height" / "x.tif", heights, crs=None)
    write(at / "absolute" / "height" / "x.tif", heights + 300)
    write(at / "blank" / "height" / "x.tif", np.full_like(heights, np.nan))
    write(at / "classes" / "landcover" / "x.tif", 99 * classes)
    write(at / "good" / "height" / "x.tif", np.zeros_like(heights))
    (at / "png" / "good_preview.png").mkdir(parents=True)


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory, run: Run) -> Path:
    """Make all that the commands name, and older maps of all rasters."""
    at = tmp_path_factory.mktemp("shelf") / "work"
    _rasters(at)
    _checkpoints(at, run.checkpoint)
    _areas(at)
    _others(at)
    (at / "maps").mkdir()
    for name in [*(path.stem for path in at.glob("*.tif")), "town"]:
        for made in ("landcover.tif", "height.tif", "landcover.qml", "height.tif.aux.xml"):
            (at / "maps" / f"{name}_{made}").write_text("older", encoding="utf-8")
    return at


def call(args: Sequence[str], first: str, limit: int) -> int:
    """Call the command after what comes before it; returns the exit code."""
    map_command.CLUSTER_TIMEOUT = 1
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    if first:
        globals()[first]()
    return cli.main(args)


def contents(folder: Path) -> dict[Path, bytes | None]:
    """Return all files below a folder with their bytes, and folders, hidden ones too."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize("bad", TABLE.values(), ids=TABLE)
def test_one_line_says_what_to_do(
    tmp_path: Path,
    shelf: Path,
    monkeypatch: pytest.MonkeyPatch,
    bad: Bad,
) -> None:
    folder = tmp_path / "work"
    shutil.copytree(shelf, folder, symlinks=True)
    monkeypatch.chdir(folder)
    with bad.beside():
        before = contents(folder)
        code, printed, text = fresh_process.run(call, bad.args, bad.first, bad.limit, folder=folder)
        after = contents(folder)
    assert code == 2, text
    # How far it had come is no fault.
    faults = [line for line in text.splitlines() if not PROGRESS.fullmatch(line)]
    assert len(faults) == 1, text
    line = faults[0]
    assert bad.says in line
    _, found, remedy = line.rpartition("; ")
    assert found
    assert remedy.strip()
    assert "Traceback" not in text
    made = {path.relative_to(folder) for path in after.keys() - before.keys()}
    if bad.leaves:
        assert not any(path.name.startswith(".") for path in made)
        made = {path for path in made if path.parent != Path(bad.leaves)}
    # An output folder may have been made already.
    assert made <= {Path("scores"), Path("scores/work")}
    changed = {path.name for path, data in before.items() if after.get(path, b"") != data}
    assert changed == ({"tall.tif"} if bad.first == "vanish" else set())
    assert printed == ""
