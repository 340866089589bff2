"""From a style and a source of randomness to the plan of a scene."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from semimtl_geo.synthetic.town import blocks_a, blocks_b
from semimtl_geo.synthetic.town.city_style import CityStyle
from semimtl_geo.synthetic.town.geometry import Rect
from semimtl_geo.synthetic.town.materials import LAWN
from semimtl_geo.synthetic.town.objects import Plan
from semimtl_geo.synthetic.town.site import LOW, Site
from semimtl_geo.synthetic.town.street_network import Block, Network, Street, make_network

BLOCKS: Final[dict[str, Callable[[Site], None]]] = {
    "courtyard": blocks_a.courtyard,
    "slabs": blocks_a.slabs,
    "villas": blocks_a.villas,
    "hall": blocks_a.hall,
    "park": blocks_a.park,
    "houses": blocks_b.houses,
    "rows": blocks_b.rows,
    "shops": blocks_b.shops,
    "green": blocks_b.green,
}
"""What a block may be built with, by the names that styles use."""


def make_plan(style: CityStyle, rng: np.random.Generator, extent: float) -> tuple[Network, Plan]:
    """Plans a square scene.

    Args:
        style: The city.
        rng: Source of randomness.
        extent: Edge of the scene, in metres.

    Returns:
        Its streets, and all that stands between and on them.
    """
    network = make_network(style, rng, extent)
    plan = Plan.blank(extent, style.margin)
    names = [name for name, _ in style.plans]
    weights = np.array([weight for _, weight in style.plans])
    for block in network.blocks:
        name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
        site = Site(plan, network, block, rng)
        if _seen(site):
            BLOCKS[name](site)
    site = Site(plan, network, Block(0.0, 0.0, 0.0, 0.0), rng)
    for street in (*network.avenues, *network.crosses):
        _line(site, style, street)
    return network, plan


def _seen(site: Site) -> bool:
    """Whether any of a block may lie in the scene."""
    block = site.block
    u, v = (block.u0 + block.u1) / 2, (block.v0 + block.v1) / 2
    rect = site.rect(u, v, 0, block.u1 - block.u0, block.v1 - block.v0)
    return site.plan.near(rect.grown(6.0))


def _line(site: Site, style: CityStyle, street: Street) -> None:
    """Plans the parked cars, the moving cars and the trees of one street."""
    ends = _junctions(site.network, street)
    both = street.half > 3.4
    for side in (-1, 1):
        at = street.start
        while at < street.stop:
            at += site.between(5.3, 7.5)
            if any(abs(at - end) < half + 7.5 for end, half in ends):
                continue
            kerb = street.at + side * (street.half - 1.15)
            if (side > 0 or both) and site.chance(style.parked):
                rect = _on(site, street, kerb, at)
                if site.plan.near(rect) and site.plan.free(rect):
                    site.car(rect)
            elif site.chance(0.05):
                lane = street.at + side * street.half * 0.3
                rect = _on(site, street, lane, at)
                if site.plan.near(rect) and site.plan.free(rect):
                    site.car(rect)
            if site.chance(style.street_trees):
                stem = street.at + side * (street.half + 0.9)
                u, v = (at, stem) if street.axis == 0 else (stem, at)
                pit = site.rect(u, v, street.axis, 2.4, 1.3)
                if site.tree(u, v, site.between(1.7, 2.9), 0.0):
                    site.lay(pit, LAWN, LOW)


def _on(site: Site, street: Street, across: float, along: float) -> Rect:
    """The place of a car on a street, in street coordinates in metres."""
    u, v = (along, across) if street.axis == 0 else (across, along)
    return site.rect(u, v, street.axis, 5.0, 2.0)


def _junctions(network: Network, street: Street) -> list[tuple[float, float]]:
    """Where along a street others meet it, and their half widths, in metres."""
    if street.axis == 0:
        return [
            (avenue.at, avenue.half)
            for avenue in network.avenues
            if avenue.at in (street.start, street.stop)
        ]
    return [
        (cross.at, cross.half)
        for cross in network.crosses
        if street.at in (cross.start, cross.stop)
    ]
