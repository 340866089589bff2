"""A block of the town under construction, with the objects that blocks of every city share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from semimtl_geo.synthetic.town import materials as m
from semimtl_geo.synthetic.town.geometry import Rect
from semimtl_geo.synthetic.town.land_cover import BUILDING, CLUTTER, IMPERVIOUS, TREE
from semimtl_geo.synthetic.town.materials import Material
from semimtl_geo.synthetic.town.objects import (
    Box,
    Car,
    Mound,
    Patch,
    Roof,
    SceneObjects,
    Tree,
    Wing,
)
from semimtl_geo.synthetic.town.street_network import Block, StreetNetwork

Item = TypeVar("Item")


@dataclass
class Site:
    """A block between streets, and the methods that place objects on it.

    Attributes:
        objects: The objects of the scene so far.
        streets: The streets around the block.
        block: The ground to build on.
        rng: Source of randomness.
        growth: Factor of the trees' heights.
    """

    objects: SceneObjects
    streets: StreetNetwork
    block: Block
    rng: np.random.Generator
    growth: float = 1.0

    def rect(self, u: float, v: float, axis: int, length: float, width: float) -> Rect:
        """Return a rectangle at street coordinates in metres; its length follows u (0) or v (1)."""
        return self.streets.coordinates.rect(u, v, axis, length, width)

    def uniform(self, low: float, high: float) -> float:
        """Draw a number from a uniform distribution."""
        return float(self.rng.uniform(low, high))

    def chance(self, share: float) -> bool:
        """Draw True with a probability."""
        return bool(self.rng.random() < share)

    def choice(self, items: Sequence[Item], weights: Sequence[float] | None = None) -> Item:
        """Draw one of several items, by weights that sum to 1."""
        return items[int(self.rng.choice(len(items), p=weights))]

    def add_ground(
        self, rect: Rect, material: Material, landcover: int | None, ragged: float = 0.0
    ) -> None:
        """Add a patch of flat ground."""
        if self.objects.may_be_visible(rect):
            self.objects.patches.append(Patch(rect, material, landcover, ragged))

    def add_building(
        self, rect: Rect, roof: Roof, eave: float, pitch: float, material: Material
    ) -> None:
        """Add a roof with the objects on it, and mark its ground as occupied."""
        if not self.objects.may_be_visible(rect):
            return
        self.objects.occupy(rect.expanded(0.4))
        tone = material.toned(self.uniform(0.85, 1.18))
        self.objects.wings.append(Wing(rect, roof, eave, pitch, tone))
        if eave < 3.0:
            return
        if roof == "flat":
            self._equip_flat(rect)
        else:
            self._equip_pitched(rect, pitch)

    def _equip_flat(self, rect: Rect) -> None:
        lifts = int(rect.length // 17) if rect.length > 15 else 0
        for index in range(lifts):
            along = (index + 0.5) / lifts * rect.length - rect.length / 2
            part = rect.part(along, self.uniform(-1.5, 1.5), 3.6, 2.8)
            self._top(part, self.uniform(1.8, 2.8), m.CONCRETE)
        for _ in range(int(rect.length * rect.width / 45)):
            along = self.uniform(-0.42, 0.42) * rect.length
            across = self.uniform(-0.38, 0.38) * rect.width
            size = self.uniform(0.6, 1.7)
            kind = self.choice(("vent", "dome", "dark"))
            if kind == "vent":
                self._top(rect.part(along, across, size, size), 0.8, m.SHEET)
            elif kind == "dome":
                self._top(rect.part(along, across, 1.4, 1.4), 0.3, m.PEBBLES.toned(1.4))
            else:
                self._top(rect.part(along, across, size, 0.6), 0.0, m.GLASS)

    def add_skylights(self, rect: Rect) -> None:
        """Add rows of skylights on the flat roof of a hall."""
        rows = int(rect.width // 7)
        for row in range(rows):
            across = (row + 0.5) / rows * rect.width - rect.width / 2
            for along in (-0.24, 0.24):
                strip = rect.part(along * rect.length, across, rect.length * 0.38, 1.8)
                self._top(strip, 0.4, m.GLASS.toned(2.0))

    def _equip_pitched(self, rect: Rect, pitch: float) -> None:
        for _ in range(1 + int(rect.length / 14)):
            along = self.uniform(-0.36, 0.36) * rect.length
            self._top(rect.part(along, self.uniform(-1.4, 1.4), 0.9, 0.7), 0.7, m.TILE_OLD)
        side = self.choice((-1.0, 1.0))
        dressing = self.choice(("plain", "dormers", "windows", "solar"), (0.35, 0.2, 0.3, 0.15))
        across = side * rect.width * 0.27
        steps = int(rect.length // 3.6)
        for index in range(steps):
            along = (index + 0.5) / steps * rect.length - rect.length / 2
            if abs(along) > rect.length / 2 - 1.5:
                continue
            if dressing == "dormers" and pitch > 0.55:
                self._top(rect.part(along, across, 1.7, rect.width * 0.2), 0.25, m.SHEET.toned(0.7))
            elif dressing == "windows":
                self._top(rect.part(along, across, 0.9, 1.3), 0.0, m.GLASS)
        if dressing == "solar" and rect.length > 7:
            panel = rect.part(0.0, across, min(rect.length * 0.55, 9.0), rect.width * 0.26)
            self._top(panel, 0.0, m.SOLAR)

    def _top(self, rect: Rect, rise: float, material: Material) -> None:
        self.objects.boxes.append(Box(rect, rise, material, BUILDING, on_roof=True))

    def add_parking(self, rect: Rect, filled: float, surface: Material = m.ASPHALT) -> None:
        """Add a row of parking stalls along a rectangle; a share of them is filled with cars."""
        if not self.objects.may_be_visible(rect):
            return
        self.add_ground(rect, surface, IMPERVIOUS)
        self.objects.occupy(rect)
        stalls = int(rect.length // 2.6)
        for index in range(stalls):
            along = (index + 0.5) * 2.6 - stalls * 1.3
            self.add_ground(rect.part(along - 1.3, 0.0, 0.12, rect.width), m.MARKING, None)
            if self.chance(filled):
                turn = self.choice((0.5, -0.5)) * float(np.pi) + self.uniform(-0.04, 0.04)
                self.add_car(rect.part(along, self.uniform(-0.25, 0.25), 1.0, 1.0, turn))

    def add_car(self, rect: Rect) -> None:
        """Add a car at the centre of a rectangle, along its length."""
        body = Rect(rect.x, rect.y, rect.angle, self.uniform(4.2, 4.8), self.uniform(1.8, 2.0))
        if self.objects.may_be_visible(body):
            paint = self.choice(m.CAR_PAINTS).toned(self.uniform(0.85, 1.1))
            self.objects.cars.append(Car(body, self.uniform(1.42, 1.58), paint))
            self.objects.occupy(body)

    def add_tree(self, u: float, v: float, radius: float, conifers: float) -> bool:
        """Add a tree if the ground is free, and return whether it was added.

        The wider the crown, the taller the tree.
        """
        stem = self.rect(u, v, 0, 0.9 * radius, 0.9 * radius)
        if not self.objects.may_be_visible(stem.expanded(radius)) or not self.objects.is_free(stem):
            return False
        pointed = self.chance(conifers)
        ratio = self.uniform(2.6, 3.4) if pointed else self.uniform(1.8, 2.4)
        leaf = m.CONIFER if pointed else self.choice((m.BROADLEAF, m.LIGHTLEAF), (0.7, 0.3))
        self.objects.trees.append(
            Tree(
                stem.x,
                stem.y,
                radius * (0.8 if pointed else 1.0),
                radius * ratio * self.growth + 0.8,
                pointed,
                leaf.toned(self.uniform(0.8, 1.15)),
            )
        )
        return True

    def add_hedge(self, u: float, v: float, axis: int, length: float) -> None:
        """Add a hedge along u (0) or v (1) if the ground is free."""
        rect = self.rect(u, v, axis, length, self.uniform(1.2, 1.8))
        if self.objects.may_be_visible(rect) and self.objects.is_free(rect):
            hedge = m.HEDGE.toned(self.uniform(0.85, 1.15))
            self.objects.mounds.append(Mound(rect, self.uniform(1.7, 2.4), hedge, TREE))

    def add_construction_site(self, rect: Rect) -> None:
        """Add a construction site (bare soil, heaps, a container) if the ground is free."""
        if not self.objects.may_be_visible(rect) or not self.objects.is_free(rect.expanded(-1.0)):
            return
        self.add_ground(rect, m.SOIL, CLUTTER, ragged=1.2)
        self.objects.occupy(rect)
        for _ in range(int(rect.length * rect.width / 90) + 1):
            part = rect.part(
                self.uniform(-0.32, 0.32) * rect.length,
                self.uniform(-0.32, 0.32) * rect.width,
                self.uniform(4.0, 8.0),
                self.uniform(3.0, 4.5),
                self.uniform(0, 3),
            )
            soil = m.SOIL.toned(self.uniform(0.85, 1.2))
            self.objects.mounds.append(Mound(part, self.uniform(1.2, 2.6), soil, CLUTTER))
        if self.chance(0.7):
            self.add_container(rect.part(0.36 * rect.length, -0.34 * rect.width, 6.0, 2.5))

    def add_container(self, rect: Rect) -> None:
        """Add a container."""
        if self.objects.may_be_visible(rect):
            paint = self.choice(m.CONTAINER_PAINTS)
            self.objects.boxes.append(Box(rect, self.uniform(2.4, 2.7), paint, CLUTTER))
            self.objects.occupy(rect)

    def add_pool(self, rect: Rect) -> None:
        """Add a swimming pool with a paved rim if the ground is free."""
        if self.objects.may_be_visible(rect) and self.objects.is_free(rect.expanded(0.6)):
            self.add_ground(rect.expanded(0.8), m.PAVING.toned(1.2), IMPERVIOUS)
            self.add_ground(rect, m.POOL, CLUTTER)
            self.objects.occupy(rect.expanded(0.8))

    def add_playground(self, rect: Rect) -> None:
        """Add a sand pit with play equipment if the ground is free."""
        if self.objects.may_be_visible(rect) and self.objects.is_free(rect):
            self.add_ground(rect, m.SAND, CLUTTER, ragged=0.6)
            self.objects.occupy(rect)
            for _ in range(3):
                along = self.uniform(-0.3, 0.3) * rect.length
                part = rect.part(along, self.uniform(-0.3, 0.3) * rect.width, 1.8, 1.2)
                self.objects.boxes.append(Box(part, 1.9, self.choice(m.CONTAINER_PAINTS), CLUTTER))

    def add_trees(self, groups: int, radius: tuple[float, float], conifers: float) -> None:
        """Add groups of trees and bushes anywhere on the block where the ground is free."""
        block = self.block
        for _ in range(groups):
            u, v = self.uniform(block.u0, block.u1), self.uniform(block.v0, block.v1)
            for _ in range(int(self.rng.integers(1, 4))):
                self.add_tree(u, v, self.uniform(*radius), conifers)
                u, v = u + self.uniform(-4.5, 4.5), v + self.uniform(-4.5, 4.5)
                if self.chance(0.5):
                    self.add_tree(u, v, self.uniform(0.7, 1.2), 0.0)
