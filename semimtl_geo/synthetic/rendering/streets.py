"""Painting of lawn and streets: pavements, kerbs, asphalt and markings."""

from __future__ import annotations

import numpy as np

from semimtl_geo.synthetic.rendering.canvas import Canvas
from semimtl_geo.synthetic.town import materials as m
from semimtl_geo.synthetic.town.city_style import CityStyle
from semimtl_geo.synthetic.town.land_cover import IMPERVIOUS, LOW_VEGETATION
from semimtl_geo.synthetic.town.street_network import StreetNetwork
from tiles.types import Float32Array

EVERYWHERE = (slice(None), slice(None))


def paint_ground(
    canvas: Canvas, streets: StreetNetwork, style: CityStyle, rng: np.random.Generator
) -> None:
    """Paint lawn everywhere, then the streets.

    Args:
        canvas: Canvas on which nothing is painted.
        streets: Streets of the scene.
        style: The city.
        rng: Source of randomness.
    """
    canvas.landcover[...] = LOW_VEGETATION
    canvas.colour[...] = canvas.reflectance(m.LAWN, EVERYWHERE)
    u, v = streets.coordinates.to_uv(canvas.xs[None, :], canvas.ys[:, None])
    u, v = np.broadcast_arrays(u, v)
    along, across = distances(streets, u, v)
    road = _round_min(along, across, style.kerb_radius)

    _paint_inside(canvas, road - np.float32(style.pavement), m.PAVING, IMPERVIOUS)
    _paint_inside(canvas, road - np.float32(0.14), m.KERB, None)
    _paint_inside(canvas, road, m.ASPHALT, None)
    _paint_repairs(canvas, road, rng)
    if style.markings:
        _paint_markings(canvas, streets, u, v, along, across)


def distances(
    streets: StreetNetwork, u: Float32Array, v: Float32Array
) -> tuple[Float32Array, Float32Array]:
    """Compute signed distances from the edges of carriageways, negative on these.

    Args:
        streets: The streets.
        u: float32 [h, w], street coordinate across avenues, in metres.
        v: float32 [h, w], street coordinate along avenues, in metres.

    Returns:
        float32 [h, w], distance from the nearest avenue, and float32 [h, w], distance from the
        nearest cross street, in metres.
    """
    along = np.full(u.shape, 1e3, np.float32)
    for street in streets.avenues:
        np.minimum(
            along,
            np.abs(u - np.float32(street.position)) - np.float32(street.half_width),
            out=along,
        )
    across = np.full(u.shape, 1e3, np.float32)
    ranges = sorted({(street.start, street.stop) for street in streets.crosses})
    for start, stop in ranges:
        inside = (u >= start) & (u < stop)
        v_here = v[inside]
        if not v_here.size:
            continue
        nearest = np.full(v_here.shape, 1e3, np.float32)
        for street in streets.crosses:
            if street.start == start:
                gap = np.abs(v_here - np.float32(street.position)) - np.float32(street.half_width)
                np.minimum(nearest, gap, out=nearest)
        across[inside] = nearest
    return along, across


def _round_min(one: Float32Array, other: Float32Array, radius: float) -> Float32Array:
    """Return the smaller of two distances, with corners rounded by a radius in metres."""
    r = np.float32(radius)
    inner = np.hypot(np.maximum(r - one, 0), np.maximum(r - other, 0))
    joined: Float32Array = np.where((one < r) & (other < r), r - inner, np.minimum(one, other))
    return np.minimum(joined, np.minimum(one, other))


def _paint_inside(
    canvas: Canvas, distance: Float32Array, material: m.Material, landcover: int | None
) -> None:
    """Paint a material wherever a distance is negative."""
    rows = np.flatnonzero((distance < canvas.gsd).any(axis=1))
    if not rows.size:
        return
    window = (slice(int(rows[0]), int(rows[-1]) + 1), slice(None))
    cover = canvas.coverage(distance[window])
    canvas.paint_flat(window, cover, canvas.reflectance(material, window), landcover)


def _paint_repairs(canvas: Canvas, road: Float32Array, rng: np.random.Generator) -> None:
    """Paint repaired pieces of carriageways, which are darker or lighter."""
    count = int(canvas.xs.size * canvas.gsd / 3)
    edge = canvas.xs.size
    for _ in range(count):
        tall, wide = (rng.uniform(0.7, 7.0, 2) / canvas.gsd).astype(int) + 1
        row, col = rng.integers(0, edge, 2)
        window = (slice(int(row), int(row + tall)), slice(int(col), int(col + wide)))
        tone = np.float32(rng.uniform(0.78, 1.22))
        canvas.colour[:, window[0], window[1]] *= np.where(road[window] < -0.2, tone, np.float32(1))


def _paint_markings(
    canvas: Canvas,
    streets: StreetNetwork,
    u: Float32Array,
    v: Float32Array,
    along: Float32Array,
    across: Float32Array,
) -> None:
    """Paint dashed centre lines on avenues, and crossings where cross streets meet them."""
    gsd = np.float32(canvas.gsd)
    on_avenue = along < 0
    dash = np.clip(0.5 - (np.abs(np.mod(v, 6.0) - 3.0) - 1.5) / gsd, 0, 1)
    lines = np.zeros(u.shape, np.float32)
    for street in streets.avenues:
        near = on_avenue & (np.abs(u - np.float32(street.position)) < 0.4) & (across > 4.0)
        off = np.abs(u[near] - np.float32(street.position))
        lines[near] = np.clip(0.5 - (off - np.float32(0.08)) / gsd, 0, 1) * dash[near]
    stripes = np.clip(0.5 - (np.abs(np.mod(v, 1.1) - 0.55) - 0.28) / gsd, 0, 1)
    zebra = (across < -0.3) & (along > 0.8) & (along < 4.0)
    lines[zebra] = stripes[zebra]
    stop = on_avenue & (across > 2.2) & (across < 2.7)
    lines[stop] = np.float32(0.6)
    lines *= np.float32(0.85) + np.float32(0.3) * canvas.fine
    for band in range(3):
        canvas.colour[band] += (np.float32(m.MARKING.light[band]) - canvas.colour[band]) * lines
