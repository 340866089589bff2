"""A scene of a synthetic city: image, land cover and heights of one place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semimtl_geo.synthetic.rendering.canvas import Canvas
from semimtl_geo.synthetic.rendering.painting import paint_plan
from semimtl_geo.synthetic.rendering.sensor import take
from semimtl_geo.synthetic.rendering.streets import paint_ground
from semimtl_geo.synthetic.town.city_style import CityStyle
from semimtl_geo.synthetic.town.layout import make_plan


@dataclass(frozen=True)
class Scene:
    """One place imaged once.

    Attributes:
        image: uint8 [3, H, W] in NIR, red and green.
        landcover: uint8 [H, W], ISPRS classes.
        height: float32 [H, W], above ground, in metres; exactly 0 on the ground.
    """

    image: NDArray[np.uint8]
    landcover: NDArray[np.uint8]
    height: NDArray[np.float32]


def make_scene(style: CityStyle, seed: int | np.random.SeedSequence, size: int) -> Scene:
    """Generates a scene.

    Args:
        style: The city.
        seed: The same seed gives the same scene.
        size: Edge of the scene, in pixels.

    Returns:
        The scene, ``size`` x ``size`` pixels.
    """
    rng = np.random.default_rng(seed)
    margin = round(style.margin / style.gsd)
    canvas = Canvas.blank(rng, size, style.gsd, margin)
    network, plan = make_plan(style, rng, size * style.gsd)
    paint_ground(canvas, network, style, rng)
    paint_plan(canvas, plan, rng)
    image = take(canvas, style, rng)
    inside = slice(margin, margin + size)
    return Scene(
        image=np.ascontiguousarray(image[:, inside, inside]),
        landcover=canvas.landcover[inside, inside].copy(),
        height=canvas.height[inside, inside].copy(),
    )
