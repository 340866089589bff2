from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Sampler

from tests.rasters import NORTH, WEST, noise, write
from tiles.datasets.samplers import DistributedSlice, GridChips, RandomChips
from tiles.datasets.scenes import scene_dataset
from tiles.errors import InputError


def position(query: Any, gsd: float = 0.15) -> tuple[int, int]:
    """Column and row of a chip's first pixel; it must lie on the grid."""
    column, row = (query[0].start - WEST) / gsd, (NORTH - query[1].stop) / gsd
    assert abs(column - round(column)) < 1e-4
    assert abs(row - round(row)) < 1e-4
    return round(column), round(row)


@pytest.fixture
def two(tmp_path: Path) -> Any:
    """Two scenes that can be told apart by their values."""
    for number in range(2):
        image = noise(1, 40, 40, seed=number) // 2 + 128 * np.uint8(number)
        write(tmp_path / f"two/image/{number}.tif", image, at=(1000 * number, 0))
    return scene_dataset(tmp_path / "two", {}, [1])


def test_the_seed_fixes_the_chips_and_each_pass_has_its_own(two: Any) -> None:
    torch.manual_seed(1)
    one = RandomChips(two, 16, 20, seed=5)
    passes = [list(one), list(one)]
    torch.manual_seed(2)
    same = RandomChips(two, 16, 20, seed=5)
    assert [list(same), list(same)] == passes
    assert passes[0] != passes[1]
    assert list(RandomChips(two, 16, 20, seed=6)) != passes[0]
    assert len(one) == len(passes[0]) == 20


def test_a_run_that_is_resumed_goes_on_with_the_chips_that_follow(two: Any) -> None:
    whole = RandomChips(two, 16, 5, seed=5)
    passes = [list(whole) for _ in range(4)]
    resumed = RandomChips(two, 16, 5, seed=5)
    resumed.set_epoch(2)
    assert [list(resumed), list(resumed)] == passes[2:]


def test_the_global_random_numbers_are_left_alone(two: Any) -> None:
    before = torch.random.get_rng_state()
    list(RandomChips(two, 16, 20, seed=5))
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_mix_files_and_repeat(two: Any, workers: int) -> None:
    def batches() -> list[torch.Tensor]:
        loader: DataLoader[Any] = DataLoader(
            two, batch_size=8, sampler=RandomChips(two, 16, 24, seed=0), num_workers=workers
        )
        return [batch["image"] for batch in loader]

    first, second = batches(), batches()
    assert [tuple(batch.shape) for batch in first] == [(8, 1, 16, 16)] * 3
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    for batch in first:
        assert not batch.isnan().any()
        bright = (batch.mean((1, 2, 3)) > 0.5).sum().item()
        assert 0 < bright < 8


def test_every_place_is_drawn_the_last_one_too(tmp_path: Path) -> None:
    write(tmp_path / "image/a.tif", noise(1, 18, 17))
    dataset = scene_dataset(tmp_path, {}, [1])
    drawn = Counter(position(query) for query in RandomChips(dataset, 16, 600, seed=0))
    assert set(drawn) == {(column, row) for column in (0, 1) for row in (0, 1, 2)}
    # Six places of 100 each, give or take four standard deviations.
    assert min(drawn.values()) > 63
    assert max(drawn.values()) < 137


def test_scenes_are_drawn_by_their_area(tmp_path: Path) -> None:
    write(tmp_path / "image/a.tif", noise(1, 20, 20))
    write(tmp_path / "image/b.tif", noise(1, 20, 60), at=(1000, 0))
    write(tmp_path / "image/c.tif", noise(1, 15, 15), at=(2000, 0))  # too small for a chip
    dataset = scene_dataset(tmp_path, {}, [1])
    counts = Counter(position(q)[0] // 1000 for q in RandomChips(dataset, 16, 800, seed=0))
    assert set(counts) == {0, 1}
    assert 150 < counts[0] < 250  # 200 expected, of 800


@settings(max_examples=40, deadline=None)
@given(
    gsd=st.sampled_from([0.05, 0.09, 0.15, 0.27, 0.3, 1 / 3]),
    x=st.floats(166_000, 834_000),
    y=st.floats(0, 9_300_000),
)
def test_a_scene_as_large_as_a_chip_is_large_enough(
    tmp_path_factory: pytest.TempPathFactory, gsd: float, x: float, y: float
) -> None:
    """Whatever the rounding of its coordinates."""
    folder = tmp_path_factory.mktemp("exact")
    image = noise(1, 16, 16)
    write(folder / "image/a.tif", image, gsd=gsd, at=((x - WEST) / gsd, (NORTH - y) / gsd))
    dataset = scene_dataset(folder, {}, [1])
    for sampler in (RandomChips(dataset, 16, 2, seed=0), GridChips(dataset, 16)):
        for query in sampler:
            got = dataset[query]["image"] * 255
            np.testing.assert_allclose(got.numpy(), image, rtol=1e-6)


def test_no_scene_as_large_as_a_chip(two: Any) -> None:
    with pytest.raises(InputError, match="41 px: no scene is as large"):
        RandomChips(two, 41, 1, seed=0)


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=3),
    size=st.integers(4, 30),
    share=st.floats(0, 0.8),
)
def test_grid_chips_cover_every_scene(
    tmp_path_factory: pytest.TempPathFactory,
    sizes: list[tuple[int, int]],
    size: int,
    share: float,
) -> None:
    """Every pixel is read, at its place, and none twice unless chips overlap."""
    folder = tmp_path_factory.mktemp("cover")
    scenes = [noise(1, *shape, seed=i) for i, shape in enumerate(sizes)]
    for i, image in enumerate(scenes):
        write(folder / f"image/{i}.tif", image, at=(1000 * i, 0))
    dataset = scene_dataset(folder, {}, [1])
    chips = GridChips(dataset, size, int(share * size))
    assert len(chips) == len(list(chips))
    seen = [np.full((h + size, w + size), np.nan) for h, w in sizes]
    for query in chips:
        scene, (column, row) = position(query)[0] // 1000, position(query)
        column -= 1000 * scene
        data = dataset[query]["image"][0].numpy() * 255
        window = seen[scene][row : row + size, column : column + size]
        window[...] = np.where(np.isnan(data), window, data)
        height, width = sizes[scene]
        # The last chip ends with the scene, unless that is smaller than the chip.
        assert column + size <= max(width, size)
        assert row + size <= max(height, size)
    for image, canvas in zip(scenes, seen, strict=True):
        height, width = image.shape[1:]
        np.testing.assert_allclose(canvas[:height, :width], image[0], rtol=1e-6)
        assert np.isnan(canvas[height:]).all()
        assert np.isnan(canvas[:, width:]).all()


def test_grid_chips_at_another_gsd(tmp_path: Path) -> None:
    """50 px of 0.15 m are 27.8 px of 0.27 m: 28 rows and columns, two chips of 16 each way."""
    write(tmp_path / "image/a.tif", np.full((1, 50, 50), 255, np.uint8))
    dataset = scene_dataset(tmp_path, {}, [1], gsd=0.27)
    chips = list(GridChips(dataset, 16))
    assert [position(chip, 0.27) for chip in chips] == [(0, 0), (12, 0), (0, 12), (12, 12)]
    for query in chips:
        torch.testing.assert_close(dataset[query]["image"], torch.ones(1, 16, 16))


@pytest.mark.parametrize("gsd", [0.05, 0.09, 0.15, 0.27])
@pytest.mark.parametrize("west", [300_000, 389_999, 512_345])
def test_touching_scenes_are_visited_once(tmp_path: Path, gsd: float, west: int) -> None:
    """Rounding makes neighbours overlap by a billionth of a metre; that is no scene."""
    for number in range(3):
        for kind in ("image", "height"):
            values = np.zeros((1, 20, 20), np.float32)
            at = (round((west - WEST) / gsd) + 20 * number, 0)
            write(tmp_path / f"{kind}/{number}.tif", values, gsd=gsd, at=at)
    dataset = scene_dataset(tmp_path, {"height": "values"}, [1])
    assert len(GridChips(dataset, 10)) == 3 * 4
    counts = Counter(round(q[0].start - west) for q in RandomChips(dataset, 20, 60, seed=0))
    assert len(counts) == 3


def test_overlapping_scenes_are_visited_once_each(tmp_path: Path) -> None:
    """Where two images and their two labels overlap, torchgeo has four intersections."""
    for number in range(2):
        for kind in ("image", "height"):
            values = np.full((1, 20, 20), number, np.float32)
            write(tmp_path / f"{kind}/{number}.tif", values, at=(10 * number, 0))
    dataset = scene_dataset(tmp_path, {"height": "values"}, [1])
    assert len(dataset) == 4
    assert [position(chip) for chip in GridChips(dataset, 20)] == [(0, 0), (10, 0)]


def test_chips_lie_where_labels_are(tmp_path: Path) -> None:
    write(tmp_path / "image/a.tif", noise(1, 60, 60))
    write(tmp_path / "height/part.tif", np.ones((20, 30), np.float32), at=(10, 30))
    dataset = scene_dataset(tmp_path, {"height": "values"}, [1])
    places = [position(query) for query in RandomChips(dataset, 16, 200, seed=0)]
    assert {column for column, _ in places} == set(range(10, 25))
    assert {row for _, row in places} == set(range(30, 35))
    query = next(iter(GridChips(dataset, 64)))
    assert position(query) == (10, 30)
    known = ~dataset[query]["height"].isnan()
    assert known.sum() == 20 * 30


def test_processes_take_turns() -> None:
    """Together they draw what one draws; a pass that is resumed leaves out what was drawn."""

    class Counting(Sampler[int]):
        epoch = 0

        def __iter__(self) -> Iterator[int]:
            return iter(range(100 * self.epoch, 100 * self.epoch + 12))

        def __len__(self) -> int:
            return 12

        def set_epoch(self, epoch: int) -> None:
            self.epoch = epoch

    assert list(DistributedSlice(Counting())) == list(range(12))
    parts = [DistributedSlice(Counting(), process, 3) for process in range(3)]
    assert [list(part) for part in parts] == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]
    assert [len(part) for part in parts] == [4, 4, 4]
    resumed = DistributedSlice(Counting(), 1, 3, start=2)
    resumed.set_epoch(1)
    assert list(resumed) == [107, 110]
    assert list(resumed) == [101, 104, 107, 110]
