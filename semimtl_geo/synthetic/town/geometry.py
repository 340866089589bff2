"""Rectangles on the ground, and the coordinate system that streets follow.

Positions are metres from a scene's upper left corner: x to the east, y to the south. Angles turn
from x to y, in radians.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Coordinate = TypeVar("Coordinate", float, NDArray[np.float32])


@dataclass(frozen=True)
class Rect:
    """A rotated rectangle.

    Attributes:
        x: Position of the centre to the east, in metres.
        y: Position of the centre to the south, in metres.
        angle: Direction of the length, in radians.
        length: Extent along ``angle``, in metres.
        width: Extent across, in metres.
    """

    x: float
    y: float
    angle: float
    length: float
    width: float

    def at(self, along: float, across: float) -> tuple[float, float]:
        """Return the position (x, y) at distances along and across the length, in metres."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return self.x + along * cos - across * sin, self.y + along * sin + across * cos

    def part(
        self, along: float, across: float, length: float, width: float, turn: float = 0.0
    ) -> Rect:
        """Return a rectangle placed relative to this one, in metres and radians."""
        x, y = self.at(along, across)
        return Rect(float(x), float(y), self.angle + turn, length, width)

    def expanded(self, by: float) -> Rect:
        """Return this rectangle, enlarged by a distance in metres on every side."""
        return Rect(self.x, self.y, self.angle, self.length + 2 * by, self.width + 2 * by)

    def half_extent(self) -> tuple[float, float]:
        """Return half the extent to the east and to the south, in metres."""
        cos, sin = abs(np.cos(self.angle)), abs(np.sin(self.angle))
        return (
            float(cos * self.length + sin * self.width) / 2,
            float(sin * self.length + cos * self.width) / 2,
        )


@dataclass(frozen=True)
class StreetCoordinates:
    """Street coordinates (u, v): rotated, and bent smoothly for a town without a plan.

    Attributes:
        x: Position of the origin to the east, in metres.
        y: Position of the origin to the south, in metres.
        angle: Direction of u, in radians.
        waves: One row per bending wave: (k_p, k_q, phase, bend of u, bend of v), the k in
            radians per metre and the bends in metres.
    """

    x: float
    y: float
    angle: float
    waves: tuple[tuple[float, float, float, float, float], ...] = ()

    def to_uv(self, x: Coordinate, y: Coordinate) -> tuple[Coordinate, Coordinate]:
        """Return the street coordinates of positions, in metres."""
        cos, sin = float(np.cos(self.angle)), float(np.sin(self.angle))
        p = (x - self.x) * cos + (y - self.y) * sin
        q = (y - self.y) * cos - (x - self.x) * sin
        du, dv = self._bend(p, q)
        return p + du, q + dv

    def to_xy(self, u: float, v: float) -> tuple[float, float]:
        """Return the position (x, y) of street coordinates, in metres."""
        return self._turn(*self._unbend(u, v))

    def rect(self, u: float, v: float, axis: int, length: float, width: float) -> Rect:
        """Return a rectangle centred at (u, v) whose length follows u (axis 0) or v (axis 1)."""
        p, q = self._unbend(u, v)
        u_p, u_q, v_p, v_q = 1.0, 0.0, 0.0, 1.0
        for k_p, k_q, phase, bend_u, bend_v in self.waves:
            change = math.cos(p * k_p + q * k_q + phase)
            u_p, u_q = u_p + change * k_p * bend_u, u_q + change * k_q * bend_u
            v_p, v_q = v_p + change * k_p * bend_v, v_q + change * k_q * bend_v
        # A column of the inverse Jacobian, up to a factor.
        heading = math.atan2(-v_p, v_q) if axis == 0 else math.atan2(u_p, -u_q)
        return Rect(*self._turn(p, q), self.angle + heading, length, width)

    def _turn(self, p: float, q: float) -> tuple[float, float]:
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        return self.x + p * cos - q * sin, self.y + p * sin + q * cos

    def _unbend(self, u: float, v: float) -> tuple[float, float]:
        """Return the rotated, unbent coordinates of street coordinates by fixed-point iteration."""
        p, q = u, v
        for _ in range(20 if self.waves else 0):
            du = dv = 0.0
            for k_p, k_q, phase, bend_u, bend_v in self.waves:
                wave = math.sin(p * k_p + q * k_q + phase)
                du, dv = du + wave * bend_u, dv + wave * bend_v
            moved = abs(u - du - p) + abs(v - dv - q)
            p, q = u - du, v - dv
            if moved < 0.01:
                break
        return p, q

    def _bend(self, p: Coordinate, q: Coordinate) -> tuple[Coordinate, Coordinate]:
        du, dv = p * 0, q * 0
        for k_p, k_q, phase, bend_u, bend_v in self.waves:
            wave: Any = np.sin(p * k_p + q * k_q + phase)
            du, dv = du + wave * bend_u, dv + wave * bend_v
        return du, dv
