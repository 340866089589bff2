"""Rasters whose values, types, places or bytes are wrong, given to every command that reads one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import yaml
from rasterio import Affine
from rasterio.transform import from_origin

from tests.attacks.attack import MAP, Attack
from tests.example_folder import GSD, NORTH, SIZE, WEST

Change = Callable[[np.ndarray, dict[str, Any]], np.ndarray]


def _value(value: float, share: float, dtype: str = "float32") -> Change:
    """Set a share of the pixels of a raster to a value that it does not declare."""

    def change(pixels: np.ndarray, profile: dict[str, Any]) -> np.ndarray:
        pixels = pixels.astype(dtype)
        hit = np.random.default_rng(0).random(pixels.shape[1:]) < share
        pixels[:, hit] = value
        profile.update(dtype=dtype, nodata=None)
        return pixels

    return change


def _cast(dtype: str, factor: float = 1) -> Change:
    def change(pixels: np.ndarray, profile: dict[str, Any]) -> np.ndarray:
        profile.update(dtype=dtype, nodata=None)
        return (pixels.astype(np.float64) * factor).astype(dtype)

    return change


def _profile(**settings: Any) -> Change:
    def change(pixels: np.ndarray, profile: dict[str, Any]) -> np.ndarray:
        profile.update(settings)
        return pixels

    return change


def _crop(height: int, width: int) -> Change:
    def change(pixels: np.ndarray, profile: dict[str, Any]) -> np.ndarray:
        profile.update(height=height, width=width)
        return pixels[:, :height, :width]

    return change


def _moved(east: float, north: float, pixel: float = GSD) -> Change:
    return _profile(transform=from_origin(WEST + east, NORTH + north, pixel, pixel))


def _twice(pixels: np.ndarray, profile: dict[str, Any]) -> np.ndarray:
    profile.update(count=2 * len(pixels), photometric="MINISBLACK")
    return np.concatenate([pixels, pixels])


CHANGES: dict[str, Change] = {
    "one infinite": _value(np.inf, 0.0005),
    "a tenth infinite": _value(np.inf, 0.1),
    "minus infinity": _value(-np.inf, 0.1),
    "all infinite": _value(np.inf, 2),
    "all NaN": _value(np.nan, 2),
    "one NaN": _value(np.nan, 0.0005),
    "untagged -9999": _value(-9999, 0.2),
    "untagged lowest float": _value(float(np.finfo(np.float32).min), 0.2),
    "untagged 1e38": _value(1e38, 0.2),
    "beyond float32": _value(1e300, 0.2, "float64"),
    "denormal": _value(1e-40, 0.5),
    "heights of a surface model": _value(345.6, 2),
    "negative": _value(-5.0, 2),
    "halves": _value(1.5, 0.3),
    "class 200": _value(200, 0.3, "uint8"),
    "class 255": _value(255, 2, "uint8"),
    "all zero": _value(0, 2, "uint8"),
    "int8": _cast("int8"),
    "int16": _cast("int16"),
    "uint16": _cast("uint16", 257),
    "int32": _cast("int32"),
    "uint32": _cast("uint32"),
    "int64": _cast("int64"),
    "uint64": _cast("uint64"),
    "float32": _cast("float32"),
    "float64": _cast("float64"),
    "complex64": _cast("complex64"),
    "complex128": _cast("complex128"),
    "no CRS": _profile(crs=None),
    "degrees": _profile(crs="EPSG:4326"),
    "degrees in place": _profile(crs="EPSG:4326", transform=from_origin(9, 52, 1e-5, 1e-5)),
    "a place beyond the pole": _profile(crs="EPSG:4326", transform=from_origin(9, 97, 1e-5, 1e-5)),
    "feet": _profile(crs="EPSG:2263"),
    "earth-centred": _profile(crs="EPSG:4978"),
    "Mercator": _profile(crs="EPSG:3857"),
    "no transform": _profile(transform=None),
    "NaN transform": _profile(transform=Affine(GSD, 0, np.nan, 0, -GSD, NORTH)),
    "infinite transform": _profile(transform=Affine(GSD, 0, np.inf, 0, -GSD, NORTH)),
    "pixels of nothing": _profile(transform=Affine(0, 0, WEST, 0, 0, NORTH)),
    "pixels of 1e-12 m": _moved(0, 0, 1e-12),
    "pixels of 100 km": _moved(0, 0, 1e5),
    "pixels of 10 m": _moved(0, 0, 10),
    "pixels of 1e300 m": _moved(0, 0, 1e300),
    "oblong pixels": _profile(transform=Affine(GSD, 0, WEST, 0, -9 * GSD, NORTH)),
    "rotated": _profile(transform=Affine(GSD, 0.1, WEST, 0.1, -GSD, NORTH)),
    "south up": _profile(transform=Affine(GSD, 0, WEST, 0, GSD, NORTH)),
    "mirrored": _profile(transform=Affine(-GSD, 0, WEST, 0, -GSD, NORTH)),
    "1000 km away": _moved(1e6, 0),
    "1e15 m away": _moved(1e15, 0),
    "moved by a third of a pixel": _moved(GSD / 3, GSD / 3),
    "one pixel": _crop(1, 1),
    "one row": _crop(1, SIZE),
    "one column": _crop(SIZE, 1),
    "twice the bands": _twice,
    "nodata NaN": _profile(nodata=np.nan, dtype="float32"),
    "nodata 0": _profile(nodata=0),
    "nodata beyond the type": _profile(nodata=1e30, dtype="float32"),
}


def changed(path: Path, change: Change) -> None:
    """Write a raster anew with other pixels or another profile."""
    with rasterio.open(path) as file:
        pixels, profile, names = file.read(), dict(file.profile), file.descriptions
    profile.pop("tiled", None)
    pixels = change(pixels, profile)
    path.unlink()
    with rasterio.open(path, "w", **profile) as file:
        file.write(pixels.astype(profile["dtype"]))
        if len(names) == file.count:
            file.descriptions = names


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "ten bytes": lambda data: data[:10],
    "half": lambda data: data[: len(data) // 2],
    "no last byte": lambda data: data[:-1],
    "zeros in the middle": lambda data: data[:9000] + bytes(3000) + data[12000:],
    "a damaged header": lambda data: data[:4] + b"\xff\xff\xff\x7f" + data[8:],
    "damaged tags": lambda data: data[:-400] + bytes(range(200)) * 2,
    "text": lambda data: b"this is no raster\n" * 50,
    "a pickle": lambda data: b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x07os.exit\x94.",
    "an XML bomb": lambda data: (
        b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">'
        + b"".join(
            f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">'.encode() for i in range(9)
        )
        + b"]><VRTDataset>&j;</VRTDataset>"
    ),
    "a VRT of itself": lambda data: (
        b'<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand dataType="Byte" band="1">'
        b'<SimpleSource><SourceFilename relativeToVRT="1">ortho.tif</SourceFilename>'
        b"<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    ),
    "a VRT of 10^9 px": lambda data: (
        b'<VRTDataset rasterXSize="1000000000" rasterYSize="1000000000"><SRS>EPSG:25832</SRS>'
        b"<GeoTransform>500000, 0.5, 0, 5800000, 0, -0.5</GeoTransform>"
        b'<VRTRasterBand dataType="Byte" band="1"/></VRTDataset>'
    ),
}


def damaged(path: Path, damage: Callable[[bytes], bytes]) -> None:
    """Write a file anew with other bytes."""
    path.write_bytes(damage(path.read_bytes()))


SCENES_YAML: dict[str, Any] = {
    "image": {"bands": [1, 2, 3]},
    "classes": [
        {"name": "ground", "color": [255, 255, 255], "values": [2]},
        {"name": "building", "color": [0, 0, 255], "values": [1]},
    ],
    "split": {"train": ["x"]},
}
"""Settings with which the good files are prepared."""


def _folder(folder: Path) -> None:
    """Lay out the files of ``prepare folder``: one scene of image, land cover and heights."""
    for name, kind in (("ortho", "image"), ("landcover", "landcover"), ("height", "height")):
        target = folder / "raw" / kind / "x.tif"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((folder / f"{name}.tif").read_bytes())
    text = yaml.safe_dump(SCENES_YAML)
    (folder / "raw" / "scenes.yaml").write_text(text, encoding="utf-8")


TRAIN = (
    "train",
    "--config=base.yaml",
    "--data.root=data",
    "--data.crop=32",
    "--data.batch_size=1",
    "--data.iterations=1",
    "--model.encoder.options={channels: [8, 8, 16, 16], stem_width: 8}",
    "--model.decoder_width=16",
    "--model.discriminator_width=4",
    "--trainer.max_epochs=1",
    "--trainer.accelerator=cpu",
    "--trainer.limit_val_batches=0",
    "--out=run",
)
SCENES = "data/city_a/train"
TARGETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "map": ("ortho.tif", (*MAP, "ortho.tif")),
    "map re-estimated": (
        "ortho.tif",
        ("map", "--model", "semimtl.ckpt", "--out", "maps", "ortho.tif"),
    ),
    "merge": ("ortho.tif", (*MAP, "ortho.tif", "second.tif", "--merge", "town")),
    "evaluate image": (
        "data/city_a/val/image/city_a_val_000.tif",
        ("evaluate", "--model", "semimtl.ckpt", "--domain", "city_a", "data/city_a/val"),
    ),
    "evaluate heights": (
        "data/city_a/val/height/city_a_val_000.tif",
        ("evaluate", "--model", "semimtl.ckpt", "--domain", "city_a", "data/city_a/val"),
    ),
    "evaluate classes": (
        "data/city_a/val/landcover/city_a_val_000.tif",
        ("evaluate", "--model", "semimtl.ckpt", "--domain", "city_a", "data/city_a/val"),
    ),
    "look": (f"{SCENES}/height/city_a_train_000.tif", ("look", "data", "--out", "looked.png")),
    "ndsm": ("dsm.tif", ("ndsm", "dsm.tif", "--dtm", "dtm.tif", "--out", "new.tif")),
    "ndsm filtered": ("dsm.tif", ("ndsm", "dsm.tif", "--out", "new.tif")),
    "ndsm terrain": ("dtm.tif", ("ndsm", "dsm.tif", "--dtm", "dtm.tif", "--out", "new.tif")),
    "buildings classes": (
        "pair/x_landcover.tif",
        ("buildings", "pair", "--out", "outlines"),
    ),
    "buildings heights": ("pair/x_height.tif", ("buildings", "pair", "--out", "outlines")),
    "prepare image": ("raw/image/x.tif", ("prepare", "folder", "--raw", "raw", "--out", "made")),
    "prepare heights": ("raw/height/x.tif", ("prepare", "folder", "--raw", "raw", "--out", "made")),
    "prepare classes": (
        "raw/landcover/x.tif",
        ("prepare", "folder", "--raw", "raw", "--out", "made"),
    ),
    "train image": (f"{SCENES}/image/city_a_train_000.tif", TRAIN),
    "train classes": (f"{SCENES}/landcover/city_a_train_000.tif", TRAIN),
    "train heights": ("data/city_b/train/height/city_b_train_000.tif", TRAIN),
}
"""The file that is changed, and the command, by name."""


def lay_out(folder: Path) -> None:
    """Add the files that some commands want, beside those of the example folder."""
    _folder(folder)
    (folder / "pair").mkdir()
    for name in ("landcover", "height"):
        (folder / "pair" / f"x_{name}.tif").write_bytes((folder / f"{name}.tif").read_bytes())
    with rasterio.open(folder / "ortho.tif") as file:
        pixels, profile = file.read(), dict(file.profile)
    profile["transform"] = from_origin(WEST + SIZE * GSD, NORTH, GSD, GSD)
    with rasterio.open(folder / "second.tif", "w", **profile) as file:
        file.write(pixels)


def attacks() -> Iterator[Attack]:
    """Yield every change and damage of the file that each command reads."""
    for target, (file, command) in TARGETS.items():
        harms: dict[str, Callable[[Path], None]] = {
            name: partial(changed, change=change) for name, change in CHANGES.items()
        }
        for name, damage in DAMAGES.items():
            if command[0] != "train" or name in ("half", "zeros in the middle", "empty"):
                harms[name] = partial(damaged, damage=damage)
        for name, harm in harms.items():
            yield Attack(f"{target}: {name}", command, partial(_harm, file=file, harm=harm))


def _harm(folder: Path, file: str, harm: Callable[[Path], None]) -> None:
    harm(folder / file)
