"""Blocks of the large town: perimeter blocks, slabs, villas, halls, parks."""

from __future__ import annotations

from semimtl_geo.synthetic.town import materials as m
from semimtl_geo.synthetic.town.land_cover import IMPERVIOUS, LOW_VEGETATION, WATER
from semimtl_geo.synthetic.town.objects import Roof
from semimtl_geo.synthetic.town.site import Site

STOREY = 3.2
PITCHED = (m.TILE_NEW, m.TILE_OLD, m.TILE_BROWN, m.SLATE)
FLAT = (m.BITUMEN, m.BITUMEN, m.PEBBLES, m.PEBBLES, m.SHEET, m.COPPER, m.GREEN_ROOF)
TREES = (2.2, 4.6)


def courtyard(site: Site) -> None:
    """Build houses wall to wall around a yard with garages, parked cars and trees."""
    block = site.block
    depth, setback = site.uniform(10.5, 13.0), site.uniform(0.3, 2.5)
    storeys = int(site.rng.integers(3, 5))
    u0, u1 = block.u0 + setback, block.u1 - setback
    v0, v1 = block.v0 + setback, block.v1 - setback
    yard = site.rect(
        (u0 + u1) / 2, (v0 + v1) / 2, 1, v1 - v0 - 2 * depth - 2, u1 - u0 - 2 * depth - 2
    )
    if site.chance(0.5):
        half = yard.part(site.choice((-0.25, 0.25)) * yard.length, 0, yard.length / 2, yard.width)
        site.add_ground(half, site.choice((m.PAVING, m.GRAVEL, m.ASPHALT)), IMPERVIOUS, ragged=1.5)
    sides = (
        (1, u0 + depth / 2, v0, v1),
        (1, u1 - depth / 2, v0, v1),
        (0, v0 + depth / 2, u0 + depth, u1 - depth),
        (0, v1 - depth / 2, u0 + depth, u1 - depth),
    )
    for axis, across, start, stop in sides:
        at = start
        while at < stop - 4:
            length = site.uniform(12, 21)
            if stop - at - length < 8:
                length = stop - at
            middle = at + length / 2
            u, v = (across, middle) if axis == 1 else (middle, across)
            if site.chance(0.17):
                drive = site.rect(u, v, axis, min(length, 4.5), depth + 2 * setback + 1)
                site.add_ground(drive, m.PAVING, IMPERVIOUS)
                at += min(length, 5.0)
                continue
            floors = max(2, storeys + int(site.rng.integers(-1, 2)))
            flat = site.chance(0.3)
            site.add_building(
                site.rect(u, v, axis, length, depth),
                "flat" if flat else "gable",
                floors * STOREY + (0.4 if flat else -0.6),
                site.uniform(0.42, 0.72),
                site.choice(FLAT if flat else PITCHED),
            )
            at += length
    if min(yard.length, yard.width) > 14:
        garages = yard.part(0, -yard.width / 2 + 3.0, min(yard.length - 4, 18), 5.8)
        site.add_building(garages, "flat", 2.7, 0, m.BITUMEN)
        site.add_parking(garages.part(0, 5.6, garages.length, 5.0), 0.6, m.PAVING)
        along = site.uniform(-0.3, 0.3) * yard.length
        site.add_playground(yard.part(along, yard.width * 0.28, 8, 6))
        site.add_container(yard.part(yard.length * 0.42, yard.width * 0.1, 6.0, 2.5))
    site.add_trees(40, TREES, 0.1)


def slabs(site: Site) -> None:
    """Build parallel bars of flats on lawns, with paths and rows of parked cars."""
    block = site.block
    depth, gap = site.uniform(10.5, 12.5), site.uniform(15, 20)
    storeys = int(site.rng.integers(4, 7))
    flat = site.chance(0.75)
    material = site.choice(FLAT if flat else PITCHED)
    length = block.u1 - block.u0 - site.uniform(3, 8)
    middle = (block.u0 + block.u1) / 2
    at, row = block.v0 + site.uniform(2, 5), 0
    while at + depth < block.v1 - 1:
        center = at + depth / 2
        site.add_ground(site.rect(middle, at + depth + 3.0, 0, length, 1.8), m.PAVING, IMPERVIOUS)
        for door in range(int(length // 12)):
            u = middle + (door + 0.5) * 12 - int(length // 12) * 6
            site.add_ground(site.rect(u, at + depth + 1.5, 1, 3.0, 1.6), m.PAVING, IMPERVIOUS)
        roof: Roof = "flat" if flat else "hip"
        eave = storeys * STOREY + 0.4
        site.add_building(site.rect(middle, center, 0, length, depth), roof, eave, 0.42, material)
        free = at + depth + 4.2
        if free + 8 < min(block.v1, at + depth + gap):
            if row % 2 == 0:
                site.add_parking(site.rect(middle, free + 2.5, 0, length * 0.85, 5.0), 0.62)
                lane = site.rect(middle, free + 7.4, 0, length * 0.95, 4.8)
                site.add_ground(lane, m.ASPHALT, IMPERVIOUS)
                site.objects.occupy(lane)
            else:
                u = middle + site.uniform(-0.3, 0.3) * length
                site.add_playground(site.rect(u, free + 4, 0, 11, 7))
                u = middle + site.choice((-0.45, 0.45)) * length
                site.add_container(site.rect(u, free + 2, 0, 6.0, 2.5))
        at += depth + gap
        row += 1
    site.add_trees(46, TREES, 0.12)


def villas(site: Site) -> None:
    """Build large houses with hipped roofs, alone or with a side wing, in gardens."""
    block = site.block
    half = (block.u1 - block.u0) / 2
    for side in (-1, 1):
        at = block.v0 + 1
        edge = block.u0 if side < 0 else block.u1
        while at + 17 < block.v1:
            width = site.uniform(18, 24)
            if block.v1 - at - width < 17:
                width = min(block.v1 - at - 1, 26.0)
            v = at + width / 2
            long, deep = width - site.uniform(4.5, 7.0), min(site.uniform(10, 13.5), half - 6)
            u = edge - side * (site.uniform(3, 5) + deep / 2)
            material = site.choice(PITCHED)
            eave, pitch = int(site.rng.integers(2, 4)) * STOREY, site.uniform(0.45, 0.75)
            roof: Roof = site.choice(("hip", "gable"), (0.7, 0.3))
            site.add_building(site.rect(u, v, 1, long, deep), roof, eave, pitch, material)
            if site.chance(0.5):
                v_wing = v + site.choice((-0.5, 0.5)) * (long - 8)
                wing = site.rect(u - side * deep * 0.4, v_wing, 0, deep * 0.9, 7.5)
                site.add_building(wing, roof, eave, pitch, material)
            drive_v = at + width - 1.6
            drive = site.rect(edge - side * 7.5, drive_v, 0, 15, 2.8)
            site.add_ground(drive, m.PAVING, IMPERVIOUS)
            if site.chance(0.6):
                site.add_car(site.rect(edge - side * site.uniform(3, 9), drive_v, 0, 1, 1))
            site.objects.occupy(drive)
            if site.chance(0.35):
                site.add_pool(site.rect(edge - side * (half - 3.5), v, 1, 8, 4))
            site.add_hedge(edge - side * half / 2, at, 0, half - 5)
            at += width
    site.add_trees(40, TREES, 0.2)


def hall(site: Site) -> None:
    """Build a low broad hall, a market or a school, with its car park."""
    block = site.block
    wide, long = block.u1 - block.u0 - 6, block.v1 - block.v0 - 6
    middle = (block.u0 + block.u1) / 2
    deep = long * site.uniform(0.42, 0.52)
    center = block.v0 + 3 + deep / 2
    lot = site.rect(middle, (center + deep / 2 + block.v1) / 2, 0, wide + 2, long - deep)
    site.add_ground(lot, m.ASPHALT.toned(1.1), IMPERVIOUS)
    body = site.rect(middle, center, 0, wide * 0.80, deep)
    material = site.choice((m.SHEET, m.PEBBLES, m.BITUMEN, m.GREEN_ROOF))
    eave = site.uniform(6.0, 9.0)
    site.add_building(body, "flat", eave, 0, material)
    site.add_skylights(body)
    annex = body.part(body.length * site.choice((-0.3, 0.3)), deep * 0.55, body.length * 0.35, 9)
    site.add_building(annex, "flat", eave - 2.2, 0, site.choice((m.SHEET, m.PEBBLES, m.BITUMEN)))
    rows = int(lot.width // 16)
    for row in range(rows):
        across = (row + 0.5) / rows * lot.width - lot.width / 2
        for shift in (-2.5, 2.5):
            stalls = lot.part(0, across + shift, lot.length - 9, 5.0)
            if site.objects.is_free(stalls):
                site.add_parking(stalls, 0.55, m.ASPHALT.toned(1.1))
    site.add_container(lot.part(lot.length * 0.42, lot.width * 0.40, 6.0, 2.5, 1.57))
    site.add_trees(36, TREES, 0.0)


def park(site: Site) -> None:
    """Lay out lawns, paths, trees and a pond, or a construction site."""
    block = site.block
    u, v = (block.u0 + block.u1) / 2, (block.v0 + block.v1) / 2
    wide, long = block.u1 - block.u0, block.v1 - block.v0
    if site.chance(0.5):
        part = site.rect(u, v - long * 0.22, 1, long * 0.40, wide * 0.62)
        site.add_construction_site(part)
        shell = site.rect(u, v + long * 0.2, 1, long * 0.34, wide * 0.5)
        site.add_building(shell, "flat", site.uniform(7, 14), 0, m.CONCRETE)
        site.add_trees(25, TREES, 0.1)
        return
    for axis, span in ((0, wide), (1, long)):
        path = site.rect(u, v, axis, span, 2.6)
        site.add_ground(path, m.GRAVEL, IMPERVIOUS)
        site.objects.occupy(path)
    site.add_ground(site.rect(u, v, 0, 15, 15), m.GRAVEL, IMPERVIOUS, ragged=0.4)
    pond = site.rect(u + wide * 0.22, v - long * 0.24, 1, long * 0.36, wide * 0.32)
    site.add_ground(pond, m.WATER, WATER, ragged=2.0)
    site.objects.occupy(pond)
    site.add_ground(
        site.rect(u - wide * 0.25, v + long * 0.25, 1, 14, 9), m.MEADOW, LOW_VEGETATION, ragged=2.0
    )
    site.add_playground(site.rect(u - wide * 0.25, v - long * 0.25, 1, 12, 8))
    site.add_trees(36, (2.0, 4.6), 0.2)
