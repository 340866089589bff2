from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.enums import Resampling

import tiles.chips
from tests.rasters import GSD, NORTH, WEST, noise, write
from tiles.chips import ChipReader
from tiles.scenes import Orthophotos, ValueRasters, scene_dataset

SIZE = 60


def reader(path: Path, gsd: float, bands: tuple[int, ...] = (1,), files: int = 1) -> ChipReader:
    with rasterio.open(path) as file:
        crs = file.crs
    how = Resampling.bilinear, Resampling.average
    return ChipReader(crs, (gsd, gsd), bands, files, *how)


def place(column: float, row: float, size: int, gsd: float) -> tuple[slice, slice]:
    """`size` pixels of `gsd`, whose corner is at (column, row) of them."""
    x, y = WEST + column * gsd, NORTH - row * gsd
    return slice(x, x + size * gsd), slice(y - size * gsd, y)


def holed(seed: int) -> np.ndarray:
    """Heights of which a tenth are unknown."""
    rng = np.random.default_rng(seed)
    heights = rng.gamma(2, 3, (SIZE, SIZE)).astype(np.float32)
    heights[rng.random(heights.shape) < 0.1] = -9999
    return heights


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    ratio=st.sampled_from([0.5, 1.0, 1.8, 2.5, 3.0]),
    column=st.floats(-4, 20),
    row=st.floats(-4, 20),
    whole=st.booleans(),
    kind=st.sampled_from(["image", "height"]),
)
def test_kept_pixels_are_those_that_are_read(
    tmp_path_factory: pytest.TempPathFactory,
    ratio: float,
    column: float,
    row: float,
    whole: bool,
    kind: str,
) -> None:
    """On the pixels of a file, between them and beyond its edges."""
    root = tmp_path_factory.getbasetemp() / "kept"
    path = root / f"{kind}.tif"
    if not path.exists():
        data = noise(3, SIZE, SIZE) if kind == "image" else holed(0)
        write(path, data, nodata=None if kind == "image" else -9999)
    bands, gsd = ((1, 2, 3) if kind == "image" else (1,)), ratio * GSD
    if whole:
        column, row = round(column), round(row)
    where = place(column, row, 12, gsd)
    values, known = reader(path, gsd, bands).read(str(path), *where)
    # So many files that none may be kept.
    expected, expected_known = reader(path, gsd, bands, files=10**9).read(str(path), *where)
    np.testing.assert_array_equal(known, expected_known)
    # The same weights to the last bit but one: integers may be rounded up or down.
    tolerance = 1 if kind == "image" else 1e-5
    difference = np.abs(values[:, known].astype(float) - expected[:, known])
    assert difference.size == 0 or difference.max() <= tolerance


def test_a_file_is_read_once(tmp_path: Path) -> None:
    """What is kept is there when the file is not."""
    image = noise(1, SIZE, SIZE)
    path = write(tmp_path / "a.tif", image)
    chips = reader(path, GSD)
    chips.read(str(path), *place(0, 0, 8, GSD))
    chips._open_files.popitem()[1].close()
    path.unlink()
    values, known = chips.read(str(path), *place(31, 17, 20, GSD))
    np.testing.assert_array_equal(values, image[:, 17:37, 31:51])
    assert known.all()


@pytest.mark.parametrize(
    ("room", "kept"), [(3 * SIZE**2 + SIZE**2, True), (4 * SIZE**2 - 1, False)]
)
def test_no_more_is_kept_than_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, kept: bool
) -> None:
    """Two files of three bands of bytes, and a byte that says whether a pixel is known."""
    monkeypatch.setattr(tiles.chips, "KEPT", 2 * room)
    path = write(tmp_path / "a.tif", noise(3, SIZE, SIZE))
    chips = reader(path, GSD, (1, 2, 3), files=2)
    chips.read(str(path), *place(0, 0, 8, GSD))
    assert (chips._kept[str(path)] is not None) == kept


def test_what_is_kept_stays_in_its_process(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", noise(1, 200, 200))
    chips = reader(path, GSD)
    chips.read(str(path), *place(0, 0, 8, GSD))
    assert len(pickle.dumps(chips)) < 10_000


def test_torchgeo_may_change_the_resolution(tmp_path: Path) -> None:
    """Data sets that are joined by torchgeo's `&` get the first one's."""
    write(tmp_path / "image/a.tif", noise(1, SIZE, SIZE))
    write(tmp_path / "height/a.tif", holed(1), nodata=-9999)
    coarse = 2.5 * GSD
    heights = ValueRasters(tmp_path / "height", "height")
    query: Any = (*place(2, 3, 12, coarse), slice(None))
    heights[(*place(0, 0, 8, GSD), slice(None))]
    joined = Orthophotos(tmp_path / "image", [1], coarse) & heights
    expected = scene_dataset(tmp_path, {"height": "values"}, [1], coarse)[query]
    assert expected["height"].shape == (12, 12)
    np.testing.assert_array_equal(joined[query]["height"], expected["height"])
