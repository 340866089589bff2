from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.transform import from_origin

from tiles.errors import InputError
from tiles.grid import PixelGrid, tile_starts
from tiles.mosaic.tiling import TilingPlan

UTM = CRS.from_epsg(32632)


def grid(width: int = 100, height: int = 60, size: float = 0.05, crs: CRS = UTM) -> PixelGrid:
    return PixelGrid(crs, from_origin(400_000.0, 5_500_000.0, size, size), width, height)


@given(st.integers(1, 300), st.integers(1, 64), st.data())
def test_tiles_cover_every_pixel_and_end_with_the_axis(
    length: int, tile: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, tile - 1))
    starts = tile_starts(length, tile, overlap)
    covered = np.zeros(max(length, tile), bool)
    for start in starts:
        covered[start : start + tile] = True
    assert covered.all()
    assert starts[0] == 0
    assert starts == tuple(sorted(set(starts)))
    assert starts[-1] + tile == max(length, tile)
    assert all(b - a <= tile - overlap for a, b in pairwise(starts))


@pytest.mark.parametrize(("tile", "overlap"), [(0, 0), (-4, 0), (8, 8), (8, 9), (8, -1)])
def test_impossible_tiles_are_refused(tile: int, overlap: int) -> None:
    with pytest.raises(InputError, match="px"):
        tile_starts(100, tile, overlap)


def test_resampled_grid_has_the_same_extent() -> None:
    fine = grid(900, 450)
    coarse = fine.resampled(0.09)
    assert (coarse.width, coarse.height) == (500, 250)
    assert coarse.gsd == pytest.approx(0.09)
    assert coarse.bounds == pytest.approx(fine.bounds, rel=1e-15)
    assert fine.has_gsd(0.0504)
    assert not fine.has_gsd(0.051)


def test_resampled_grid_never_vanishes() -> None:
    assert (grid(1, 3).resampled(10.0).width, grid(1, 3).resampled(10.0).height) == (1, 1)


def test_ground_sampling_distance_is_in_metres() -> None:
    feet = grid(crs=CRS.from_epsg(2263), size=1.0)
    assert feet.gsd == pytest.approx(0.3048, rel=1e-4)
    degrees = PixelGrid(CRS.from_epsg(4326), from_origin(9, 60.0005, 1e-5, 1e-5), 100, 100)
    east, north = degrees.pixel_size
    assert north == pytest.approx(1.114, rel=1e-3)
    assert east == pytest.approx(0.558, rel=1e-3)


@pytest.mark.parametrize("gsd", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_sampling_distances_are_refused(gsd: float) -> None:
    with pytest.raises(InputError, match="gsd"):
        grid().resampled(gsd)


def test_rotated_and_empty_grids_are_refused() -> None:
    plain = grid()
    with pytest.raises(InputError, match="rotated"):
        PixelGrid(UTM, plain.transform * plain.transform.rotation(10), 5, 5)
    with pytest.raises(ValueError, match="empty"):
        PixelGrid(UTM, plain.transform, 0, 5)


def test_window_lies_where_its_pixels_lie() -> None:
    part = grid(size=0.5).window(10, 4, 20, 8)
    assert part.bounds == (400_005.0, 5_499_994.0, 400_015.0, 5_499_998.0)


@given(st.integers(1, 400), st.sampled_from([0.05, 0.09, 0.02777]), st.integers(1, 500), st.data())
def test_panels_divide_the_map_at_blocks(
    width: int, gsd: float, panel: int, data: st.DataObject
) -> None:
    tile = data.draw(st.integers(8, 48))
    source = grid(width, 10)
    plan = TilingPlan(source, source.resampled(gsd), tile, tile // 2, panel, 16)
    borders = [part.start for part in plan.panels] + [width]
    assert borders[0] == 0
    assert all(border % 16 == 0 for border in borders[:-1])
    assert [part.stop for part in plan.panels] == borders[1:]
    for part in plan.panels:
        wanted = [
            number
            for number, start in enumerate(plan.columns)
            if start < part.network[1] and start + tile > part.network[0]
        ]
        assert list(part.tiles) == wanted


@given(st.integers(1, 400), st.integers(1, 12), st.data())
def test_batches_have_one_size_in_every_part_of_a_map(
    width: int, most: int, data: st.DataObject
) -> None:
    """Convolutions may round differently in batches of another size."""
    tile = data.draw(st.integers(8, 48))
    left = data.draw(st.integers(0, width - 1))
    source = grid(width, 100)
    whole = TilingPlan(source, source, tile, tile // 2)
    part = TilingPlan(source, source, tile, tile // 2, 16, 16, window=((20, 90), (left, width)))
    size, tiles = whole.batch_size(most), len(whole.rows) * len(whole.columns)
    assert part.batch_size(most) == size
    # No fewer batches would do, and smaller ones would be more.
    assert 1 <= size <= most
    assert -(-tiles // size) == -(-tiles // most)
    assert size == 1 or -(-tiles // (size - 1)) > -(-tiles // most)


def test_a_panel_without_width_is_refused() -> None:
    with pytest.raises(InputError, match="panel"):
        TilingPlan(grid(), grid(), 8, 4, 0)
