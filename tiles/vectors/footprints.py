"""Buildings as shapes: right-angled footprints, and blocks of one height."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely import LinearRing, MultiPolygon, Polygon

Points = npt.NDArray[np.float64]

# Least intersection over union of a right-angled footprint with the outline.
LEAST_IOU = 0.9


@dataclass(frozen=True)
class _Wall:
    """A stretch of an outline that becomes one straight wall.

    Attributes:
        along: Axis that it runs along, 0 or 1.
        at: Coordinate on the other axis.
        weight: Length of the outline that it stands for.
    """

    along: int
    at: float
    weight: float


def right_angled(outline: Polygon, tolerance: float) -> Polygon:
    """Simplify a footprint to walls that meet at right angles.

    The outline is simplified (Douglas and Peucker 1973), each edge goes to the nearer of two
    perpendicular directions, and neighbours of one direction become one wall at the mean position
    of the outline; steps and niches below the tolerance are straightened. Two directions are tried:
    the mean of the edges', weighted by squared length, and that of the smallest enclosing
    rectangle. The footprint with the higher intersection over union is taken.

    Args:
        outline: Outline made of pixels, in a metric CRS.
        tolerance: In units of the coordinates; a pixel and a half or more.

    Returns:
        A valid polygon whose angles are all right, with intersection over union of `LEAST_IOU` or
        more with the outline, and no corner farther from it than twice the tolerance; the plainly
        simplified outline where there is none. Holes too small for four walls are simplified
        plainly.
    """
    # Far from the origin, rotations would lose digits.
    origin = np.asarray(outline.exterior.coords[0])
    local = shapely.transform(outline, lambda points: points - origin)
    best = plain = shapely.simplify(local, tolerance)
    score = LEAST_IOU
    for angle in _directions(plain):
        made = _squared(local, plain, angle, tolerance)
        if made is None or not made.is_valid:
            continue
        # Reject far corners, as arise where the map's edge cuts a building.
        corners = shapely.points(np.asarray(made.exterior.coords))
        if np.max(shapely.distance(corners, local.exterior)) > 2 * tolerance:
            continue
        common = made.intersection(local).area
        found = common / (made.area + local.area - common)
        if found >= score:
            best, score = made, found
    placed: Polygon = shapely.transform(best, lambda points: points + origin)
    return placed


def _directions(plain: Polygon) -> list[float]:
    """Return candidates for the direction of the walls, in radians."""
    edges = np.diff(np.asarray(plain.exterior.coords), axis=0)
    # Perpendicular directions are equivalent, so average four times the angle.
    angles, lengths = np.arctan2(edges[:, 1], edges[:, 0]), np.hypot(edges[:, 0], edges[:, 1])
    mean = np.sum(lengths**2 * np.exp(4j * angles))
    candidates = [float(np.angle(mean)) / 4]
    around = shapely.oriented_envelope(plain)
    if isinstance(around, Polygon):
        (x0, y0), (x1, y1) = around.exterior.coords[:2]
        candidates.append(math.atan2(y1 - y0, x1 - x0))
    return candidates


def _turned(points: Points, angle: float) -> Points:
    cos, sin = math.cos(angle), math.sin(angle)
    turned: Points = points @ np.array([[cos, sin], [-sin, cos]])
    return turned


def _squared(local: Polygon, plain: Polygon, angle: float, tolerance: float) -> Polygon | None:
    """Return the footprint with walls in one direction, or None if fewer than four walls remain."""
    stretches = _stretches(local.exterior, plain.exterior, angle)
    angle += _correction(stretches)
    shell = _ring(local.exterior, plain.exterior, angle, tolerance)
    if shell is None:
        return None
    holes = []
    # Simplifying keeps all rings, in their order.
    for hole, simple in zip(local.interiors, plain.interiors, strict=True):
        made = _ring(hole, simple, angle, tolerance)
        holes.append(simple.coords if made is None else made)
    return Polygon(shell, holes)


def _stretches(ring: LinearRing, plain: LinearRing, angle: float) -> list[tuple[int, Points]]:
    """Cut a ring into stretches that run along alternating axes.

    Returns:
        Axis and points [K, 2] of each, turned so that the walls' direction is the first axis.
    """
    points = np.asarray(ring.coords)[:-1]
    index = {(x, y): number for number, (x, y) in enumerate(points.tolist())}
    corners = [index[x, y] for x, y in plain.coords[:-1]]
    turned = _turned(points, -angle)
    cuts: list[tuple[int, int, int]] = []
    for start, stop in zip(corners, corners[1:] + corners[:1], strict=True):
        across, up = np.abs(turned[stop] - turned[start])
        axis = int(up > across)
        steps = (stop - start) % len(points)
        if cuts and cuts[-1][0] == axis:
            cuts[-1] = axis, cuts[-1][1], cuts[-1][2] + steps
        else:
            cuts.append((axis, start, steps))
    if len(cuts) > 1 and cuts[0][0] == cuts[-1][0]:
        axis, start, steps = cuts.pop()
        cuts[0] = axis, start, steps + cuts[0][2]
    return [
        (axis, turned.take(range(start, start + steps + 1), axis=0, mode="wrap"))
        for axis, start, steps in cuts
    ]


def _correction(stretches: list[tuple[int, Points]]) -> float:
    """Return the rotation of the outline's edges against the axes, by least squares."""
    slope = spread = 0.0
    for axis, points in stretches:
        middle, length = (points[1:] + points[:-1]) / 2, np.hypot(*np.diff(points, axis=0).T)
        middle = middle - np.average(middle, axis=0, weights=length)
        turn = 1 if axis == 0 else -1
        slope += turn * float(np.sum(length * middle[:, 0] * middle[:, 1]))
        spread += float(np.sum(length * middle[:, axis] ** 2))
    return math.atan2(slope, spread) if spread > 0 else 0.0


def _ring(ring: LinearRing, plain: LinearRing, angle: float, tolerance: float) -> Points | None:
    """Return the corners [K, 2] of a ring with walls in one direction, or None."""
    walls = []
    for axis, points in _stretches(ring, plain, angle):
        length = np.abs(np.diff(points[:, axis]))
        middle = (points[1:, 1 - axis] + points[:-1, 1 - axis]) / 2
        walls.append(_Wall(axis, float(np.average(middle, weights=length)), float(length.sum())))
    while len(walls) > 4:
        lengths = [abs(walls[i - 1].at - walls[(i + 1) % len(walls)].at) for i in range(len(walls))]
        least = min(range(len(walls)), key=lengths.__getitem__)
        if lengths[least] >= tolerance:
            break
        # Moved to the end, so that its neighbours are the first and the last of the others.
        walls = walls[least + 1 :] + walls[:least]
        one, other = walls.pop(), walls[0]
        weight = one.weight + other.weight
        at = (one.at * one.weight + other.at * other.weight) / weight
        walls[0] = _Wall(one.along, at, weight)
    if len(walls) < 4:
        return None
    corners = []
    for one, other in zip(walls, walls[1:] + walls[:1], strict=True):
        corners.append((other.at, one.at) if one.along == 0 else (one.at, other.at))
    return _turned(np.array(corners), angle)


def block(footprint: Polygon, height: float) -> MultiPolygon:
    """Return a closed block over a footprint (level of detail 1): floor, roof and walls.

    Args:
        footprint: Polygon with outer ring anticlockwise, holes clockwise.
        height: Height of the roof over the floor at 0, in units of the coordinates.

    Returns:
        Faces with heights, floor and roof first, all of them anticlockwise seen from outside.
    """
    floor = shapely.reverse(shapely.force_3d(footprint, 0.0))
    faces: list[Any] = [floor, shapely.force_3d(footprint, height)]
    for ring in (footprint.exterior, *footprint.interiors):
        points = np.asarray(ring.coords)[:, :2]
        quads = np.empty((len(points) - 1, 5, 3))
        quads[:, [0, 3, 4], :2] = points[:-1, None]
        quads[:, [1, 2], :2] = points[1:, None]
        quads[..., 2] = np.array([0.0, 0.0, height, height, 0.0])
        faces.extend(np.asarray(shapely.polygons(quads), dtype=object))
    return MultiPolygon(faces)
