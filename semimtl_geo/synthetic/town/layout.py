"""Placement of all objects of a scene: streets, blocks, cars and street trees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from semimtl_geo.synthetic.town import blocks_a, blocks_b, blocks_open
from semimtl_geo.synthetic.town.city_style import CityStyle
from semimtl_geo.synthetic.town.geometry import Rect
from semimtl_geo.synthetic.town.land_cover import LOW_VEGETATION
from semimtl_geo.synthetic.town.materials import LAWN
from semimtl_geo.synthetic.town.objects import SceneObjects
from semimtl_geo.synthetic.town.site import Site
from semimtl_geo.synthetic.town.street_network import (
    Block,
    Street,
    StreetNetwork,
    make_street_network,
)

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
    "woods": blocks_open.woods,
    "field": blocks_open.field,
    "car_park": blocks_open.car_park,
    "river": blocks_open.river,
    "works": blocks_open.works,
}
"""Functions that build on a block, by the names that city styles use."""


def place_objects(
    style: CityStyle, rng: np.random.Generator, extent: float
) -> tuple[StreetNetwork, SceneObjects]:
    """Place the objects of a square scene.

    Args:
        style: The city.
        rng: Source of randomness.
        extent: Edge of the scene, in metres.

    Returns:
        The streets, and the objects between and on them.
    """
    streets = make_street_network(style, rng, extent)
    objects = SceneObjects.blank(extent, style.margin)
    names = [name for name, _ in style.block_types]
    weights = np.array([weight for _, weight in style.block_types])
    for block in streets.blocks:
        name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
        site = Site(objects, streets, block, rng, style.growth)
        if _may_be_visible(site):
            BLOCKS[name](site)
    site = Site(objects, streets, Block(0.0, 0.0, 0.0, 0.0), rng)
    for street in (*streets.avenues, *streets.crosses):
        _furnish_street(site, style, street)
    return streets, objects


def _may_be_visible(site: Site) -> bool:
    """Return whether a part of the block may lie in the scene."""
    block = site.block
    u, v = (block.u0 + block.u1) / 2, (block.v0 + block.v1) / 2
    rect = site.rect(u, v, 0, block.u1 - block.u0, block.v1 - block.v0)
    return site.objects.may_be_visible(rect.expanded(6.0))


def _furnish_street(site: Site, style: CityStyle, street: Street) -> None:
    """Add the parked cars, the moving cars and the trees of a street."""
    ends = _junctions(site.streets, street)
    both_sides = street.half_width > 3.4
    for side in (-1, 1):
        at = street.start
        while at < street.stop:
            at += site.uniform(5.3, 7.5)
            if any(abs(at - end) < half + 7.5 for end, half in ends):
                continue
            kerb = street.position + side * (street.half_width - 1.15)
            if (side > 0 or both_sides) and site.chance(style.parked):
                rect = _car_place(site, street, kerb, at)
                if site.objects.may_be_visible(rect) and site.objects.is_free(rect):
                    site.add_car(rect)
            elif site.chance(0.05):
                lane = street.position + side * street.half_width * 0.3
                rect = _car_place(site, street, lane, at)
                if site.objects.may_be_visible(rect) and site.objects.is_free(rect):
                    site.add_car(rect)
            if site.chance(style.street_trees):
                stem = street.position + side * (street.half_width + 0.9)
                u, v = (at, stem) if street.axis == 0 else (stem, at)
                pit = site.rect(u, v, street.axis, 2.4, 1.3)
                if site.add_tree(u, v, site.uniform(1.7, 2.9), 0.0):
                    site.add_ground(pit, LAWN, LOW_VEGETATION)


def _car_place(site: Site, street: Street, across: float, along: float) -> Rect:
    """Return the ground of a car on a street, given street coordinates in metres."""
    u, v = (along, across) if street.axis == 0 else (across, along)
    return site.rect(u, v, street.axis, 5.0, 2.0)


def _junctions(streets: StreetNetwork, street: Street) -> list[tuple[float, float]]:
    """Return the position and half width, in metres, of the streets that meet a street."""
    if street.axis == 0:
        return [
            (avenue.position, avenue.half_width)
            for avenue in streets.avenues
            if avenue.position in (street.start, street.stop)
        ]
    return [
        (cross.position, cross.half_width)
        for cross in streets.crosses
        if street.position in (cross.start, cross.stop)
    ]
