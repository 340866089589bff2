from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from semimtl_geo.networks.discriminator import Discriminator


def test_layers_of_section_3_4() -> None:
    """4 x 4 kernels, stride 2, 64-128-256-512-(K + 1), leaky ReLU of 0.2 after the first four."""
    network = Discriminator(6, sources=3)
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [64, 128, 256, 512, 3]
    assert [layer.in_channels for layer in convolutions] == [6, 64, 128, 256, 512]
    assert {layer.kernel_size for layer in convolutions} == {(4, 4)}
    assert {layer.stride for layer in convolutions} == {(2, 2)}
    slopes = [m.negative_slope for m in network.modules() if isinstance(m, nn.LeakyReLU)]
    assert slopes == [0.2] * 4
    channels = itertools.pairwise([6, 64, 128, 256, 512, 3])
    assert sum(p.numel() for p in network.parameters()) == sum(
        16 * before * after + after for before, after in channels
    )


def test_the_first_four_are_spectrally_normalised() -> None:
    """The largest singular value of the weight, as a matrix of one row per filter, tends to 1."""
    torch.manual_seed(0)
    network = Discriminator(2, sources=3, width=8)
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    with torch.no_grad():
        for layer in convolutions[:4]:
            layer.parametrizations.weight.original.mul_(7.0)  # type: ignore[union-attr, operator]
        convolutions[4].weight.mul_(7.0)
        for _ in range(100):
            network(torch.rand(1, 2, 32, 32))
    norms = [
        torch.linalg.svdvals(layer.weight.detach().flatten(1))[0].item() for layer in convolutions
    ]
    assert norms[:4] == pytest.approx([1.0] * 4, abs=0.02)
    assert norms[4] > 1.5


@pytest.mark.parametrize("size", [(32, 32), (33, 45), (64, 50), (97, 32)])
def test_answers_have_the_size_of_the_input(size: tuple[int, int]) -> None:
    network = Discriminator(1, sources=4, width=4)
    answer = network(torch.rand(2, 1, *size))
    assert answer.shape == (2, 4, *size)
    assert answer.dtype == torch.float32
    assert answer.isfinite().all()


def test_the_five_layers_see_the_coarse_grid() -> None:
    """96 px are 3 cells; up-sampled bilinearly they are level beyond the outer cells' centres."""
    answer = Discriminator(1, sources=2, width=4)(torch.rand(1, 1, 96, 96))
    assert torch.equal(answer[..., :16, :16], answer[..., :1, :1].expand(1, 2, 16, 16))
    assert not torch.allclose(answer[..., 48, 48], answer[..., 0, 0])


@pytest.mark.parametrize("size", [(31, 64), (64, 8)])
def test_maps_that_are_too_small(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least 32"):
        Discriminator(1, 2, width=4)(torch.rand(1, 1, *size))
