"""The sensor: from reflectance and light to the digital numbers of an image."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from semimtl_geo.synthetic.rendering.canvas import Canvas
from semimtl_geo.synthetic.rendering.light import shading, sky_view, sunlit
from semimtl_geo.synthetic.town.city_style import CityStyle
from tiles.types import Float32Array, UInt8Array


def take_image(canvas: Canvas, style: CityStyle, rng: np.random.Generator) -> UInt8Array:
    """Take the image of a painted scene.

    Args:
        canvas: The scene with its margin, H x W pixels.
        style: Sun, sky and sensor.
        rng: Source of randomness for the position of the sun and for noise.

    Returns:
        uint8 [3, H, W] in the bands of the canvas.
    """
    azimuth = style.sun_azimuth + rng.uniform(-1, 1) * style.sun_jitter
    elevation = style.sun_elevation + rng.uniform(-1, 1) * style.sun_jitter
    radiance = illuminate(canvas, style, float(azimuth), float(elevation))
    return record(radiance, style, rng)


def illuminate(canvas: Canvas, style: CityStyle, azimuth: float, elevation: float) -> Float32Array:
    """Compute the light that leaves the scene.

    Args:
        canvas: The scene.
        style: The sky.
        azimuth: Direction toward the sun, clockwise from north, in degrees.
        elevation: Elevation of the sun above the horizon in degrees.

    Returns:
        float32 [3, H, W], 1 for a white surface in full light.
    """
    sun = sunlit(canvas.height, canvas.gsd, azimuth, elevation)
    sun *= shading(canvas.slope, azimuth, elevation)
    sky = sky_view(canvas.height, canvas.gsd)
    radiance = np.empty_like(canvas.colour)
    for band, share in enumerate(style.sky):
        light = sun * np.float32(1 - share)
        light += sky * np.float32(share)
        np.multiply(canvas.colour[band], light, out=radiance[band])
    return radiance


def record(radiance: Float32Array, style: CityStyle, rng: np.random.Generator) -> UInt8Array:
    """Apply the sensor: band mixing, exposure, haze, blur, tone curve and noise.

    Args:
        radiance: float32 [3, H, W], light that leaves the scene.
        style: The sensor.
        rng: Source of noise.

    Returns:
        uint8 [3, H, W].
    """
    mixing = np.array(style.mixing, np.float32) * np.array(style.gain, np.float32)[:, None]
    image = np.empty(radiance.shape, np.uint8)
    for band in range(3):
        signal = radiance[0] * mixing[band, 0]
        signal += radiance[1] * mixing[band, 1]
        signal += radiance[2] * mixing[band, 2]
        signal += np.float32(style.haze[band])
        ndimage.gaussian_filter(signal, style.blur, output=signal, mode="nearest", truncate=3.0)
        np.power(np.maximum(signal, 0), np.float32(1 / style.gamma), out=signal)
        signal *= np.float32(255)
        signal += rng.standard_normal(signal.shape, np.float32) * np.float32(style.noise)
        image[band] = np.clip(signal + np.float32(0.5), 0, 255)
    return image
