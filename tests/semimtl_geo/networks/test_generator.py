from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from semimtl_geo.networks.encoder import Encoder
from semimtl_geo.networks.generator import Generator
from tests.semimtl_geo.conftest import TINY, make_tasks


def make(**settings: Any) -> Generator:
    defaults: dict[str, Any] = {
        "tasks": make_tasks(),
        "domains": 2,
        "batchnorm": "per_domain",
        "encoder": TINY,
        "mean": (0.5, 0.5, 0.5),
        "std": (0.25, 0.25, 0.25),
        "width": 16,
    }
    settings = defaults | settings
    settings["encoder"] = settings["encoder"].build(len(settings["mean"]))
    return Generator(**settings).eval()


@pytest.mark.parametrize("size", [(32, 32), (33, 41), (50, 63), (8, 100)])
@torch.inference_mode()
def test_outputs_have_the_size_of_the_image(size: tuple[int, int]) -> None:
    outputs = make()(torch.rand(2, 3, *size))
    assert {name: tuple(output.shape) for name, output in outputs.items()} == {
        "landcover": (2, 3, *size),
        "height": (2, 1, *size),
    }
    assert all(output.isfinite().all() for output in outputs.values())


@torch.inference_mode()
def test_images_are_normalised_by_band() -> None:
    """What the encoder sees of (0.1, 0.2, 0.3, 0.4), minus the mean, over the deviation."""
    network = make(mean=(0.1, 0.1, 0.1, 0.1), std=(0.1, 0.2, 0.1, 0.5))
    seen: list[torch.Tensor] = []
    network.encoder.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    network(torch.tensor([0.1, 0.2, 0.3, 0.4]).view(1, 4, 1, 1).expand(1, 4, 32, 32))
    torch.testing.assert_close(seen[0][0, :, 5, 7], torch.tensor([0.0, 0.5, 2.0, 0.6]))


def test_the_encoder_is_shared_and_the_decoders_are_not() -> None:
    network = make().train()
    network(torch.rand(2, 3, 32, 32))["landcover"].sum().backward()
    touched = {name for name, p in network.named_parameters() if p.grad is not None}
    assert any(name.startswith("encoder") for name in touched)
    assert any(name.startswith("decoders.landcover") for name in touched)
    assert not any(name.startswith("decoders.height") for name in touched)


@torch.inference_mode()
def test_the_papers_network() -> None:
    """ResNet101, features at 1/8 with 2048 channels, pyramid pooling at 1, 2, 3 and 6."""
    network = make(encoder=Encoder("resnet101", None), width=512, batchnorm="alternating")
    deepest: list[torch.Tensor] = []
    network.encoder.register_forward_hook(lambda _m, _i, features: deepest.append(features[-1]))
    network(torch.rand(1, 3, 64, 48))
    assert deepest[0].shape == (1, 2048, 8, 6)
    # ResNet101 without its classifier: 44,549,160 - (2048 * 1000 + 1000).
    assert sum(p.numel() for p in network.encoder.parameters()) == 42_500_160
    decoder = network.decoders["landcover"]
    pools = [m.output_size for m in decoder.modules() if isinstance(m, nn.AdaptiveAvgPool2d)]
    assert [size if isinstance(size, int) else size[0] for size in pools] == [1, 2, 3, 6]
    # The last two stages are dilated by 2 and 4 instead of strided.
    dilations = {
        m.dilation[0]
        for name, m in network.encoder.named_modules()
        if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3) and name.startswith("layer4")
    }
    assert dilations == {4}


@torch.inference_mode()
def test_heights_are_decoded_at_half_the_resolution() -> None:
    network = make()
    shape: list[tuple[int, ...]] = []
    network.decoders["height"].register_forward_hook(
        lambda _m, _i, output: shape.append(tuple(output.shape))
    )
    network(torch.rand(1, 3, 64, 32))
    assert shape == [(1, 1, 32, 16)]


@torch.inference_mode()
def test_a_domain_has_its_own_statistics() -> None:
    network = make()
    images = torch.rand(2, 3, 32, 32)
    network.use_domain(1)
    before = network(images)["height"]
    network.use_domain(0)
    network.train()
    network(images * 0.3)
    network.eval()
    first = network(images)["height"]
    network.use_domain(1)
    assert torch.equal(network(images)["height"], before)
    assert not torch.allclose(first, before)
