"""Decoders of segmentation_models_pytorch beside the paper's."""

from __future__ import annotations

import pytest
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F

from semimtl_geo.networks import Encoder
from semimtl_geo.networks.decoders import DECODERS
from semimtl_geo.networks.generator import Generator
from semimtl_geo.tasks import BinnedDepth, Segmentation
from tiles.errors import InvalidValueError


def make(name: str, stride: int = 32, width: int = 32) -> Generator:
    torch.manual_seed(0)
    encoder = Encoder("resnet18", weights=None, output_stride=stride).build(in_channels=3)
    tasks = [Segmentation(decoder=name), BinnedDepth(bins=4, decoder=name)]
    return Generator(tasks, 1, "mixed", encoder, [0.5] * 3, [0.25] * 3, width=width).eval()


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_images_of_any_size(name: str) -> None:
    generator = make(name, stride=16 if name == "deeplabv3plus" else 32)
    with torch.no_grad():
        outputs = generator(torch.rand(1, 3, 50, 70))
    assert outputs["landcover"].shape == (1, 6, 50, 70)
    assert outputs["height"].shape == (1, 5, 50, 70)


@pytest.mark.parametrize("name", ["unet", "fpn"])
def test_skip_connections_see_the_border_repeated(name: str) -> None:
    generator, image = make(name), torch.rand(1, 3, 50, 70)
    with torch.no_grad():
        whole = generator(F.pad(image, (0, 26, 0, 14), mode="replicate"))["height"]
        torch.testing.assert_close(generator(image)["height"], whole[..., :50, :70])


def test_fpn_as_its_own_library_builds_it() -> None:
    """The same weights in a model of segmentation_models_pytorch give the same scores."""
    generator = make("fpn")
    peer = smp.FPN(
        "resnet18",
        encoder_weights=None,
        classes=6,
        decoder_pyramid_channels=32,
        decoder_segmentation_channels=32,
    ).eval()
    ours = generator.decoders["landcover"]
    peer.encoder = generator.encoder
    peer.decoder.load_state_dict(ours.decoder.state_dict())
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        features = peer.decoder(peer.encoder((image - 0.5) / 0.25))
        scores = F.interpolate(ours.head(features), size=(64, 64), mode="bilinear")
        torch.testing.assert_close(generator(image)["landcover"], scores)


@pytest.mark.parametrize(
    ("name", "stride", "width", "fault"),
    [
        ("hourglass", 32, 32, "no decoder is called hourglass; use one of psp"),
        ("fpn", 8, 32, "fpn cannot decode an encoder of output stride 8; .* to 32"),
        ("deeplabv3plus", 32, 32, "output stride 32; set model.encoder.output_stride to 8 or 16"),
        ("fpn", 32, 48, "model.decoder_width: fpn needs a multiple of 32, got 48"),
        ("upsampling", 8, 10, "model.decoder_width: upsampling needs a multiple of 4, got 10"),
    ],
)
def test_decoders_that_cannot_be_built(name: str, stride: int, width: int, fault: str) -> None:
    with pytest.raises(InvalidValueError, match=fault):
        make(name, stride, width)
