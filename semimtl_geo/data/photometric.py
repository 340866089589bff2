"""Images as another sensor would have taken them: gain, gamma, and another domain's amplitudes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from tiles.errors import InputError

Batch = Mapping[str, Mapping[str, Tensor]]


@dataclass(frozen=True)
class Photometric:
    """How the sensor is varied, per image. Labels and geometry stay.

    Attributes:
        gain: Largest relative change of a band's brightness.
        gamma: Largest relative change of a band's exponent.
        fourier: Probability that an image takes low-frequency amplitudes from another domain's
            image (FDA: Yang and Soatto, CVPR 2020), mixed with its own by a random share (Xu et
            al., CVPR 2021, equation 5).
        beta: Of FDA: the low frequencies are up to this share of the sampling rate (section 3.1).
    """

    gain: float = 0.2
    gamma: float = 0.2
    fourier: float = 0.5
    beta: float = 0.01

    def __post_init__(self) -> None:
        """Shares must be some."""
        shares = {"gain": self.gain, "fourier": self.fourier, "beta": self.beta}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise InputError(f"data.photometric.{name}", f"{share} is none", "give 0 to 1")
        if self.gamma < 0:
            raise InputError("data.photometric.gamma", f"{self.gamma} is none", "give 0 or more")

    @torch.no_grad()
    def vary(self, batch: Batch) -> dict[str, dict[str, Tensor]]:
        """Vary the images of all domains.

        Args:
            batch: ``{domain: {"image": float32 [B, C, H, W] in 0..1, ...}}``, of one size.

        Returns:
            The same with other images; nothing else is copied.
        """
        varied = {}
        for name, data in batch.items():
            image = data["image"]
            others = [other["image"] for key, other in batch.items() if key != name]
            if others and self.fourier:
                image = self._mix(image, torch.cat(others))
            varied[name] = {**data, "image": self._expose(image)}
        return varied

    def _mix(self, image: Tensor, others: Tensor) -> Tensor:
        """FDA with a random image of the others, where the dice say so."""
        count, device = len(image), image.device
        style = others[torch.randint(len(others), (count,), device=device)]
        share = torch.rand(count, device=device) * (torch.rand(count, device=device) < self.fourier)
        return mix_amplitudes(image, style, share, self.beta).clamp(0, 1)

    def _expose(self, image: Tensor) -> Tensor:
        """Gain and gamma per image and band."""
        dice = 2 * torch.rand(2, *image.shape[:2], 1, 1, device=image.device) - 1
        exponent = (dice[0] * math.log1p(self.gamma)).exp()
        return (image.pow(exponent) * (1 + self.gain * dice[1])).clamp(0, 1)


def mix_amplitudes(image: Tensor, style: Tensor, share: Tensor, beta: float) -> Tensor:
    """Low-frequency amplitudes of one image in another, whose phases stay.

    FDA, equations 2 and 3, with a mean of the amplitudes instead of a swap. Frequency 0 is always
    among the low ones: a band's mean.

    Args:
        image: float32 ``[B, C, H, W]``.
        style: The same size.
        share: Of ``style``'s amplitudes, ``[B]``; 1 is a swap.
        beta: The largest frequency that is low, in cycles per pixel.

    Returns:
        float32 ``[B, C, H, W]``; it may leave the range of the image.
    """
    height, width = image.shape[-2:]
    spectrum, other = torch.fft.rfft2(image), torch.fft.rfft2(style).abs()
    down = torch.fft.fftfreq(height, device=image.device).abs() <= beta
    right = torch.fft.rfftfreq(width, device=image.device) <= beta
    low = (down[:, None] & right).to(image.dtype)
    amplitude = torch.lerp(spectrum.abs(), other, low * share.view(-1, 1, 1, 1))
    mixed: Tensor = torch.fft.irfft2(torch.polar(amplitude, spectrum.angle()), s=(height, width))
    return mixed
