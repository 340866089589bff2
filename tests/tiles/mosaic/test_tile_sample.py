from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
import torch
from rasterio.transform import from_origin

from tiles.mosaic.tile_sample import sample_source, sample_tiles
from tiles.reading.source import Source
from tiles.types import Span


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """8 x 8 tiles of 4 px, each filled with its number from 1 to 64; the last is nodata (0)."""
    numbers = np.arange(1, 65, dtype=np.uint8).reshape(8, 8)
    numbers[-1, -1] = 0
    path = tmp_path / "numbered.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=32,
        height=32,
        count=1,
        dtype="uint8",
        nodata=0,
        crs="EPSG:32633",
        transform=from_origin(4e5, 5.5e6, 0.5, 0.5),
    ) as file:
        file.write(np.kron(numbers, np.ones((4, 4), np.uint8)), 1)
    return path


def numbers_of(batches: list[torch.Tensor]) -> list[int]:
    """Numbers of the tiles, each of which shows nothing else."""
    tiles = [tile for batch in batches for tile in batch]
    assert all((tile == tile.mean()).all() for tile in tiles)
    return [int(tile.mean()) for tile in tiles]


def test_tiles_come_from_all_over(numbered: Path) -> None:
    batches = sample_tiles(numbered, tile=4, count=20, batch_size=8)
    assert [len(batch) for batch in batches] == [8, 8, 4]
    found = np.array(numbers_of(batches)) - 1
    assert len(set(found)) == 20
    # Of 8 rows and 8 columns, 20 tiles drawn at random miss one or two at most, as good as always.
    assert len(set(found // 8)) >= 6
    assert len(set(found % 8)) >= 6
    assert numbers_of(sample_tiles(numbered, tile=4, count=20)) == numbers_of(batches)


def test_all_known_tiles_if_there_are_no_more(numbered: Path) -> None:
    assert sorted(numbers_of(sample_tiles(numbered, tile=4, count=999))) == list(range(1, 64))


def test_as_many_as_are_wanted_where_most_is_unknown(numbered: Path) -> None:
    with rasterio.open(numbered, "r+") as file:
        values = file.read()
        values[..., :24] = 0
        file.write(values)
    found = numbers_of(sample_tiles(numbered, tile=4, count=12))
    assert len(set(found)) == 12
    assert {(number - 1) % 8 for number in found} == {6, 7}


def test_at_another_gsd(numbered: Path) -> None:
    found = numbers_of(sample_tiles(numbered, tile=2, count=8, gsd=1.0))
    assert len(set(found)) == 8


def test_only_where_an_area_is(
    numbered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    area = shapely.box(4e5 + 2.5, 5.5e6 - 3.5, 4e5 + 5.5, 5.5e6 - 2.5)  # in tiles 10 and 11
    frame = geopandas.GeoDataFrame(geometry=[area], crs="EPSG:32633")
    frame.to_file(tmp_path / "area.gpkg")
    with Source(numbered) as source:
        read = source.read
        windows = []

        def watched(rows: Span, columns: Span) -> tuple[Any, Any]:
            windows.append((rows, columns))
            return read(rows, columns)

        monkeypatch.setattr(source, "read", watched)
        batches = sample_source(source, tile=4, count=99, area=tmp_path / "area.gpkg")
    assert sorted(numbers_of(batches)) == [10, 11]
    # Nothing else is read: the raster may be a large one on a server.
    assert sorted(windows) == [((4, 8), (4, 8)), ((4, 8), (8, 12))]
