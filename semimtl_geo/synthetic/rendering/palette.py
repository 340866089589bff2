"""Colours of a place, a season and a set of bands: how the materials of a random town look."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from semimtl_geo.synthetic.town.materials import Bands, Material, three
from tiles.types import Float64Array

BandNames = Literal["red,green,blue", "nir,red,green"]
STRAW: Bands = (0.38, 0.27, 0.21)
"""Reflectance of dry grass in near infrared, red and green."""
LIMITS = (0.005, 0.85)
"""Lowest and highest reflectance of a surface."""


@dataclass(frozen=True)
class Palette:
    """Colours of a place, a season and a set of bands.

    Every material gets a random brightness and a slight tint, the same wherever it occurs. Grass
    is dry to a random degree.

    Attributes:
        bands: Bands of the images.
        seed: Seed of the colours.
        dryness: Share of dry grass in meadows and lawns, 0..1, on average.

    Example:
        >>> from semimtl_geo.synthetic.town.materials import LAWN
        >>> red, green, blue = Palette("red,green,blue", seed=0, dryness=0.0).colour(LAWN).light
        >>> green > red and green > blue
        True
    """

    bands: BandNames
    seed: int
    dryness: float

    def colour(self, material: Material) -> Material:
        """Return a material with its reflectance in the bands of the palette."""
        # The reflectance identifies a material, also one that was toned.
        words = [round(1e6 * value) for value in (*material.light, *material.dark)]
        rng = np.random.default_rng([self.seed, *words])
        light, dark = np.array(material.light), np.array(material.dark)
        if material.kind == "grass":
            dry = float(np.clip(self.dryness + rng.normal(0, 0.15), 0, 1))
            light += (np.array(STRAW) - light) * dry * 0.8
            dark += (np.array(STRAW) * 0.85 - dark) * dry
        green = material.kind in ("grass", "leaves")
        tone = np.exp(rng.normal(0, 0.2 if green else 0.35))
        tint = np.exp(rng.normal(0, 0.045, 3))
        light, dark = (self._in_bands(part, green) * tone * tint for part in (light, dark))
        dark = light + (dark - light) * rng.uniform(0.6, 1.5)
        return replace(
            material,
            light=three(np.clip(light, *LIMITS)),
            dark=three(np.clip(dark, *LIMITS)),
            grain=material.grain * float(rng.uniform(0.5, 1.6)),
            clumps=material.clumps * float(rng.uniform(0.5, 2.0)),
        )

    def _in_bands(self, colour: Float64Array, green: bool) -> Float64Array:
        """Convert near infrared, red and green to the bands of the palette.

        Blue is extrapolated: built surfaces go on as from red to green, leaves absorb it.
        """
        if self.bands == "nir,red,green":
            return colour
        _, red, green_band = colour
        if green:
            dry = np.clip((red - 0.05) / 0.2, 0, 1)
            blue = green_band * (0.5 + 0.18 * dry)
        else:
            extrapolated = green_band + 0.8 * (green_band - red)
            blue = np.clip(extrapolated, 0.35 * green_band, 1.2 * green_band)
        return np.array([red, green_band, blue])
