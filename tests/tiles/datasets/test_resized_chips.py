from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from semimtl_geo.data import Augmentation, Domain, DomainsDataModule
from tests.rasters import write
from tiles.datasets import ResizedChips
from tiles.errors import InvalidValueError


def slopes(size: int) -> dict[str, Tensor]:
    """A sample whose image and heights are the positions of its pixels' centres."""
    at = torch.arange(size) + 0.5
    rows, columns = torch.meshgrid(at, at, indexing="ij")
    return {"image": torch.stack([rows, columns]), "height": columns.clone()}


@settings(max_examples=40, deadline=None)
@given(size=st.integers(4, 60), crop=st.integers(4, 60))
def test_image_and_labels_keep_their_places(size: int, crop: int) -> None:
    """An average is at most a quarter of a pixel away from its centre, a label half of one."""
    got = ResizedChips([slopes(size)], crop)[0]
    centres = (torch.arange(crop) + 0.5) * size / crop
    inner = (centres >= 0.5) & (centres <= size - 0.5)  # Beyond, there is nothing to interpolate.
    rows, columns = got["image"]
    for places in (rows[inner, 0], columns[0, inner]):
        assert ((places - centres[inner]).abs() <= (0.25 if crop < size else 0) + 1e-4).all()
    assert ((got["height"][0] - centres).abs() <= 0.5 + 1e-4).all()


def test_heights_stay_and_inverse_depths_are_magnified() -> None:
    """What looks twice as large is half as far; infinity stays 0, and classes are what they are."""
    depth = torch.tensor([[0.25, torch.nan], [0.0, 1.0]])
    sample = {"image": torch.rand(3, 2, 2), "depth": depth, "classes": torch.tensor([[1, 255]] * 2)}
    above = ResizedChips([sample], size=4)[0]
    doubled = depth.repeat_interleave(2, 0).repeat_interleave(2, 1)
    torch.testing.assert_close(above["depth"], doubled, equal_nan=True)
    street = ResizedChips([sample], size=4, scales_values=True)[0]
    torch.testing.assert_close(street["depth"], 2 * doubled, equal_nan=True)
    assert street["classes"].tolist() == [[1, 1, 255, 255]] * 4


def test_unknown_pixels_do_not_colour_their_neighbours() -> None:
    """A pixel is unknown where the nearest one is, and so are its labels."""
    image = torch.ones(1, 4, 4)
    image[:, :, :2] = torch.nan
    image[:, :, 2] = 0.5
    height = torch.where(image[0].isnan(), torch.nan, 7.0)
    got = ResizedChips([{"image": image, "height": height}], size=3)[0]
    want = torch.tensor([[[torch.nan, 0.5, 0.875]] * 3])
    torch.testing.assert_close(got["image"], want, equal_nan=True)
    assert torch.equal(got["height"].isnan(), want[0].isnan())


def make(root: Path, scale: tuple[float, float], **changes: Any) -> DomainsDataModule:
    settings: dict[str, Any] = {
        "domains": {"a": Domain(["height"], bands=[1])},
        "crop": 16,
        "batch_size": 8,
        "iterations": 16,
        "workers": 0,
        "fill": (0.5,),
        "augmentation": Augmentation(scale=scale),
    }
    return DomainsDataModule(root, **settings | changes)


def test_crops_show_more_and_less_ground_but_no_reflection(tmp_path: Path) -> None:
    """Of a slope of known steepness, each crop shows one slope: its steps say how much ground."""
    heights = np.tile(np.arange(200, dtype=np.float32), (200, 1))
    write(tmp_path / "a/train/image/x.tif", np.ones((1, 200, 200), np.uint8))
    write(tmp_path / "a/train/height/x.tif", heights[None])
    loader = make(tmp_path, (0.5, 2.0)).train_dataloader()
    chips = torch.cat([batch["a"]["height"] for batch, _, _ in loader])
    assert chips.shape == (128, 16, 16)
    ground = chips[:, 0, -1] - chips[:, 0, 0]
    assert (chips[:, 0].diff(dim=-1) >= 0).all()
    # From 15 steps at magnification 1: 7 at 2, and 31 at 0.5; uniform in between.
    assert ground.min() < 9
    assert ground.max() > 27
    assert (ground >= 6).all()
    assert (ground <= 32).all()
    assert ((16 / (ground + 1)).mean() - 1.25).abs() < 0.15


def test_a_crop_is_at_most_as_large_as_the_scene(tmp_path: Path) -> None:
    write(tmp_path / "a/train/image/x.tif", np.ones((1, 18, 30), np.uint8))
    write(tmp_path / "a/train/height/x.tif", np.tile(np.arange(30.0), (1, 18, 1)))
    loader = make(tmp_path, (0.5, 0.5)).train_dataloader()
    for batch, _, _ in loader:
        steps = batch["a"]["height"][:, 0, -1] - batch["a"]["height"][:, 0, 0]
        assert batch["a"]["height"].isfinite().all()
        assert set(steps.tolist()) <= {16.0, 17.0}


@pytest.mark.parametrize("scale", [(0.0, 1.0), (2.0, 1.0), (1.0, float("inf"))])
def test_a_range_that_is_none(scale: tuple[float, float]) -> None:
    with pytest.raises(InvalidValueError, match=r"data\.augmentation\.scale: must be two numbers"):
        Augmentation(scale=scale)
