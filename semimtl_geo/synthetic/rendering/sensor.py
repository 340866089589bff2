"""From reflectance and light to the digital numbers of a camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from semimtl_geo.synthetic.rendering.canvas import Canvas, Field
from semimtl_geo.synthetic.rendering.light import openness, shading, sunlit
from semimtl_geo.synthetic.town.city_style import CityStyle


def take(canvas: Canvas, style: CityStyle, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Takes the image of a painted scene.

    Args:
        canvas: The scene with its margin, H x W pixels.
        style: Sun, sky and sensor.
        rng: Source of randomness: the hour of the flight, and noise.

    Returns:
        uint8 [3, H, W] in NIR, red and green.
    """
    azimuth = style.sun_azimuth + rng.uniform(-1, 1) * style.sun_jitter
    elevation = style.sun_elevation + rng.uniform(-1, 1) * style.sun_jitter
    radiance = illuminate(canvas, style, float(azimuth), float(elevation))
    return develop(radiance, style, rng)


def illuminate(canvas: Canvas, style: CityStyle, azimuth: float, elevation: float) -> Field:
    """Light that leaves the scene, float32 [3, H, W], 1 for a white surface in full light."""
    sun = sunlit(canvas.height, canvas.gsd, azimuth, elevation)
    sun *= shading(canvas.slope, azimuth, elevation)
    sky = openness(canvas.height, canvas.gsd)
    radiance = np.empty_like(canvas.colour)
    for band, share in enumerate(style.sky):
        light = sun * np.float32(1 - share)
        light += sky * np.float32(share)
        np.multiply(canvas.colour[band], light, out=radiance[band])
    return radiance


def develop(radiance: Field, style: CityStyle, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The sensor: band mixing, exposure, haze, blur, tone curve, noise.

    Args:
        radiance: float32 [3, H, W].
        style: The sensor.
        rng: Source of noise.

    Returns:
        uint8 [3, H, W].
    """
    mixing = np.array(style.mixing, np.float32) * np.array(style.gain, np.float32)[:, None]
    image = np.empty(radiance.shape, np.uint8)
    for band in range(3):
        seen = radiance[0] * mixing[band, 0]
        seen += radiance[1] * mixing[band, 1]
        seen += radiance[2] * mixing[band, 2]
        seen += np.float32(style.haze[band])
        ndimage.gaussian_filter(seen, style.blur, output=seen, mode="nearest", truncate=3.0)
        np.power(np.maximum(seen, 0), np.float32(1 / style.gamma), out=seen)
        seen *= np.float32(255)
        seen += rng.standard_normal(seen.shape, np.float32) * np.float32(style.noise)
        image[band] = np.clip(seen + np.float32(0.5), 0, 255)
    return image
