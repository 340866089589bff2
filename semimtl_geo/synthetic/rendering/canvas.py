"""The maps that a scene is painted on, and the brushes of flat ground and raised things."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semimtl_geo.synthetic.rendering.noise import value_noise
from semimtl_geo.synthetic.town.geometry import Rect
from semimtl_geo.synthetic.town.materials import Material

Window = tuple[slice, slice]
Field = NDArray[np.float32]


@dataclass
class Canvas:
    """One scene while it is painted, with a margin whose objects cast shadows into it.

    Attributes:
        gsd: Pixel edge, in metres.
        xs: float32 [W], east of the pixels' centres from the scene's corner, in metres.
        ys: float32 [H], south of the pixels' centres, in metres.
        landcover: uint8 [H, W], ISPRS classes.
        height: float32 [H, W], above ground, in metres.
        slope: float32 [2, H, W], growth of the height to the east and to the south, without
            the jumps at walls.
        colour: float32 [3, H, W], reflectance in NIR, red and green.
        fine: float32 [H, W], grain of a few decimetres, within -1..1.
        clumps: float32 [H, W], a pattern of about a metre, within -1..1.
        patches: float32 [H, W], a pattern of many metres, within 0..1.
    """

    gsd: float
    xs: Field
    ys: Field
    landcover: NDArray[np.uint8]
    height: Field
    slope: Field
    colour: Field
    fine: Field
    clumps: Field
    patches: Field

    @classmethod
    def blank(cls, rng: np.random.Generator, size: int, gsd: float, margin: int) -> Canvas:
        """A canvas of ``size`` x ``size`` pixels and ``margin`` more on every side."""
        edge = size + 2 * margin
        shape = (edge, edge)
        at = ((np.arange(edge) - margin + 0.5) * gsd).astype(np.float32)
        clumps = value_noise(rng, shape, 1.1 / gsd)
        broad = value_noise(rng, shape, 9.0 / gsd) + 0.7 * value_noise(rng, shape, 3.5 / gsd)
        patches = np.clip(0.5 + 0.6 * broad + 0.25 * clumps, 0, 1)
        return cls(
            gsd=gsd,
            xs=at,
            ys=at,
            landcover=np.zeros(shape, np.uint8),
            height=np.zeros(shape, np.float32),
            slope=np.zeros((2, *shape), np.float32),
            colour=np.zeros((3, *shape), np.float32),
            fine=value_noise(rng, shape, 0.3 / gsd),
            clumps=clumps,
            patches=patches,
        )

    def window(self, rect: Rect, pad: float) -> tuple[Window, Field, Field] | None:
        """The pixels around a rectangle.

        Args:
            rect: The rectangle.
            pad: How much more ground to take on every side, in metres.

        Returns:
            Where they lie, and float32 [h, w] distances of their centres from the rectangle's
            along its length and across it, in metres. None where the rectangle is off the canvas.
        """
        reach_x, reach_y = rect.reach()
        left, right = np.searchsorted(
            self.xs, [rect.x - reach_x - pad, rect.x + reach_x + pad]
        ).tolist()
        top, bottom = np.searchsorted(
            self.ys, [rect.y - reach_y - pad, rect.y + reach_y + pad]
        ).tolist()
        if left >= right or top >= bottom:
            return None
        cos, sin = np.float32(np.cos(rect.angle)), np.float32(np.sin(rect.angle))
        dx = self.xs[left:right] - np.float32(rect.x)
        dy = (self.ys[top:bottom] - np.float32(rect.y))[:, None]
        place = (slice(top, bottom), slice(left, right))
        return place, dx * cos + dy * sin, dy * cos - dx * sin

    def coverage(self, distance: Field) -> Field:
        """How much of each pixel is inside.

        Args:
            distance: float32 [h, w], from the outline, negative inside, in metres.

        Returns:
            float32 [h, w] within 0..1.
        """
        covered: Field = np.clip(np.float32(0.5) - distance / np.float32(self.gsd), 0, 1)
        return covered

    def paint(self, material: Material, place: Window) -> Field:
        """A material's reflectance with its texture, float32 [3, h, w]."""
        mix = self.patches[place]
        grain = 1 + np.float32(material.grain) * self.fine[place]
        if material.clumps:
            grain += np.float32(material.clumps) * self.clumps[place]
        colour = np.empty((3, *mix.shape), np.float32)
        for band, (light, dark) in enumerate(zip(material.light, material.dark, strict=True)):
            np.multiply(mix, np.float32(dark - light), out=colour[band])
            colour[band] += np.float32(light)
            colour[band] *= grain
        return colour

    def lay(self, place: Window, cover: Field, colour: Field, landcover: int | None) -> None:
        """Paints flat ground.

        Args:
            place: Where.
            cover: float32 [h, w], share of each pixel that is covered, 0..1.
            colour: float32 [3, h, w], reflectance.
            landcover: Class, or None to leave it as it is (a marking).
        """
        below = self.colour[:, place[0], place[1]]
        below += (colour - below) * cover
        if landcover is not None:
            self.landcover[place][cover > 0.5] = landcover

    def lift(
        self,
        place: Window,
        cover: Field,
        top: Field,
        slope: tuple[Field | float, Field | float],
        colour: Field,
        landcover: int,
    ) -> None:
        """Paints a raised thing where it stands above what is there already.

        Args:
            place: Where.
            cover: float32 [h, w], share of each pixel that is covered, 0..1.
            top: float32 [h, w], height of its surface, in metres.
            slope: Growth of that height to the east and to the south, float32 [h, w] or numbers.
            colour: float32 [3, h, w], reflectance.
            landcover: Class.
        """
        height = self.height[place]
        cover = np.where(top > height, cover, np.float32(0))
        below = self.colour[:, place[0], place[1]]
        below += (colour - below) * cover
        solid = cover > 0.5
        np.copyto(height, top, where=solid)
        np.copyto(self.slope[0][place], np.float32(slope[0]), where=solid)
        np.copyto(self.slope[1][place], np.float32(slope[1]), where=solid)
        self.landcover[place][solid] = landcover
