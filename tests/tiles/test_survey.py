from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from tiles.survey import survey


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


def test_tiles_are_spread_evenly(numbered: Path) -> None:
    batches = survey(numbered, tile=4, count=8, batch_size=3)
    assert [len(batch) for batch in batches] == [3, 3, 2]
    found = [float(tile.mean()) for batch in batches for tile in batch]
    assert found == [1, 9, 17, 25, 33, 41, 49, 57]
    assert all((tile == tile.mean()).all() for batch in batches for tile in batch)


def test_all_known_tiles_if_there_are_no_more(numbered: Path) -> None:
    found = [float(tile.mean()) for batch in survey(numbered, tile=4, count=999) for tile in batch]
    assert found == list(range(1, 64))


def test_at_another_gsd(numbered: Path) -> None:
    (batch,) = survey(numbered, tile=2, count=8, gsd=1.0)
    assert [float(tile.mean()) for tile in batch] == [1, 9, 17, 25, 33, 41, 49, 57]
