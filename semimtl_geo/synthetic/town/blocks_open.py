"""Blocks around towns: woods, fields, car parks, rivers, and works with large halls."""

from __future__ import annotations

from semimtl_geo.synthetic.town import materials as m
from semimtl_geo.synthetic.town.geometry import Rect
from semimtl_geo.synthetic.town.land_cover import IMPERVIOUS, LOW_VEGETATION, WATER
from semimtl_geo.synthetic.town.objects import Roof
from semimtl_geo.synthetic.town.site import Site

PAVED = (m.ASPHALT, m.PAVING, m.GRAVEL)
GREEN = (m.MEADOW, m.LAWN, m.CROP)


def woods(site: Site) -> None:
    """Fill the block with trees."""
    ground = _ground(site)
    site.add_ground(ground, m.MEADOW, LOW_VEGETATION)
    groups = int(ground.length * ground.width * site.uniform(0.01, 0.05))
    site.add_trees(groups, (1.5, site.uniform(3.0, 6.5)), site.uniform(0, 0.9))


def field(site: Site) -> None:
    """Lay out a meadow or a sports ground, with paths and few trees."""
    ground = _ground(site)
    surface = site.choice(GREEN).toned(site.uniform(0.7, 1.4))
    site.add_ground(ground, surface, LOW_VEGETATION, ragged=site.choice((0.0, 2.0)))
    if site.chance(0.3):
        pitch = ground.part(0, 0, ground.length * 0.7, ground.width * 0.6)
        site.add_ground(pitch, m.LAWN.toned(1.2), LOW_VEGETATION)
    for _ in range(int(site.rng.integers(0, 3))):
        across = site.uniform(-0.4, 0.4) * ground.width
        path = ground.part(0, across, ground.length, site.uniform(1, 4))
        site.add_ground(path, site.choice(PAVED), IMPERVIOUS)
    site.add_trees(int(site.rng.integers(0, 25)), (1.4, 4.5), 0.2)


def car_park(site: Site) -> None:
    """Lay out a car park, full or empty, with trees between its rows or without."""
    ground = _ground(site).expanded(-site.uniform(0, 4))
    surface = site.choice(PAVED).toned(site.uniform(0.7, 1.5))
    site.add_ground(ground, surface, IMPERVIOUS)
    filled, planted = site.choice((0.0, 0.1, 0.5, 0.8)), site.chance(0.4)
    rows, length = int(ground.width // 16), ground.length - 12
    for row in range(rows):
        across = 8 + row * 16 - ground.width / 2
        for shift in (-2.5, 2.5):
            site.add_parking(ground.part(0, across + shift, length, 5.0), filled, surface)
        if not planted:
            continue
        site.add_ground(ground.part(0, across + 8, length, 2.0), m.LAWN, LOW_VEGETATION)
        u, v = site.block.u0 + 16 * (row + 1), site.block.v0 + 8
        for tree in range(int(length // 9)):
            site.add_tree(u, v + 9 * tree, site.uniform(1.2, 3.2), 0.0)
    site.add_trees(8, (1.4, 4.0), 0.2)


def river(site: Site) -> None:
    """Lay out water with trees on its banks."""
    ground = _ground(site)
    long, wide = site.uniform(0.6, 1.1), site.uniform(0.4, 0.85)
    water = ground.part(0, 0, ground.length * long, ground.width * wide)
    site.add_ground(water, m.WATER, WATER, ragged=site.uniform(0, 4))
    site.objects.occupy(water)
    groups = int(ground.length * ground.width * site.uniform(0, 0.02))
    site.add_trees(groups, (1.5, 5.0), 0.2)


def works(site: Site) -> None:
    """Build halls, schools and offices with large roofs, on paved ground or lawn."""
    ground = _ground(site)
    if site.chance(0.6):
        surface = site.choice(PAVED).toned(site.uniform(0.7, 1.5))
        site.add_ground(ground.expanded(-2), surface, IMPERVIOUS)
    at, stop = site.uniform(3, 8) - ground.length / 2, ground.length / 2 - 3
    while at + 12 < stop:
        deep = min(site.uniform(12, 45), stop - at)
        wide = site.uniform(0.3, 0.85) * ground.width
        shift = site.uniform(-0.5, 0.5) * (ground.width - wide)
        _hall(site, ground.part(at + deep / 2, shift, deep, wide))
        at += deep + site.uniform(5, 25)
    groups = int(ground.length * ground.width * site.uniform(0, 0.008))
    site.add_trees(groups, (1.4, 4.0), 0.2)


def _hall(site: Site, body: Rect) -> None:
    """Build a large roof, and on some flat ones a higher part."""
    roof: Roof = site.choice(("flat", "gable", "hip"), (0.7, 0.2, 0.1))
    eave, pitch = site.uniform(3.5, 16 if roof == "flat" else 7), site.uniform(0.1, 0.35)
    material = site.choice((m.SHEET, m.PEBBLES, m.BITUMEN, m.CONCRETE, m.TILE_BROWN))
    site.add_building(body, roof, eave, pitch, material.toned(site.uniform(0.6, 1.6)))
    if roof == "flat" and site.chance(0.6):
        part = body.part(
            site.uniform(-0.3, 0.3) * body.length,
            site.uniform(-0.3, 0.3) * body.width,
            site.uniform(0.3, 0.9) * body.length,
            site.uniform(0.2, 0.5) * body.width,
        )
        tone = site.uniform(0.6, 1.6)
        site.add_building(part, "flat", eave + site.uniform(1.5, 6), 0, material.toned(tone))


def _ground(site: Site) -> Rect:
    """Return the whole block; its length follows the avenues."""
    block = site.block
    u, v = (block.u0 + block.u1) / 2, (block.v0 + block.v1) / 2
    return site.rect(u, v, 1, block.v1 - block.v0, block.u1 - block.u0)
