"""A scene of a synthetic city: image, land cover and heights of one place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from semimtl_geo.synthetic.rendering.canvas import Canvas
from semimtl_geo.synthetic.rendering.painting import paint_objects
from semimtl_geo.synthetic.rendering.sensor import take_image
from semimtl_geo.synthetic.rendering.streets import paint_ground
from semimtl_geo.synthetic.town.city_style import CityStyle
from semimtl_geo.synthetic.town.layout import place_objects
from tiles.types import Float32Array, UInt8Array


@dataclass(frozen=True)
class SyntheticScene:
    """Image, land cover and heights of one place.

    Attributes:
        image: uint8 [3, H, W] in NIR, red and green.
        landcover: uint8 [H, W], ISPRS classes.
        height: float32 [H, W], height above ground in metres; exactly 0 on the ground.

    Example:
        >>> from semimtl_geo.synthetic import CITY_A, make_scene
        >>> scene: SyntheticScene = make_scene(CITY_A, seed=0, size=64)
        >>> scene.landcover.shape, float(scene.height.min())
        ((64, 64), 0.0)
    """

    image: UInt8Array
    landcover: UInt8Array
    height: Float32Array


def make_scene(style: CityStyle, seed: int | np.random.SeedSequence, size: int) -> SyntheticScene:
    """Generate a scene.

    Args:
        style: The city.
        seed: Seed; the same seed gives the same scene.
        size: Edge of the scene in pixels.

    Returns:
        A scene of ``size`` x ``size`` pixels.

    Example:
        >>> from semimtl_geo.synthetic import CITY_B
        >>> make_scene(CITY_B, seed=7, size=80).image.shape
        (3, 80, 80)
    """
    rng = np.random.default_rng(seed)
    margin = round(style.margin / style.gsd)
    canvas = Canvas.blank(rng, size, style.gsd, margin)
    streets, objects = place_objects(style, rng, size * style.gsd)
    paint_ground(canvas, streets, style, rng)
    paint_objects(canvas, objects, rng)
    image = take_image(canvas, style, rng)
    inside = slice(margin, margin + size)
    return SyntheticScene(
        image=np.ascontiguousarray(image[:, inside, inside]),
        landcover=canvas.landcover[inside, inside].copy(),
        height=canvas.height[inside, inside].copy(),
    )
