"""The sensor's augmentation, against numpy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from semimtl_geo.data.photometric import Photometric, mix_amplitudes
from tiles.errors import InputError


def images(seed: int, count: int = 2, size: int = 16) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("height", "width", "beta"), [(16, 16, 0.1), (15, 18, 0.07), (8, 9, 0.0)])
def test_fda_is_the_authors_code(height: int, width: int, beta: float) -> None:
    """Theirs in numpy: amplitudes of a centred square are swapped, phases stay."""
    one, other = images(0, size=18)[..., :height, :width], images(1, size=18)[..., :height, :width]
    source, target = np.fft.fft2(one.numpy()), np.fft.fft2(other.numpy())
    amplitude = np.fft.fftshift(np.abs(source), axes=(-2, -1))
    swapped = np.fft.fftshift(np.abs(target), axes=(-2, -1))
    up, left = int(beta * height), int(beta * width)
    rows = slice(height // 2 - up, height // 2 + up + 1)
    columns = slice(width // 2 - left, width // 2 + left + 1)
    amplitude[..., rows, columns] = swapped[..., rows, columns]
    amplitude = np.fft.ifftshift(amplitude, axes=(-2, -1))
    expected = np.fft.ifft2(amplitude * np.exp(1j * np.angle(source))).real
    found = mix_amplitudes(one, other, torch.ones(2), beta)
    assert np.allclose(found.numpy(), expected, atol=1e-5)


def test_frequency_0_is_the_mean() -> None:
    one, other = images(0), images(1)
    mixed = mix_amplitudes(one, other, torch.tensor([0.25, 0.0]), 0.0)
    means = 0.75 * one[0].mean((1, 2)) + 0.25 * other[0].mean((1, 2))
    assert torch.allclose(mixed[0].mean((1, 2)), means, atol=1e-6)
    # Nothing but the mean changes, and nothing at a share of 0.
    assert torch.allclose(
        mixed[0] - mixed[0].mean((1, 2), keepdim=True),
        one[0] - one[0].mean((1, 2), keepdim=True),
        atol=1e-6,
    )
    assert torch.allclose(mixed[1], one[1], atol=1e-6)


def test_gain_and_gamma_per_image_and_band() -> None:
    """x^e * g: two pixels of a band give e = log(y1 / y2) / log(x1 / x2), and with it g."""
    torch.manual_seed(0)
    x = torch.full((50, 3, 1, 2), 0.2)
    x[..., 1] = 0.4
    y = Photometric(gain=0.3, gamma=0.5, fourier=0.0).vary({"a": {"image": x}})["a"]["image"]
    exponent = (y[..., 1] / y[..., 0]).log() / np.log(2.0)
    gain = y[..., 0] / 0.2**exponent
    for found, low, high in ((exponent, 1 / 1.5, 1.5), (gain, 0.7, 1.3)):
        assert low - 1e-4 <= found.min() < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < found.max() <= high + 1e-4
        assert len(found.flatten().unique()) > 140


def test_labels_stay_and_images_stay_in_range() -> None:
    torch.manual_seed(0)
    batch = {
        "a": {"image": images(0), "landcover": torch.randint(0, 6, (2, 16, 16))},
        "b": {"image": images(1), "height": torch.rand(2, 16, 16)},
    }
    varied = Photometric(gain=1.0, gamma=2.0, fourier=1.0, beta=0.2).vary(batch)
    assert varied["a"]["landcover"] is batch["a"]["landcover"]
    assert varied["b"]["height"] is batch["b"]["height"]
    for name, seed in (("a", 0), ("b", 1)):
        image = varied[name]["image"]
        assert image.min() >= 0
        assert image.max() <= 1
        assert not torch.equal(image, images(seed))
        assert torch.equal(batch[name]["image"], images(seed))  # not in place


def test_the_style_is_another_domains() -> None:
    """Constant images: the mean moves toward the other domain's, never toward its own."""
    torch.manual_seed(0)
    batch = {
        name: {"image": torch.full((40, 1, 8, 8), value)}
        for name, value in (("a", 0.2), ("b", 0.8))
    }
    batch["a"]["image"][::2] = 0.3
    varied = Photometric(0.0, 0.0, fourier=0.5).vary(batch)
    means = varied["a"]["image"].mean((1, 2, 3))
    moved = (means - batch["a"]["image"].mean((1, 2, 3))) > 1e-4
    assert 0.2 < moved.float().mean() < 0.8
    assert (means >= batch["a"]["image"].mean((1, 2, 3)) - 1e-5).all()
    assert (varied["b"]["image"].mean((1, 2, 3)) <= 0.8 + 1e-5).all()


def test_nothing_is_nothing() -> None:
    batch = {"a": {"image": images(0)}, "b": {"image": images(1)}}
    varied = Photometric(0.0, 0.0, 0.0).vary(batch)
    assert torch.equal(varied["a"]["image"], batch["a"]["image"])
    alone = Photometric(0.0, 0.0, 1.0).vary({"a": {"image": images(0)}})
    assert torch.equal(alone["a"]["image"], images(0))


@pytest.mark.parametrize(
    "wrong", [{"gain": 1.5}, {"fourier": -1.0}, {"beta": 2.0}, {"gamma": -1.0}]
)
def test_settings_that_are_none(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=f"data.photometric.{next(iter(wrong))}"):
        Photometric(**wrong)
