"""Rasters that a scene is painted on, and the painting of flat ground and raised objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from semimtl_geo.synthetic.rendering.noise import value_noise
from semimtl_geo.synthetic.rendering.palette import Palette
from semimtl_geo.synthetic.town.geometry import Rect
from semimtl_geo.synthetic.town.materials import Material
from tiles.types import Float32Array, UInt8Array

Window = tuple[slice, slice]
"""Rows and columns of a part of the canvas."""


@dataclass
class Canvas:
    """Rasters of a scene, with a margin whose objects cast shadows into the scene.

    Attributes:
        gsd: Edge of a pixel in metres.
        xs: float32 [W], coordinates of the pixels' centres in metres east of the scene's corner.
        ys: float32 [H], coordinates of the pixels' centres in metres south of the scene's corner.
        landcover: uint8 [H, W], ISPRS classes, and 6 for water.
        height: float32 [H, W], height above ground in metres.
        slope: float32 [2, H, W], derivatives of the height to the east and to the south, without
            the jumps at walls.
        colour: float32 [3, H, W], reflectance in NIR, red and green, or in the palette's bands.
        fine: float32 [H, W], noise of a few decimetres, within -1..1.
        clumps: float32 [H, W], noise of about a metre, within -1..1.
        patches: float32 [H, W], noise of many metres, within 0..1.
        palette: Colours of the materials; None for their own.
    """

    gsd: float
    xs: Float32Array
    ys: Float32Array
    landcover: UInt8Array
    height: Float32Array
    slope: Float32Array
    colour: Float32Array
    fine: Float32Array
    clumps: Float32Array
    patches: Float32Array
    palette: Palette | None = None

    @classmethod
    def blank(
        cls,
        rng: np.random.Generator,
        size: int,
        gsd: float,
        margin: int,
        palette: Palette | None = None,
    ) -> Canvas:
        """Create a canvas on which nothing is painted.

        Args:
            rng: Source of randomness.
            size: Edge of the scene in pixels.
            gsd: Edge of a pixel in metres.
            margin: Width of the margin on every side, in pixels.
            palette: Colours of the materials; None for their own.
        """
        edge = size + 2 * margin
        shape = (edge, edge)
        centres = ((np.arange(edge) - margin + 0.5) * gsd).astype(np.float32)
        clumps = value_noise(rng, shape, 1.1 / gsd)
        broad = value_noise(rng, shape, 9.0 / gsd) + 0.7 * value_noise(rng, shape, 3.5 / gsd)
        patches = np.clip(0.5 + 0.6 * broad + 0.25 * clumps, 0, 1)
        return cls(
            gsd=gsd,
            xs=centres,
            ys=centres,
            landcover=np.zeros(shape, np.uint8),
            height=np.zeros(shape, np.float32),
            slope=np.zeros((2, *shape), np.float32),
            colour=np.zeros((3, *shape), np.float32),
            fine=value_noise(rng, shape, 0.3 / gsd),
            clumps=clumps,
            patches=patches,
            palette=palette,
        )

    def window(self, rect: Rect, pad: float) -> tuple[Window, Float32Array, Float32Array] | None:
        """Return the pixels around a rectangle.

        Args:
            rect: The rectangle.
            pad: Width of further ground on every side, in metres.

        Returns:
            The window, and float32 [h, w] distances of its pixels' centres from the rectangle's
            centre, along its length and across it, in metres. None if the rectangle lies outside
            the canvas.
        """
        half_x, half_y = rect.half_extent()
        left, right = np.searchsorted(
            self.xs, [rect.x - half_x - pad, rect.x + half_x + pad]
        ).tolist()
        top, bottom = np.searchsorted(
            self.ys, [rect.y - half_y - pad, rect.y + half_y + pad]
        ).tolist()
        if left >= right or top >= bottom:
            return None
        cos, sin = np.float32(np.cos(rect.angle)), np.float32(np.sin(rect.angle))
        dx = self.xs[left:right] - np.float32(rect.x)
        dy = (self.ys[top:bottom] - np.float32(rect.y))[:, None]
        window = (slice(top, bottom), slice(left, right))
        return window, dx * cos + dy * sin, dy * cos - dx * sin

    def coverage(self, distance: Float32Array) -> Float32Array:
        """Return the share of each pixel that lies inside an outline.

        Args:
            distance: float32 [h, w], signed distance from the outline in metres, negative inside.

        Returns:
            float32 [h, w] within 0..1.
        """
        covered: Float32Array = np.clip(np.float32(0.5) - distance / np.float32(self.gsd), 0, 1)
        return covered

    def reflectance(self, material: Material, window: Window) -> Float32Array:
        """Return the reflectance of a material with its texture, float32 [3, h, w]."""
        if self.palette is not None:
            material = self.palette.colour(material)
        mix = self.patches[window]
        grain = 1 + np.float32(material.grain) * self.fine[window]
        if material.clumps:
            grain += np.float32(material.clumps) * self.clumps[window]
        colour = np.empty((3, *mix.shape), np.float32)
        for band, (light, dark) in enumerate(zip(material.light, material.dark, strict=True)):
            np.multiply(mix, np.float32(dark - light), out=colour[band])
            colour[band] += np.float32(light)
            colour[band] *= grain
        return colour

    def paint_flat(
        self, window: Window, cover: Float32Array, colour: Float32Array, landcover: int | None
    ) -> None:
        """Paint flat ground.

        Args:
            window: Window to paint in.
            cover: float32 [h, w], share of each pixel that is covered, 0..1.
            colour: float32 [3, h, w], reflectance.
            landcover: Class, or None to keep the class that is there, as markings do.
        """
        below = self.colour[:, window[0], window[1]]
        below += (colour - below) * cover
        if landcover is not None:
            self.landcover[window][cover > 0.5] = landcover

    def paint_raised(
        self,
        window: Window,
        cover: Float32Array,
        top: Float32Array,
        slope: tuple[Float32Array | float, Float32Array | float],
        colour: Float32Array,
        landcover: int,
    ) -> None:
        """Paint a raised object where it is higher than what is there already.

        Args:
            window: Window to paint in.
            cover: float32 [h, w], share of each pixel that is covered, 0..1.
            top: float32 [h, w], height of the object's surface in metres.
            slope: Derivatives of that height to the east and to the south, float32 [h, w] or
                numbers.
            colour: float32 [3, h, w], reflectance.
            landcover: Class of the object.
        """
        height = self.height[window]
        cover = np.where(top > height, cover, np.float32(0))
        below = self.colour[:, window[0], window[1]]
        below += (colour - below) * cover
        solid = cover > 0.5
        np.copyto(height, top, where=solid)
        np.copyto(self.slope[0][window], np.float32(slope[0]), where=solid)
        np.copyto(self.slope[1][window], np.float32(slope[1]), where=solid)
        self.landcover[window][solid] = landcover
