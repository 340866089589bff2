from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS

import tiles.datasets.chip_reader
from tests.rasters import GSD, NORTH, WEST, noise, write
from tiles.datasets.chip_reader import ChipReader
from tiles.datasets.rasters import Orthophotos, ValueRasters
from tiles.datasets.scenes import scene_dataset
from tiles.mosaic.batches import Batch, TileBatches
from tiles.mosaic.tiling import TilingPlan
from tiles.reading.source import Source

SIZE = 100
KINDS = ("image", "classes", "height")


def reader(
    gsd: float, kind: str = "image", bands: tuple[int, ...] = (1,), files: int = 1
) -> ChipReader:
    return ChipReader(CRS.from_epsg(32633), (gsd, gsd), bands, files, kind == "classes")


def place(column: float, row: float, size: int, gsd: float) -> tuple[slice, slice]:
    """`size` pixels of `gsd`, whose corner is at (column, row) of them."""
    x, y = WEST + column * gsd, NORTH - row * gsd
    return slice(x, x + size * gsd), slice(y - size * gsd, y)


def holed(kind: str, size: int = SIZE) -> np.ndarray:
    """Data of which a tenth is unknown: 0."""
    rng = np.random.default_rng(0)
    data: np.ndarray = {
        "image": noise(3, size, size),
        "classes": rng.integers(1, 7, (1, size, size), dtype=np.uint8),
        "height": rng.gamma(2, 3, (1, size, size)).astype(np.float32),
    }[kind]
    data[:, rng.random(data.shape[1:]) < 0.1] = 0
    return data


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    ratio=st.sampled_from([0.5, 1.0, 1.8, 2.0, 2.5, 3.0]),
    column=st.integers(-20, 110),
    row=st.integers(-20, 110),
    kind=st.sampled_from(KINDS),
)
@example(ratio=1.8, column=-11, row=-10, kind="image")  # a single column
@example(ratio=1.8, column=54, row=43, kind="height")  # and the last one
def test_kept_pixels_are_those_that_are_read(
    tmp_path_factory: pytest.TempPathFactory,
    ratio: float,
    column: int,
    row: int,
    kind: str,
) -> None:
    """Also at the edges of a file and beyond them."""
    path = tmp_path_factory.getbasetemp() / "kept" / f"{kind}.tif"
    data = holed(kind)
    if not path.exists():
        write(path, data, nodata=0)
    bands, gsd = tuple(range(1, len(data) + 1)), ratio * GSD
    where = place(column, row, 12, gsd)
    chips = reader(gsd, kind, bands)
    values, known = chips.read(str(path), *where)
    assert chips._kept[str(path)]
    # So many files that none may be kept.
    anew = reader(gsd, kind, bands, files=10**9)
    expected, expected_known = anew.read(str(path), *where)
    assert not any(anew._kept.values())
    np.testing.assert_array_equal(known, expected_known)
    # The same weights but for rounding.
    tolerance = {"image": 1e-4, "classes": 0, "height": 1e-5}[kind]
    difference = np.abs(values[:, known].astype(float) - expected[:, known])
    assert difference.size == 0 or difference.max() <= tolerance


@pytest.mark.parametrize("files", [1, 10**9], ids=["kept", "anew"])
@pytest.mark.parametrize("column", [40, 40.9, -1, -0.3])
def test_nothing_is_stretched_at_an_edge(tmp_path: Path, files: int, column: float) -> None:
    """100 pixels are 55.56 of 1.8 times their size: a part of a pixel has the mean of this part."""
    path = write(tmp_path / "a.tif", np.arange(SIZE, dtype=np.float32)[None].repeat(SIZE, 0))
    where = place(column, 10, 20, 1.8 * GSD)
    values, known = reader(1.8 * GSD, files=files).read(str(path), *where)
    start = column + np.arange(20)
    centre = (start + 0.5 >= 0) & (start + 0.5 <= SIZE / 1.8)
    # By hand: pixel n of the ramp is n from n to n + 1.
    parts = [np.arange(max(0, 1.8 * x), min(SIZE, 1.8 * (x + 1)), 1e-3) for x in start[centre]]
    expected = np.array([np.floor(part).mean() for part in parts])
    np.testing.assert_allclose(values[0, 3, centre], expected, atol=0.01)
    np.testing.assert_array_equal(known[3], centre)


def test_files_of_another_crs_are_averaged_too(tmp_path: Path) -> None:
    """The two differ by name alone, so that pixels lie where they lay."""
    data = holed("height")
    paths = [
        write(tmp_path / f"{crs}.tif", data, nodata=0, crs=f"EPSG:{crs}") for crs in (32633, 25833)
    ]
    (same, here), (other, there) = (
        reader(2 * GSD, "height").read(str(path), *place(5, 9, 20, 2 * GSD)) for path in paths
    )
    both = here & there
    assert both.mean() > 0.75
    np.testing.assert_allclose(other[:, both], same[:, both], rtol=1e-3)


def test_a_file_is_read_once(tmp_path: Path) -> None:
    """What is kept is there when the file is not."""
    image = noise(1, SIZE, SIZE)
    path = write(tmp_path / "a.tif", image)
    chips = reader(GSD)
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
    monkeypatch.setattr(tiles.datasets.chip_reader, "CACHE_BYTES", 2 * room)
    path = write(tmp_path / "a.tif", noise(3, SIZE, SIZE))
    chips = reader(GSD, bands=(1, 2, 3), files=2)
    chips.read(str(path), *place(0, 0, 8, GSD))
    assert (chips._kept[str(path)] is not None) == kept


def test_what_is_kept_stays_in_its_process(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", noise(1, 200, 200))
    chips = reader(GSD)
    chips.read(str(path), *place(0, 0, 8, GSD))
    assert len(pickle.dumps(chips)) < 10_000


def test_torchgeo_may_change_the_resolution(tmp_path: Path) -> None:
    """Data sets that are joined by torchgeo's `&` get the first one's."""
    write(tmp_path / "image/a.tif", noise(1, SIZE, SIZE))
    write(tmp_path / "height/a.tif", holed("height"), nodata=0)
    coarse = 2.5 * GSD
    heights = ValueRasters(tmp_path / "height", "height")
    query: Any = (*place(2, 3, 12, coarse), slice(None))
    heights[(*place(0, 0, 8, GSD), slice(None))]
    joined = Orthophotos(tmp_path / "image", [1], coarse) & heights
    expected = scene_dataset(tmp_path, {"height": "values"}, [1], coarse)[query]
    assert expected["height"].shape == (12, 12)
    np.testing.assert_array_equal(joined[query]["height"], expected["height"])


@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.25, 2.0, 3.0])
@pytest.mark.parametrize("files", [1, 10**9], ids=["kept", "anew"])
def test_a_chip_is_the_tile_of_the_same_place(tmp_path: Path, ratio: float, files: int) -> None:
    """A network sees in training what the mosaicker shows it: the same averages of known pixels."""
    path = write(tmp_path / "a.tif", holed("image", 120), nodata=0)
    size, bands = 16, (1, 2, 3)
    with Source(path, bands) as source:
        network = source.grid.resampled(ratio * GSD)
        plan = TilingPlan(source.grid, network, tile=size, overlap=4)
        fill = np.zeros(3, np.float32)
        batches = list(TileBatches(source, plan, plan.panels[0], 1, fill))
    compared = 0
    for batch in batches:
        if isinstance(batch, Batch):
            ((row, column),) = batch.tiles
            where = place(plan.columns[column], plan.rows[row], size, ratio * GSD)
            values, known = reader(ratio * GSD, "image", bands, files).read(str(path), *where)
            chip = np.where(known, values, 0)
            np.testing.assert_allclose(batch.images[0], chip, rtol=1e-5, atol=1e-4)
            compared += 1
    assert compared > 4
