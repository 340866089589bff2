"""Painting of streets: pavements, kerbs, asphalt, markings."""

from __future__ import annotations

import numpy as np

from semimtl_geo.synthetic.rendering.canvas import Canvas, Field
from semimtl_geo.synthetic.town import materials as m
from semimtl_geo.synthetic.town.city_style import CityStyle
from semimtl_geo.synthetic.town.street_network import Network

IMPERVIOUS, LOW = 0, 2
EVERYWHERE = (slice(None), slice(None))


def paint_ground(
    canvas: Canvas, network: Network, style: CityStyle, rng: np.random.Generator
) -> None:
    """Paints lawn everywhere, then the streets.

    Args:
        canvas: An empty canvas.
        network: Its streets.
        style: The city.
        rng: Source of randomness.
    """
    canvas.landcover[...] = LOW
    canvas.colour[...] = canvas.paint(m.LAWN, EVERYWHERE)
    u, v = network.frame.to_uv(canvas.xs[None, :], canvas.ys[:, None])
    u, v = np.broadcast_arrays(u, v)
    along, across = distances(network, u, v)
    road = _round_min(along, across, style.kerb_radius)

    _cover(canvas, road - np.float32(style.pavement), m.PAVING, IMPERVIOUS)
    _cover(canvas, road - np.float32(0.14), m.KERB, None)
    _cover(canvas, road, m.ASPHALT, None)
    _repairs(canvas, road, rng)
    if style.markings:
        _mark(canvas, network, u, v, along, across)


def distances(network: Network, u: Field, v: Field) -> tuple[Field, Field]:
    """Signed distances from the carriageways' edges, negative on them.

    Args:
        network: The streets.
        u: float32 [h, w], street coordinates, in metres.
        v: float32 [h, w].

    Returns:
        float32 [h, w] from the nearest avenue and float32 [h, w] from the nearest cross street,
        in metres.
    """
    along = np.full(u.shape, 1e3, np.float32)
    for street in network.avenues:
        np.minimum(along, np.abs(u - np.float32(street.at)) - np.float32(street.half), out=along)
    across = np.full(u.shape, 1e3, np.float32)
    strips = sorted({(street.start, street.stop) for street in network.crosses})
    for start, stop in strips:
        inside = (u >= start) & (u < stop)
        v_here = v[inside]
        if not v_here.size:
            continue
        nearest = np.full(v_here.shape, 1e3, np.float32)
        for street in network.crosses:
            if street.start == start:
                gap = np.abs(v_here - np.float32(street.at)) - np.float32(street.half)
                np.minimum(nearest, gap, out=nearest)
        across[inside] = nearest
    return along, across


def _round_min(one: Field, other: Field, radius: float) -> Field:
    """The smaller of two distances, with corners rounded by a radius in metres."""
    r = np.float32(radius)
    inner = np.hypot(np.maximum(r - one, 0), np.maximum(r - other, 0))
    joined: Field = np.where((one < r) & (other < r), r - inner, np.minimum(one, other))
    return np.minimum(joined, np.minimum(one, other))


def _cover(canvas: Canvas, distance: Field, material: m.Material, landcover: int | None) -> None:
    """Paints a material wherever a distance is negative."""
    rows = np.flatnonzero((distance < canvas.gsd).any(axis=1))
    if not rows.size:
        return
    place = (slice(int(rows[0]), int(rows[-1]) + 1), slice(None))
    cover = canvas.coverage(distance[place])
    canvas.lay(place, cover, canvas.paint(material, place), landcover)


def _repairs(canvas: Canvas, road: Field, rng: np.random.Generator) -> None:
    """Darker and lighter mended pieces of carriageway, wear, and manholes."""
    count = int(canvas.xs.size * canvas.gsd / 3)
    edge = canvas.xs.size
    for _ in range(count):
        tall, wide = (rng.uniform(0.7, 7.0, 2) / canvas.gsd).astype(int) + 1
        row, col = rng.integers(0, edge, 2)
        place = (slice(int(row), int(row + tall)), slice(int(col), int(col + wide)))
        tone = np.float32(rng.uniform(0.78, 1.22))
        canvas.colour[:, place[0], place[1]] *= np.where(road[place] < -0.2, tone, np.float32(1))


def _mark(
    canvas: Canvas, network: Network, u: Field, v: Field, along: Field, across: Field
) -> None:
    """Dashed centre lines on avenues, and crossings where cross streets meet them."""
    gsd = np.float32(canvas.gsd)
    on_avenue = along < 0
    dash = np.clip(0.5 - (np.abs(np.mod(v, 6.0) - 3.0) - 1.5) / gsd, 0, 1)
    lines = np.zeros(u.shape, np.float32)
    for street in network.avenues:
        near = on_avenue & (np.abs(u - np.float32(street.at)) < 0.4) & (across > 4.0)
        off = np.abs(u[near] - np.float32(street.at))
        lines[near] = np.clip(0.5 - (off - np.float32(0.08)) / gsd, 0, 1) * dash[near]
    stripes = np.clip(0.5 - (np.abs(np.mod(v, 1.1) - 0.55) - 0.28) / gsd, 0, 1)
    zebra = (across < -0.3) & (along > 0.8) & (along < 4.0)
    lines[zebra] = stripes[zebra]
    stop = on_avenue & (across > 2.2) & (across < 2.7)
    lines[stop] = np.float32(0.6)
    lines *= np.float32(0.85) + np.float32(0.3) * canvas.fine
    for band in range(3):
        canvas.colour[band] += (np.float32(m.MARKING.light[band]) - canvas.colour[band]) * lines
