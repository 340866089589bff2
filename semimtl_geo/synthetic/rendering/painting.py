"""Painting of objects: patches of ground, roofs, boxes, mounds, cars and trees."""

from __future__ import annotations

import numpy as np

from semimtl_geo.synthetic.rendering.canvas import Canvas
from semimtl_geo.synthetic.town.geometry import Rect
from semimtl_geo.synthetic.town.land_cover import BUILDING, CAR, TREE
from semimtl_geo.synthetic.town.materials import GLASS
from semimtl_geo.synthetic.town.objects import Box, Car, Mound, Patch, SceneObjects, Tree, Wing
from tiles.types import Float32Array


def paint_objects(canvas: Canvas, objects: SceneObjects, rng: np.random.Generator) -> None:
    """Paint all objects of a scene onto a canvas whose streets are painted."""
    for patch in objects.patches:
        paint_patch(canvas, patch)
    for wing in objects.wings:
        paint_wing(canvas, wing)
    for box in objects.boxes:
        paint_box(canvas, box)
    for mound in objects.mounds:
        paint_mound(canvas, mound)
    for car in objects.cars:
        paint_car(canvas, car)
    for tree in objects.trees:
        paint_tree(canvas, tree, rng)


def _outline(a: Float32Array, b: Float32Array, rect: Rect) -> Float32Array:
    """Return the signed distance from a rectangle's outline, float32 [h, w], in metres.

    Args:
        a: float32 [h, w], distance from its centre along its length, in metres.
        b: float32 [h, w], distance from its centre across its length, in metres.
        rect: The rectangle.
    """
    outline: Float32Array = np.maximum(
        np.abs(a) - np.float32(rect.length / 2), np.abs(b) - np.float32(rect.width / 2)
    )
    return outline


def _gradient(top: Float32Array, gsd: float) -> tuple[Float32Array, Float32Array]:
    """Return the derivatives of a height to the east and to the south, float32 [h, w] each."""
    if min(top.shape) < 2:
        return top * 0, top * 0
    south, east = (np.asarray(part, np.float32) for part in np.gradient(top, gsd))
    return east, south


def paint_patch(canvas: Canvas, patch: Patch) -> None:
    """Paint a patch of flat ground."""
    long, short = max(patch.rect.length, patch.rect.width), min(patch.rect.length, patch.rect.width)
    found = canvas.window(patch.rect, 0.5 + patch.ragged * long / short)
    if found is None:
        return
    window, a, b = found
    if patch.ragged:
        half_a, half_b = patch.rect.length / 2, patch.rect.width / 2
        # A superellipse, between an ellipse and its rectangle.
        radius = ((a / half_a) ** 4 + (b / half_b) ** 4) ** np.float32(0.25)
        distance = (radius - 1) * np.float32(min(half_a, half_b))
        distance -= (canvas.patches[window] - np.float32(0.5)) * np.float32(2 * patch.ragged)
    else:
        distance = _outline(a, b, patch.rect)
    cover = canvas.coverage(distance)
    if patch.landcover is None:
        # Markings are painted on the ground only, not on what stands on it.
        cover = np.where(canvas.height[window] > 0, np.float32(0), cover)
    canvas.paint_flat(window, cover, canvas.reflectance(patch.material, window), patch.landcover)


def paint_wing(canvas: Canvas, wing: Wing) -> None:
    """Paint a roof."""
    found = canvas.window(wing.rect, 0.5)
    if found is None:
        return
    window, a, b = found
    eave, pitch = np.float32(wing.eave), np.float32(wing.pitch)
    outline = _outline(a, b, wing.rect)
    cover = canvas.coverage(outline)
    colour = canvas.reflectance(wing.material, window)
    if wing.roof == "flat":
        rim = outline > -0.45
        top = eave + np.float32(0.35) * rim
        colour *= 1 + np.float32(0.22) * rim
        canvas.paint_raised(window, cover, top, (0.0, 0.0), colour, BUILDING)
        return
    side, end = (
        np.float32(wing.rect.width / 2) - np.abs(b),
        np.float32(wing.rect.length / 2) - np.abs(a),
    )
    cos, sin = np.float32(np.cos(wing.rect.angle)), np.float32(np.sin(wing.rect.angle))
    fall = -pitch * np.sign(b)
    slope_x, slope_y = -sin * fall, cos * fall
    run = side
    if wing.roof == "hip":
        run = np.minimum(side, end)
        fall = -pitch * np.sign(a)
        slope_x = np.where(end < side, cos * fall, slope_x)
        slope_y = np.where(end < side, sin * fall, slope_y)
        ridge = np.minimum(np.abs(end - side), np.abs(b)) < 0.14
    else:
        ridge = np.abs(b) < 0.14
    top = eave + pitch * np.maximum(run, 0)
    # Rows of tiles, and a lighter ridge.
    colour *= 1 + np.float32(0.05) * np.sin(run * np.float32(2 * np.pi / 0.9))
    colour *= 1 + np.float32(0.20) * ridge
    canvas.paint_raised(window, cover, top, (slope_x, slope_y), colour, BUILDING)


def paint_box(canvas: Canvas, box: Box) -> None:
    """Paint a flat-topped body; one on a roof is painted only where there is a roof."""
    found = canvas.window(box.rect, 0.4)
    if found is None:
        return
    window, a, b = found
    cover = canvas.coverage(_outline(a, b, box.rect))
    colour = canvas.reflectance(box.material, window)
    if box.on_roof:
        height = canvas.height[window]
        roof = canvas.landcover[window] == BUILDING
        under = roof & (cover > 0.5)
        if not under.any():
            return
        if box.rise <= 0:
            # Windows and solar panels keep the height and slope of the roof.
            below = canvas.colour[:, window[0], window[1]]
            below += (colour - below) * (cover * roof)
            return
        top = np.full_like(height, height[under].max() + box.rise)
        canvas.paint_raised(window, cover * roof, top, (0.0, 0.0), colour, BUILDING)
        return
    top = np.full(a.shape, box.rise, np.float32)
    canvas.paint_raised(window, cover, top, (0.0, 0.0), colour, box.landcover)


def paint_mound(canvas: Canvas, mound: Mound) -> None:
    """Paint a long rounded body with a rough top."""
    found = canvas.window(mound.rect, 0.5)
    if found is None:
        return
    window, a, b = found
    half = np.float32(mound.rect.width / 2)
    core = np.float32(max(mound.rect.length - mound.rect.width, 0.0) / 2)
    away: Float32Array = np.hypot(np.maximum(np.abs(a) - core, 0), b)
    t = away / half + np.float32(0.18) * canvas.clumps[window]
    rough = canvas.fine[window] * np.float32(0.10) + canvas.clumps[window] * np.float32(0.10)
    shape = np.float32(0.62) + np.float32(0.38) * np.sqrt(np.clip(1 - t * t, 0, 1))
    top = np.float32(mound.height) * (shape + rough)
    slope_x, slope_y = _gradient(top, canvas.gsd)
    cover = canvas.coverage((t - 1) * half)
    colour = canvas.reflectance(mound.material, window)
    canvas.paint_raised(window, cover, top, (slope_x, slope_y), colour, mound.landcover)


def paint_car(canvas: Canvas, car: Car) -> None:
    """Paint a car: its body, its cabin and the dark glass around that."""
    found = canvas.window(car.rect, 0.3)
    if found is None:
        return
    window, a, b = found
    half_a, half_b = np.float32(car.rect.length / 2), np.float32(car.rect.width / 2)
    corner = np.float32(0.45)
    over_a = np.maximum(np.abs(a) - half_a + corner, 0)
    over_b = np.maximum(np.abs(b) - half_b + corner, 0)
    cover = canvas.coverage(np.hypot(over_a, over_b) - corner)
    colour = canvas.reflectance(car.material, window)
    # The cabin is behind the bonnet; its windows are dark, and its roof is painted.
    from_cabin = np.abs(a + np.float32(0.35))
    cabin = canvas.coverage(np.maximum(from_cabin - np.float32(1.35), np.abs(b) - half_b + 0.14))
    roof = canvas.coverage(np.maximum(from_cabin - np.float32(0.80), np.abs(b) - half_b + 0.24))
    glass = np.float32(0.85) * (cabin - roof)
    for band in range(3):
        colour[band] += (np.float32(GLASS.light[band]) - colour[band]) * glass
    colour *= 1 + np.float32(0.10) * roof
    top = np.where(cabin > 0.5, np.float32(car.height), np.float32(car.height - 0.35))
    ground = canvas.height[window] == 0
    canvas.paint_raised(window, cover * ground, top, (0.0, 0.0), colour, CAR)


def paint_tree(canvas: Canvas, tree: Tree, rng: np.random.Generator) -> None:
    """Paint a crown; where crowns overlap, the higher one is visible."""
    twist, lobes = rng.uniform(0, 2 * np.pi), rng.uniform(0.0, 0.09)
    rect = Rect(tree.x, tree.y, float(twist), 2 * tree.radius, 2 * tree.radius)
    found = canvas.window(rect, 0.1 * tree.radius)
    if found is None:
        return
    window, a, b = found
    radius = np.float32(tree.radius)
    clumps, fine = canvas.clumps[window], canvas.fine[window]
    away: Float32Array = np.hypot(a, b)
    # cos(3 theta) of the direction makes three lobes; noise makes the edge irregular.
    unit = a / np.maximum(away, np.float32(0.05))
    t = away / radius
    t = t * (1 + np.float32(lobes) * unit * (4 * unit * unit - 3)) + np.float32(0.13) * clumps
    t += np.float32(0.10) * fine
    if tree.pointed:
        shape = np.float32(0.22) + np.float32(0.78) * np.clip(1 - t, 0, 1)
    else:
        shape = np.float32(0.50) + np.float32(0.50) * np.sqrt(np.clip(1 - t * t, 0, 1))
    rough = np.float32(0.60) * clumps + np.float32(0.18) * fine
    top = np.maximum(np.float32(tree.height) * shape + rough, np.float32(1.2))
    slope_x, slope_y = _gradient(top, canvas.gsd)
    # Leaves transmit light, so the side away from the sun is brighter than a roof's.
    transmission = np.float32(0.7)
    colour = canvas.reflectance(tree.material, window)
    # Gaps between clumps of leaves are dark.
    colour *= np.float32(1.0) + np.float32(0.35) * np.clip(clumps + np.float32(0.1), -1, 0.5)
    cover = canvas.coverage((t - np.float32(0.93)) * radius)
    canvas.paint_raised(
        window, cover, top, (transmission * slope_x, transmission * slope_y), colour, TREE
    )
