"""Streets: avenues from edge to edge, cross streets between them, and the blocks they leave."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from semimtl_geo.synthetic.town.city_style import CityStyle
from semimtl_geo.synthetic.town.geometry import StreetCoordinates


@dataclass(frozen=True)
class Street:
    """A street in street coordinates.

    Attributes:
        axis: 0 if the street follows u, 1 if it follows v.
        position: Other coordinate of the centre line, in metres.
        start: First coordinate along the axis, in metres.
        stop: Last coordinate along the axis, in metres.
        half_width: Half the width of the carriageway, in metres.
    """

    axis: int
    position: float
    start: float
    stop: float
    half_width: float


@dataclass(frozen=True)
class Block:
    """The ground between streets, in street coordinates, in metres."""

    u0: float
    u1: float
    v0: float
    v1: float


@dataclass(frozen=True)
class StreetNetwork:
    """All streets and blocks of a scene."""

    coordinates: StreetCoordinates
    avenues: tuple[Street, ...]
    crosses: tuple[Street, ...]
    blocks: tuple[Block, ...]


def make_street_network(style: CityStyle, rng: np.random.Generator, extent: float) -> StreetNetwork:
    """Lay out the streets of a square scene.

    Args:
        style: The city.
        rng: Source of randomness.
        extent: Edge of the scene, in metres.

    Returns:
        Streets and blocks that cover the scene and a margin around it.
    """
    waves = []
    for _ in range(3 if style.bend else 0):
        turn, length = rng.uniform(0, 2 * np.pi), rng.uniform(70, 150)
        k = 2 * np.pi / length
        bend = style.bend * length / 110 * rng.uniform(-1, 1, 2)
        waves.append(
            (
                float(k * np.cos(turn)),
                float(k * np.sin(turn)),
                float(rng.uniform(0, 2 * np.pi)),
                float(bend[0]),
                float(bend[1]),
            )
        )
    coordinates = StreetCoordinates(
        extent / 2, extent / 2, float(rng.uniform(0, np.pi)), tuple(waves)
    )
    radius = extent * 0.7072 + 14.0 + 2 * style.bend

    avenues: list[Street] = []
    at = -radius - rng.uniform(0, style.block_depth[0])
    while at < radius + style.block_depth[1]:
        half = rng.uniform(*style.avenue) / 2
        avenues.append(Street(1, float(at), -radius, radius, float(half)))
        at += half + 2 * style.pavement + rng.uniform(*style.block_depth) + style.avenue[0] / 2

    crosses: list[Street] = []
    blocks: list[Block] = []
    for left, right in pairwise(avenues):
        u0 = left.position + left.half_width + style.pavement
        u1 = right.position - right.half_width - style.pavement
        at = -radius - rng.uniform(0, style.block_length[1])
        below = None
        while below is None or below < radius:
            half = rng.uniform(*style.cross) / 2
            crosses.append(Street(0, float(at), left.position, right.position, float(half)))
            if below is not None:
                blocks.append(Block(u0, u1, below, float(at - half - style.pavement)))
            below = float(at + half + style.pavement)
            at = below + rng.uniform(*style.block_length) + style.cross[0] / 2 + style.pavement
    return StreetNetwork(coordinates, tuple(avenues), tuple(crosses), tuple(blocks))
