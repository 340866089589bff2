"""Blocks of the small town: detached houses, rows, shops, greens."""

from __future__ import annotations

from semimtl_geo.synthetic.town import materials as m
from semimtl_geo.synthetic.town.land_cover import IMPERVIOUS, LOW_VEGETATION, WATER
from semimtl_geo.synthetic.town.objects import Roof
from semimtl_geo.synthetic.town.site import Site

STOREY = 2.7
TILES = (m.TILE_NEW, m.TILE_OLD, m.TILE_BROWN, m.SLATE)
OFTEN = (0.38, 0.34, 0.18, 0.10)
TREES = (1.3, 3.5)


def houses(site: Site) -> None:
    """Build detached houses in two rows back to back, each in its garden."""
    block = site.block
    half = (block.u1 - block.u0) / 2
    for side in (-1, 1):
        at = block.v0 + 0.5
        while at + 12 < block.v1:
            width = site.uniform(13.0, 18.0)
            if block.v1 - at - width < 12:
                width = min(block.v1 - at - 0.5, 19.0)
            if site.chance(0.11):
                edge = block.u0 if side < 0 else block.u1
                plot = site.rect(edge - side * half / 2, at + width / 2, 1, width - 2, half - 3)
                site.add_construction_site(plot)
            else:
                _lot(site, side, at, width, half)
            at += width
    site.add_trees(64, TREES, 0.25)


def _lot(site: Site, side: int, at: float, width: float, half: float) -> None:
    """Build on one lot, from the street on one side of the block to its middle."""
    block = site.block
    edge = block.u0 if side < 0 else block.u1
    front = site.uniform(2.5, 4.5)
    long, deep = width - site.uniform(4.2, 5.6), site.uniform(8.5, 11.0)
    v, u = at + 0.6 + long / 2, edge - side * (front + deep / 2)
    storeys = 2 if long * deep > 95 or site.chance(0.35) else 1
    kind: Roof = site.choice(("gable", "hip", "flat"), (0.68, 0.22, 0.10))
    eave = storeys * STOREY + site.uniform(0.2, 1.0) + (0.4 if kind == "flat" else 0.0)
    pitch = site.uniform(0.55, 0.95) if kind == "gable" else site.uniform(0.45, 0.65)
    material = (
        site.choice((m.PEBBLES, m.GREEN_ROOF)) if kind == "flat" else site.choice(TILES, OFTEN)
    )
    axis = 1 if long > deep or site.chance(0.5) else 0
    size = (long, deep) if axis == 1 else (deep, long)
    site.add_building(site.rect(u, v, axis, *size), kind, eave, pitch, material)
    if kind != "flat" and site.chance(0.3):
        ell = site.rect(u - side * deep * 0.45, v - long * 0.2, 0, deep * 0.7, long * 0.45)
        site.add_building(ell, kind, eave, pitch, material)

    drive_v = at + width - 1.9
    drive = site.rect(edge - side * (front + 1.5) / 2, drive_v, 0, front + 2.5, 3.0)
    site.add_ground(drive, site.choice((m.PAVING, m.GRAVEL)), IMPERVIOUS)
    if site.chance(0.7):
        garage = site.rect(edge - side * (front + 5.0), drive_v, 0, 6.2, 3.2)
        site.add_building(
            garage, *site.choice(_GARAGES), m.PEBBLES if site.chance(0.5) else material
        )
    if site.chance(0.5):
        site.add_car(site.rect(edge - side * (front * 0.5 + 0.6), drive_v, 0, 1, 1))
    site.objects.occupy(drive)

    terrace = site.rect(u - side * (deep / 2 + 1.5), v + 1.0, 1, site.uniform(4, 7), 3.4)
    site.add_ground(terrace, m.PAVING.toned(site.uniform(0.9, 1.2)), IMPERVIOUS)
    path = site.rect(edge - side * front / 2, v, 0, front + 0.6, 1.3)
    site.add_ground(path, m.PAVING, IMPERVIOUS)
    garden = edge - side * (half + front + deep) / 2
    if site.chance(0.24):
        site.add_pool(site.rect(garden, v + site.uniform(-2, 2), 1, 7.5, 3.6))
    elif site.chance(0.3):
        site.add_playground(site.rect(garden, v + site.uniform(-3, 3), 1, 3.6, 3.2))
    if site.chance(0.4):
        shed = site.rect(edge - side * (half - 1.8), at + site.uniform(2, 4), 1, 3.2, 2.6)
        if site.objects.is_free(shed):
            site.add_building(shed, "gable", 2.1, 0.4, m.TILE_BROWN)
    if site.chance(0.3):
        bed = site.rect(edge - side * (half - 3.0), v, 1, site.uniform(3, 5), 2.5)
        site.add_ground(bed, m.CROP, LOW_VEGETATION)
    if site.chance(0.7):
        site.add_hedge(edge - side * (half + front) / 2, at, 0, half - front)
    if site.chance(0.4):
        site.add_hedge(edge - side * 0.7, v - 1.5, 1, width * 0.55)
    if site.chance(0.35):
        site.add_hedge(edge - side * (half - 0.3), v, 1, width * 0.8)


_GARAGES: tuple[tuple[Roof, float, float], ...] = (
    ("flat", 2.6, 0.0),
    ("flat", 2.7, 0.0),
    ("gable", 2.4, 0.5),
)


def rows(site: Site) -> None:
    """Build terraced houses with narrow gardens, and garages at the end."""
    block = site.block
    half = (block.u1 - block.u0) / 2
    for side in (-1, 1):
        edge = block.u0 if side < 0 else block.u1
        at = block.v0 + site.uniform(1, 3)
        while at + 14 < block.v1:
            count = min(int(site.rng.integers(3, 6)), int((block.v1 - at - 1) // 6.2))
            material, deep = site.choice(TILES, OFTEN), site.uniform(9.0, 10.5)
            eave, pitch = 2 * STOREY + site.uniform(0, 0.6), site.uniform(0.55, 0.85)
            front = site.uniform(2.5, 4.5)
            for index in range(count):
                v = at + (index + 0.5) * 6.2
                u = edge - side * (front + deep / 2 + 0.8 * (index % 2))
                tiles = material if site.chance(0.7) else site.choice(TILES, OFTEN)
                site.add_building(site.rect(u, v, 1, 6.9, deep), "gable", eave, pitch, tiles)
                door = site.rect(edge - side * front / 2, v - 1.5, 0, front + 1, 1.3)
                site.add_ground(door, m.PAVING, IMPERVIOUS)
                if site.chance(0.45):
                    stall = site.rect(edge - side * (front / 2 + 0.4), v + 1.2, 0, front + 1.8, 2.8)
                    site.add_ground(stall, m.PAVING, IMPERVIOUS)
                    if site.chance(0.6):
                        site.add_car(stall)
                terrace = site.rect(u - side * (deep / 2 + 1.3), v, 1, 5.2, 2.8)
                site.add_ground(terrace, m.PAVING.toned(1.1), IMPERVIOUS)
                garden = half - front - deep - 1
                if garden > 3:
                    middle = edge - side * (front + deep + 0.8 + garden / 2)
                    site.add_hedge(middle, v + 3.1, 0, garden)
            at += count * 6.2 + site.uniform(3, 7)
        site.add_hedge((block.u0 + block.u1) / 2, (block.v0 + block.v1) / 2, 1, 24)
    site.add_trees(56, TREES, 0.2)


def shops(site: Site) -> None:
    """Build a supermarket or workshop with its car park, beside houses."""
    block = site.block
    wide, long = block.u1 - block.u0 - 4, block.v1 - block.v0
    middle = (block.u0 + block.u1) / 2
    deep = min(site.uniform(14, 20), long * 0.4)
    eave = site.uniform(4.5, 6.5)
    roof: Roof = site.choice(("flat", "hip"))
    material = site.choice((m.SHEET, m.PEBBLES, m.BITUMEN)) if roof == "flat" else m.TILE_NEW
    lot_deep = min(26.0, long - deep - 6)
    lot = site.rect(middle, block.v0 + 3 + deep + lot_deep / 2, 0, wide, lot_deep)
    site.add_ground(lot, m.ASPHALT.toned(1.1), IMPERVIOUS)
    body = site.rect(middle, block.v0 + 2 + deep / 2, 0, wide * 0.8, deep)
    site.add_building(body, roof, eave, 0.35, material)
    for across in (-7.0, 7.0):
        stalls = lot.part(0, across, lot.length - 6, 5.0)
        if lot.width > 20 and site.objects.is_free(stalls):
            site.add_parking(stalls, 0.6, m.ASPHALT.toned(1.1))
    site.objects.occupy(lot)
    site.add_container(body.part(body.length / 2 + 2.2, 0, 6.0, 2.5, 1.57))
    rest = block.v1 - (block.v0 + 4 + deep + lot_deep)
    if rest > 12:
        half = (block.u1 - block.u0) / 2
        for side in (-1, 1):
            _lot(site, side, block.v1 - rest, min(rest, 16.0), half)
    site.add_trees(40, TREES, 0.2)


def green(site: Site) -> None:
    """Lay out a meadow with an orchard, fields in strips, or a pond."""
    block = site.block
    u, v = (block.u0 + block.u1) / 2, (block.v0 + block.v1) / 2
    wide, long = block.u1 - block.u0, block.v1 - block.v0
    ground = site.rect(u, v, 1, long - 4, wide - 3)
    site.add_ground(ground, m.MEADOW, LOW_VEGETATION, ragged=1.0)
    kind = site.choice(("orchard", "fields", "pond"))
    if kind == "orchard":
        step = site.uniform(5.0, 6.5)
        for row in range(int(wide // step)):
            for tree in range(int(long // step)):
                if site.chance(0.8):
                    at_u = block.u0 + (row + 0.5) * step + site.uniform(-0.5, 0.5)
                    at_v = block.v0 + (tree + 0.5) * step + site.uniform(-0.5, 0.5)
                    site.add_tree(at_u, at_v, site.uniform(1.3, 2.2), 0.0)
    elif kind == "fields":
        strips = int(wide // 5)
        for strip in range(strips):
            tone = site.uniform(0.8, 1.2)
            at_u = block.u0 + (strip + 0.5) * wide / strips
            crop = site.choice((m.CROP, m.LAWN, m.MEADOW)).toned(tone)
            site.add_ground(
                site.rect(at_u, v, 1, long - 5, wide / strips - 0.4), crop, LOW_VEGETATION
            )
            if site.chance(0.3):
                site.add_hedge(at_u, v, 1, long * 0.6)
    else:
        pond = site.rect(u, v - long * 0.1, 1, long * 0.45, wide * 0.55)
        site.add_ground(pond.expanded(1.5), m.CROP, LOW_VEGETATION, ragged=2.0)
        site.add_ground(pond, m.WATER, WATER, ragged=2.0)
        site.objects.occupy(pond)
    site.add_trees(30, (1.4, 3.6), 0.2)
