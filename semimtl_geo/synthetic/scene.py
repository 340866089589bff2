"""A scene of a synthetic city: image, land cover and heights of one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from semimtl_geo.synthetic.rendering.canvas import Canvas
from semimtl_geo.synthetic.rendering.painting import paint_objects
from semimtl_geo.synthetic.rendering.palette import Palette
from semimtl_geo.synthetic.rendering.sensor import take_image
from semimtl_geo.synthetic.rendering.streets import paint_ground
from semimtl_geo.synthetic.town.city_style import CityStyle
from semimtl_geo.synthetic.town.layout import place_objects
from tiles.types import UNKNOWN_CLASS, Float32Array, UInt8Array

# Scenes are painted with water as a seventh class.
_ISPRS_VALUES: Final = np.array([0, 1, 2, 3, 4, 5, 5], np.uint8)
_TOWN_VALUES: Final = np.array([0, 1, 2, 3, UNKNOWN_CLASS, UNKNOWN_CLASS, 5], np.uint8)


@dataclass(frozen=True)
class SyntheticScene:
    """Image, land cover and heights of one place.

    Attributes:
        image: uint8 [3, H, W] in NIR, red and green, or in the palette's bands.
        landcover: uint8 [H, W], ISPRS classes; of a random town, those of ``TOWNS``.
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


def make_scene(
    style: CityStyle,
    seed: int | np.random.SeedSequence,
    size: int,
    palette: Palette | None = None,
) -> SyntheticScene:
    """Generate a scene.

    Args:
        style: The city.
        seed: Seed; the same seed gives the same scene.
        size: Edge of the scene in pixels.
        palette: Colours of a random town; with it, classes are those of ``TOWNS``.

    Returns:
        A scene of ``size`` x ``size`` pixels.

    Example:
        >>> from semimtl_geo.synthetic import CITY_B
        >>> make_scene(CITY_B, seed=7, size=80).image.shape
        (3, 80, 80)
    """
    rng = np.random.default_rng(seed)
    margin = round(style.margin / style.gsd)
    canvas = Canvas.blank(rng, size, style.gsd, margin, palette)
    streets, objects = place_objects(style, rng, size * style.gsd)
    paint_ground(canvas, streets, style, rng)
    paint_objects(canvas, objects, rng)
    image = take_image(canvas, style, rng)
    inside = slice(margin, margin + size)
    classes = _ISPRS_VALUES if palette is None else _TOWN_VALUES
    return SyntheticScene(
        image=np.ascontiguousarray(image[:, inside, inside]),
        landcover=classes[canvas.landcover[inside, inside]],
        height=canvas.height[inside, inside].copy(),
    )
