from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from semimtl_geo.data.augmentation import Augmentation

GEOMETRY = {"blur": 0.0, "brightness": 0.0, "contrast": 0.0, "gamma": 0.0}
NOTHING = {"flip": False, "from_above": False, **GEOMETRY}
SIZE = 16


def positions(count: int = 4) -> dict[str, Tensor]:
    """Labels that are a pixel's row and column; the image shows them as brightness."""
    rows, columns = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    image = torch.stack([rows, columns, rows + columns]) / (2 * SIZE)
    return {
        "image": image.float().repeat(count, 1, 1, 1),
        "landcover": rows.repeat(count, 1, 1),
        "height": columns.float().repeat(count, 1, 1),
    }


@pytest.mark.parametrize("seed", range(8))
def test_flips_and_turns_move_image_and_labels_alike(seed: int) -> None:
    torch.manual_seed(seed)
    batch = positions()
    got = Augmentation(**GEOMETRY).build()(batch)
    for band, name in enumerate(("landcover", "height")):
        error = (got["image"][:, band] * 2 * SIZE - got[name]).abs()
        assert error.max() < 1e-3  # of a pixel; kornia turns by interpolation
    # Each is one of the eight positions of a square.
    squares = [torch.rot90(batch["landcover"][0] * SIZE + batch["height"][0], k) for k in range(4)]
    squares += [square.T for square in squares]
    for rows, columns in zip(got["landcover"], got["height"], strict=True):
        assert any(torch.equal(rows * SIZE + columns, square) for square in squares)


def test_all_eight_positions_occur() -> None:
    torch.manual_seed(0)
    got = Augmentation(**GEOMETRY).build()(positions(64))
    seen = {
        (rows[0, 0].item(), columns[0, 0].item(), rows[0, 1].item() == rows[0, 0].item())
        for rows, columns in zip(got["landcover"], got["height"], strict=True)
    }
    assert len(seen) == 8


def test_street_views_are_mirrored_left_and_right_only() -> None:
    torch.manual_seed(0)
    batch = positions(32)
    got = Augmentation(from_above=False, **GEOMETRY).build()(batch)
    assert torch.equal(got["landcover"], batch["landcover"])
    mirrored = (got["height"][:, 0, 0] == SIZE - 1).sum().item()
    assert 4 < mirrored < 28


@pytest.mark.parametrize("seed", range(5))
def test_no_label_is_mixed_with_another(seed: int) -> None:
    torch.manual_seed(seed)
    known = torch.tensor([0, 3, 255])
    heights = torch.tensor([0.0, 0.1, 17.3, torch.nan])
    batch = {
        "image": torch.rand(4, 3, SIZE, SIZE),
        "landcover": known[torch.randint(0, 3, (4, SIZE, SIZE))],
        "height": heights[torch.randint(0, 4, (4, SIZE, SIZE))],
    }
    got = Augmentation().build()(batch)
    assert {key: (value.shape, value.dtype) for key, value in got.items()} == {
        key: (value.shape, value.dtype) for key, value in batch.items()
    }
    assert set(got["landcover"].unique().tolist()) == {0, 3, 255}
    values = got["height"]
    assert torch.isin(values[~values.isnan()], heights).all()
    # About as many are unknown as before: NaN neither spreads nor vanishes.
    assert abs(values.isnan().float().mean() - batch["height"].isnan().float().mean()) < 0.1
    assert got["image"].isfinite().all()


@pytest.mark.parametrize("hidden", [["height"], ["landcover"], ["landcover", "height"]])
def test_hiding_labels_does_not_change_the_draws(hidden: list[str]) -> None:
    def augmented(batch: dict[str, Tensor]) -> dict[str, Tensor]:
        torch.manual_seed(7)
        return Augmentation().build()(batch)

    whole = augmented(positions())
    part = augmented({key: value for key, value in positions().items() if key not in hidden})
    assert set(part) == set(whole) - set(hidden)
    assert all(torch.equal(part[key], whole[key]) for key in part)
    # What follows draws the same numbers too.
    first = torch.rand(1)
    augmented(positions())
    assert torch.equal(torch.rand(1), first)


def test_chips_of_a_batch_differ() -> None:
    torch.manual_seed(0)
    got = Augmentation().build()(positions(6))["image"]
    assert len({tuple(image.flatten().tolist()) for image in got}) == 6


def test_colours_change_the_image_alone() -> None:
    torch.manual_seed(0)
    batch = positions(8)
    settings: dict[str, Any] = NOTHING | {"brightness": 0.3, "contrast": 0.5, "gamma": 0.5}
    got = Augmentation(**settings).build()(batch)
    assert torch.equal(got["height"], batch["height"])
    assert torch.equal(got["landcover"], batch["landcover"])
    assert not torch.allclose(got["image"], batch["image"])
    assert got["image"].min() >= 0
    assert got["image"].max() <= 1


def test_blur_averages_neighbours() -> None:
    torch.manual_seed(0)
    spot = {"image": torch.zeros(1, 1, 9, 9)}
    spot["image"][0, 0, 4, 4] = 1
    got = Augmentation(**(NOTHING | {"blur": 1.0})).build()(spot)["image"][0, 0]  # type: ignore[arg-type]
    assert got.sum().item() == pytest.approx(1, rel=1e-5)
    assert 0 < got[4, 3] < got[4, 4] < 1
    assert got[4, 2] == 0


def test_nothing_is_nothing() -> None:
    batch = positions()
    got = Augmentation(**NOTHING).build()(batch)  # type: ignore[arg-type]
    assert all(torch.equal(got[key], batch[key]) for key in batch)
