"""Materials of surfaces: reflectance in near infrared, red and green, and texture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Bands = tuple[float, float, float]
Kind = Literal["built", "grass", "leaves", "water"]
"""Material of a surface; it decides how seasons and places change its colour."""


def three(values: Iterable[float]) -> Bands:
    """Return three numbers of any kind as a tuple of floats."""
    first, second, third = map(float, values)
    return first, second, third


@dataclass(frozen=True)
class Material:
    """A kind of surface.

    Attributes:
        light: Reflectance (NIR, red, green) of the lightest patches.
        dark: Reflectance of the darkest patches.
        grain: Relative variation of the brightness from decimetre to decimetre.
        clumps: Relative variation of the brightness from metre to metre.
        kind: Substance of the surface.
    """

    light: Bands
    dark: Bands
    grain: float = 0.08
    clumps: float = 0.0
    kind: Kind = "built"

    def toned(self, factor: float) -> Material:
        """Return the same material, brighter or darker by a factor."""
        nir, red, green = self.light
        light = (nir * factor, red * factor, green * factor)
        nir, red, green = self.dark
        return replace(self, light=light, dark=(nir * factor, red * factor, green * factor))


def plain(nir: float, red: float, green: float, grain: float = 0.06) -> Material:
    """Create a material of one colour."""
    return Material((nir, red, green), (nir * 0.93, red * 0.92, green * 0.92), grain)


ASPHALT = Material((0.185, 0.168, 0.162), (0.122, 0.112, 0.109), 0.10, 0.05)
PAVING = Material((0.300, 0.270, 0.255), (0.235, 0.215, 0.205), 0.12, 0.04)
KERB = plain(0.360, 0.340, 0.330)
GRAVEL = Material((0.330, 0.290, 0.255), (0.265, 0.225, 0.195), 0.16, 0.06)
MARKING = plain(0.560, 0.560, 0.560)

LAWN = Material((0.500, 0.080, 0.110), (0.350, 0.150, 0.145), 0.12, 0.08, "grass")
MEADOW = Material((0.460, 0.080, 0.110), (0.330, 0.160, 0.150), 0.16, 0.12, "grass")
CROP = Material((0.430, 0.090, 0.110), (0.340, 0.150, 0.140), 0.10, 0.05, "grass")

SOIL = Material((0.340, 0.245, 0.175), (0.240, 0.165, 0.115), 0.14, 0.14)
SAND = Material((0.470, 0.395, 0.320), (0.400, 0.330, 0.260), 0.08, 0.05)
WATER = Material((0.028, 0.050, 0.075), (0.020, 0.038, 0.055), 0.06, 0.04, "water")
POOL = Material((0.050, 0.220, 0.420), (0.040, 0.180, 0.370), 0.04, 0.05)

TILE_NEW = Material((0.380, 0.265, 0.165), (0.320, 0.220, 0.140), 0.10, 0.05)
TILE_OLD = Material((0.280, 0.190, 0.128), (0.195, 0.137, 0.100), 0.15, 0.10)
TILE_BROWN = Material((0.200, 0.150, 0.110), (0.165, 0.122, 0.093), 0.12, 0.05)
SLATE = Material((0.150, 0.142, 0.145), (0.118, 0.112, 0.116), 0.10, 0.04)
BITUMEN = Material((0.120, 0.113, 0.112), (0.085, 0.080, 0.080), 0.12, 0.10)
PEBBLES = Material((0.335, 0.320, 0.305), (0.250, 0.240, 0.230), 0.12, 0.08)
SHEET = Material((0.420, 0.420, 0.425), (0.330, 0.330, 0.335), 0.05, 0.04)
COPPER = Material((0.290, 0.240, 0.310), (0.250, 0.200, 0.270), 0.06, 0.03)
GREEN_ROOF = Material((0.330, 0.190, 0.160), (0.250, 0.200, 0.165), 0.16, 0.14, "grass")
GLASS = plain(0.060, 0.070, 0.085, 0.03)
SOLAR = plain(0.055, 0.050, 0.075, 0.04)
CONCRETE = plain(0.330, 0.315, 0.305)

BROADLEAF = Material((0.470, 0.048, 0.078), (0.390, 0.045, 0.068), 0.26, 0.18, "leaves")
LIGHTLEAF = Material((0.540, 0.075, 0.105), (0.470, 0.065, 0.090), 0.26, 0.18, "leaves")
CONIFER = Material((0.290, 0.036, 0.050), (0.230, 0.032, 0.044), 0.30, 0.16, "leaves")
HEDGE = Material((0.420, 0.050, 0.075), (0.350, 0.046, 0.070), 0.22, 0.16, "leaves")

CAR_PAINTS = (
    plain(0.62, 0.62, 0.62, 0.02),
    plain(0.62, 0.62, 0.62, 0.02),
    plain(0.40, 0.40, 0.41, 0.02),
    plain(0.40, 0.40, 0.41, 0.02),
    plain(0.25, 0.24, 0.25, 0.02),
    plain(0.06, 0.055, 0.06, 0.02),
    plain(0.06, 0.055, 0.06, 0.02),
    plain(0.13, 0.09, 0.18, 0.02),
    plain(0.36, 0.26, 0.06, 0.02),
    plain(0.22, 0.08, 0.16, 0.02),
    plain(0.16, 0.155, 0.165, 0.02),
    plain(0.50, 0.50, 0.51, 0.02),
)
CONTAINER_PAINTS = (
    plain(0.40, 0.28, 0.09, 0.05),
    plain(0.10, 0.12, 0.26, 0.05),
    plain(0.15, 0.11, 0.24, 0.05),
    plain(0.50, 0.50, 0.48, 0.05),
)
