"""Laser points of a drawn village, whose heights and classes are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import laspy
import numpy as np
import pyproj
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from semimtl_geo.prepare import prepare
from semimtl_geo.prepare.points import Points
from semimtl_geo.prepare.points.registration import measure_offset
from tiles.errors import InputError

WEST, NORTH, SIZE = 500_000.0, 5_300_000.0, 120.0
FOOT = 1200 / 3937
IMPERVIOUS, BUILDING, LOW_VEGETATION, TREE, UNKNOWN = 0, 1, 2, 3, 255


def village(codes: bool = False, seed: int = 0) -> dict[str, Any]:
    """Draw 12 returns per square metre of a slope of 5 %: street, lawn, house, and a tree."""
    random = np.random.default_rng(seed)
    x, y = random.uniform(0, SIZE, (2, int(12 * SIZE**2)))
    ground = 100 + 0.05 * x
    house = (abs(x - 30) < 10) & (abs(y - 60) < 15)
    tree = np.hypot(x - 85, y - 60) < 12
    street = y < 25
    height = np.where(house, 6.0, 0.0)
    through = tree & (random.random(len(x)) < 0.2)  # pulses that reach the ground
    height = np.where(tree & ~through, 9 + 3 * random.random(len(x)), height)
    grass = ~(house | tree | street)
    classes = np.where(height == 0, 2, 1)
    if codes:
        classes = np.select([house, tree & ~through], [6, 5], classes)
    return {
        "x": WEST + x,
        "y": NORTH + y,
        "z": ground + height,
        "classes": classes,
        "return_number": np.where(through | (tree & (random.random(len(x)) < 0.3)), 2, 1),
        "intensity": np.where(grass | tree, 200, 60) + random.integers(0, 9, len(x)),
        "red": np.where(grass | tree, 70, 160) + random.integers(0, 9, len(x)),
        "green": np.where(grass | tree, 120, 150) + random.integers(0, 9, len(x)),
    }


def write_las(
    path: Path,
    points: dict[str, Any],
    crs: str | None = "EPSG:32632",
    white: int = 65535,
    chosen: Any = slice(None),
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    header = laspy.LasHeader(point_format=7, version="1.4")
    header.scales = [0.001] * 3
    header.offsets = [round(float(points[axis].min())) for axis in "xyz"]
    if crs is not None:
        header.add_crs(pyproj.CRS(crs))
    file = laspy.LasData(header)
    file.x, file.y, file.z = (points[axis][chosen] for axis in "xyz")
    file.classification = points["classes"][chosen]
    file.return_number = points["return_number"][chosen]
    file.intensity = points["intensity"][chosen]
    for band, color in (("red", "red"), ("green", "green"), ("blue", "red")):
        file[band] = points[color][chosen] * (white // 255)
    file.write(path)


def run(raw: Path, out: Path, **options: Any) -> dict[str, Any]:
    """Prepare, and read all scenes: arrays by layer and name."""
    prepare("points", Points(**options), raw, out)
    found = {}
    for file in sorted(out.rglob("*.tif")):
        with rasterio.open(file) as raster:
            found[file.parent.name, file.stem] = raster.read().squeeze()
            found["grid"] = raster.crs, raster.transform
    return found


def truth(step: float = 0.5) -> tuple[Any, Any]:
    """Return the heights and classes of pixels, and 255 where edges and rims may differ."""
    cells = round(SIZE / step)
    x, y = np.meshgrid((np.arange(cells) + 0.5) * step, SIZE - (np.arange(cells) + 0.5) * step)
    house = np.maximum(abs(x - 30) - 10, abs(y - 60) - 15)
    tree = np.hypot(x - 85, y - 60) - 12
    classes = np.where(y < 25, IMPERVIOUS, LOW_VEGETATION)
    classes[house < 0], classes[tree < 0] = BUILDING, TREE
    edge = (abs(house) < 1.5) | (abs(tree) < 2.5) | (abs(y - 25) < 2)
    return np.where(house < 0, 6.0, 0.0), np.where(edge, UNKNOWN, classes)


@pytest.mark.parametrize("codes", [False, True])
def test_heights_and_classes(codes: bool, tmp_path: Path) -> None:
    """The surface minus the slope below it, and the classes, by rules and by codes."""
    write_las(tmp_path / "raw/a.laz", village(codes))
    made = run(tmp_path / "raw", tmp_path / "out")
    heights, classes = truth()
    assert made["grid"][1][:6] == (0.5, 0, WEST, 0, -0.5, NORTH + SIZE)
    known = (classes != UNKNOWN) & (made["landcover", "a"] != UNKNOWN)
    assert known.mean() > 0.85
    assert (made["landcover", "a"] == classes)[known].mean() > 0.99
    ground = known & (classes != TREE)
    assert np.abs(made["height", "a"] - heights)[ground].max() < 0.1
    crown = made["height", "a"][classes == TREE]
    assert crown.min() > 8.5  # pits are closed
    red = made["image", "a"][0].astype(float)
    assert abs(np.median(red[classes == LOW_VEGETATION]) - 74) < 2


def test_feet_and_colors_of_8_bits(tmp_path: Path) -> None:
    """Kentucky's points: feet in all axes, 8-bit colours in 16-bit fields, written in metres."""
    points = village()
    feet = pyproj.Transformer.from_crs("EPSG:3088", "EPSG:3089", always_xy=True)
    x, y = feet.transform(points["x"], points["y"])
    write_las(
        tmp_path / "raw/a.las",
        {**points, "x": x, "y": y, "z": points["z"] / FOOT},
        crs="EPSG:3089",
        white=255,
    )
    made = run(tmp_path / "raw", tmp_path / "out")
    crs, transform = made["grid"]
    assert crs.to_epsg() == 3088
    assert transform[:6] == (0.5, 0, WEST, 0, -0.5, NORTH + SIZE)
    _, classes = truth()
    roof = made["height", "a"][classes == BUILDING]
    np.testing.assert_allclose(roof, 6.0, atol=0.1)
    assert abs(np.median(made["image", "a"][0][classes == LOW_VEGETATION].astype(float)) - 74) < 2


def test_tiles_of_one_place_have_no_seam(tmp_path: Path) -> None:
    """Two files make the pixels that one makes, though the house stands in both."""
    points = village()
    write_las(tmp_path / "one/all.laz", points)
    whole = run(tmp_path / "one", tmp_path / "out")
    west = points["x"] < WEST + 31
    write_las(tmp_path / "two/a.laz", points, chosen=west)
    write_las(tmp_path / "two/b.laz", points, chosen=~west)
    parts = run(tmp_path / "two", tmp_path / "out", test=("b",))
    for layer in ("landcover", "height", "image"):
        joined = np.concatenate([parts[layer, "a"], parts[layer, "b"]], axis=-1)
        # The trend of the terrain is computed in blocks of cells that begin with a scene.
        assert np.isclose(joined, whole[layer, "all"], atol=0.01).mean() > 0.999, layer


def test_noise_and_withheld_points_do_not_count(tmp_path: Path) -> None:
    points = village()
    points["classes"][:500], points["classes"][500:1000] = 7, 18
    points["z"][:500] -= 50
    points["z"][500:1000] += 300
    write_las(tmp_path / "raw/a.las", points)
    made = run(tmp_path / "raw", tmp_path / "out")
    assert made["height", "a"].max() < 13


def test_a_stopped_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    points = village()
    west = points["x"] < WEST + SIZE / 2
    write_las(tmp_path / "raw/a.laz", points, chosen=west)
    write_las(tmp_path / "raw/b.laz", points, chosen=~west)
    run(tmp_path / "raw", tmp_path / "out")
    before = {file: file.read_bytes() for file in (tmp_path / "out").rglob("*.tif")}
    assert len(before) == 6
    for file in before:
        if file.parent.name != "height" or file.stem == "b":
            file.unlink()
    run(tmp_path / "raw", tmp_path / "out")
    assert {file: file.read_bytes() for file in before} == before


def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    with pytest.raises(InputError, match="no laser points"):
        run(raw, tmp_path / "out")
    write_las(raw / "a.laz", village(), crs=None)
    with pytest.raises(InputError, match=r"a\.laz: names no coordinate.*--points-crs"):
        run(raw, tmp_path / "out")
    made = run(raw, tmp_path / "out", points_crs="EPSG:32632")
    assert made["grid"][0].to_epsg() == 32632
    cut = (raw / "a.laz").read_bytes()
    (raw / "a.laz").write_bytes(cut[: len(cut) // 2])
    with pytest.raises(InputError, match=r"a\.laz: cannot be read as laser points"):
        run(raw, tmp_path / "again", points_crs="EPSG:32632")
    assert not list((tmp_path / "again").rglob("*.tif"))


@settings(max_examples=10, deadline=None)
@given(st.integers(-3, 3), st.integers(-3, 3), st.integers(120, 150), st.integers(120, 150))
def test_offsets_are_measured(south: int, east: int, rows: int, columns: int) -> None:
    """An image moved by whole cells, with its contrast reversed, is moved back."""
    photo = np.random.default_rng(1).random((rows, columns)).astype(np.float32)
    laser = -np.roll(photo, (south, east), (0, 1))
    everywhere = np.ones(photo.shape, bool)
    assert measure_offset(laser, photo, everywhere, gsd=1.0) == (-east, south)
