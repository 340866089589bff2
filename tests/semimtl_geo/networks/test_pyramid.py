"""Pyramid pooling over windows of a training crop's size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from semimtl_geo.networks.pyramid import PyramidDecoder

WINDOW = 8


@pytest.fixture
def decoder() -> PyramidDecoder:
    torch.manual_seed(0)
    decoder = PyramidDecoder(8, 3, width=16, window=WINDOW).eval()
    for layer in decoder.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean = torch.rand(layer.num_features)
            layer.running_var = 0.5 + torch.rand(layer.num_features)
    return decoder


def by_hand(decoder: PyramidDecoder, features: Tensor) -> Tensor:
    """Cut the windows one by one, let PSPNet's own module pool each, and blend."""
    _, _, height, width = features.shape
    starts = {8: [0], 14: [0, 4, 6], 20: [0, 4, 8, 12]}
    sine = np.sin(np.pi * (np.arange(WINDOW) + 0.5) / WINDOW) ** 2
    weight = torch.from_numpy(np.outer(sine, sine)).float()
    blended, total = torch.zeros(1, 16, height, width), torch.zeros(height, width)
    for y in starts[height]:
        for x in starts[width]:
            part = np.s_[..., y : y + WINDOW, x : x + WINDOW]
            blended[part] += weight * decoder.pyramid.psp(features[part])
            total[part] += weight
    scores: Tensor = decoder.head(decoder.pyramid.conv(blended / total))
    return scores


@pytest.mark.parametrize("size", [(8, 8), (14, 20), (20, 8)])
def test_each_window_is_pooled_by_itself(decoder: PyramidDecoder, size: tuple[int, int]) -> None:
    features = torch.rand(1, 8, *size)
    with torch.no_grad():
        found, expected = decoder([features]), by_hand(decoder, features)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
        whole = decoder.head(decoder.pyramid([features]))
    # The whole image is another context, unless it is a window.
    assert torch.allclose(found, whole, atol=1e-4) == (size == (8, 8))


def test_context_does_not_reach_beyond_a_window(decoder: PyramidDecoder) -> None:
    """A pixel two windows away changes nothing, whereas pooling over the image spreads it."""
    features = torch.rand(1, 8, 32, 32)
    changed = features.clone()
    changed[..., -1, -1] += 1e4
    with torch.no_grad():
        same = decoder([features])[..., :16, :16] - decoder([changed])[..., :16, :16]
        assert same.abs().max() == 0
        decoder.window = None
        spread = decoder([features])[..., :16, :16] - decoder([changed])[..., :16, :16]
    assert spread.abs().max() > 0.01


def test_an_image_smaller_than_a_window_is_pooled_as_a_whole(decoder: PyramidDecoder) -> None:
    features = torch.rand(1, 8, 6, 5)
    with torch.no_grad():
        torch.testing.assert_close(decoder([features]), decoder.head(decoder.pyramid([features])))
