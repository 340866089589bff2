"""A block under construction, and what stands on blocks of every city."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from semimtl_geo.synthetic.town import materials as m
from semimtl_geo.synthetic.town.geometry import Rect
from semimtl_geo.synthetic.town.materials import Material
from semimtl_geo.synthetic.town.objects import Box, Car, Mound, Patch, Plan, Roof, Tree, Wing
from semimtl_geo.synthetic.town.street_network import Block, Network

IMPERVIOUS, BUILDING, LOW, TREE, CLUTTER = 0, 1, 2, 3, 5
Item = TypeVar("Item")


@dataclass
class Site:
    """One block, with the tools to furnish it.

    Attributes:
        plan: What is built so far.
        network: The streets around.
        block: The ground to build on.
        rng: Source of randomness.
    """

    plan: Plan
    network: Network
    block: Block
    rng: np.random.Generator

    def rect(self, u: float, v: float, axis: int, length: float, width: float) -> Rect:
        """A rectangle at street coordinates whose length follows u (0) or v (1), in metres."""
        return self.network.frame.rect(u, v, axis, length, width)

    def between(self, low: float, high: float) -> float:
        """A number between two."""
        return float(self.rng.uniform(low, high))

    def chance(self, share: float) -> bool:
        """True in this share of the cases."""
        return bool(self.rng.random() < share)

    def pick(self, items: Sequence[Item], weights: Sequence[float] | None = None) -> Item:
        """One of several, with weights that sum to 1."""
        return items[int(self.rng.choice(len(items), p=weights))]

    def lay(
        self, rect: Rect, material: Material, landcover: int | None, ragged: float = 0.0
    ) -> None:
        """Plans flat ground."""
        if self.plan.near(rect):
            self.plan.patches.append(Patch(rect, material, landcover, ragged))

    def build(self, rect: Rect, roof: Roof, eave: float, pitch: float, material: Material) -> None:
        """Plans a roof with what stands on it, and takes the ground."""
        if not self.plan.near(rect):
            return
        self.plan.take(rect.grown(0.4))
        tone = material.toned(self.between(0.85, 1.18))
        self.plan.wings.append(Wing(rect, roof, eave, pitch, tone))
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
            part = rect.part(along, self.between(-1.5, 1.5), 3.6, 2.8)
            self._top(part, self.between(1.8, 2.8), m.CONCRETE)
        for _ in range(int(rect.length * rect.width / 45)):
            along = self.between(-0.42, 0.42) * rect.length
            across = self.between(-0.38, 0.38) * rect.width
            size = self.between(0.6, 1.7)
            kind = self.pick(("vent", "dome", "dark"))
            if kind == "vent":
                self._top(rect.part(along, across, size, size), 0.8, m.SHEET)
            elif kind == "dome":
                self._top(rect.part(along, across, 1.4, 1.4), 0.3, m.PEBBLES.toned(1.4))
            else:
                self._top(rect.part(along, across, size, 0.6), 0.0, m.GLASS)

    def skylights(self, rect: Rect) -> None:
        """Plans rows of glass on a hall's flat roof."""
        rows = int(rect.width // 7)
        for row in range(rows):
            across = (row + 0.5) / rows * rect.width - rect.width / 2
            for along in (-0.24, 0.24):
                strip = rect.part(along * rect.length, across, rect.length * 0.38, 1.8)
                self._top(strip, 0.4, m.GLASS.toned(2.0))

    def _equip_pitched(self, rect: Rect, pitch: float) -> None:
        for _ in range(1 + int(rect.length / 14)):
            along = self.between(-0.36, 0.36) * rect.length
            self._top(rect.part(along, self.between(-1.4, 1.4), 0.9, 0.7), 0.7, m.TILE_OLD)
        side = self.pick((-1.0, 1.0))
        dressing = self.pick(("plain", "dormers", "windows", "solar"), (0.35, 0.2, 0.3, 0.15))
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
        self.plan.boxes.append(Box(rect, rise, material, BUILDING, on_roof=True))

    def park(self, rect: Rect, filled: float, surface: Material = m.ASPHALT) -> None:
        """Plans a row of stalls across a rectangle's width, cars in a share of them."""
        if not self.plan.near(rect):
            return
        self.lay(rect, surface, IMPERVIOUS)
        self.plan.take(rect)
        stalls = int(rect.length // 2.6)
        for index in range(stalls):
            along = (index + 0.5) * 2.6 - stalls * 1.3
            self.lay(rect.part(along - 1.3, 0.0, 0.12, rect.width), m.MARKING, None)
            if self.chance(filled):
                turn = self.pick((0.5, -0.5)) * float(np.pi) + self.between(-0.04, 0.04)
                self.car(rect.part(along, self.between(-0.25, 0.25), 1.0, 1.0, turn))

    def car(self, rect: Rect) -> None:
        """Plans a car at a rectangle's centre, along its length."""
        body = Rect(rect.x, rect.y, rect.angle, self.between(4.2, 4.8), self.between(1.8, 2.0))
        if self.plan.near(body):
            paint = self.pick(m.CAR_PAINTS).toned(self.between(0.85, 1.1))
            self.plan.cars.append(Car(body, self.between(1.42, 1.58), paint))
            self.plan.take(body)

    def tree(self, u: float, v: float, radius: float, conifers: float) -> bool:
        """Plans a tree where its stem finds free ground; taller the wider its crown."""
        stem = self.rect(u, v, 0, 0.9 * radius, 0.9 * radius)
        if not self.plan.near(stem.grown(radius)) or not self.plan.free(stem):
            return False
        pointed = self.chance(conifers)
        ratio = self.between(2.6, 3.4) if pointed else self.between(1.8, 2.4)
        leaf = m.CONIFER if pointed else self.pick((m.BROADLEAF, m.LIGHTLEAF), (0.7, 0.3))
        self.plan.trees.append(
            Tree(
                stem.x,
                stem.y,
                radius * (0.8 if pointed else 1.0),
                radius * ratio + 0.8,
                pointed,
                leaf.toned(self.between(0.8, 1.15)),
            )
        )
        return True

    def hedge(self, u: float, v: float, axis: int, length: float) -> None:
        """Plans a hedge along u (0) or v (1)."""
        rect = self.rect(u, v, axis, length, self.between(1.2, 1.8))
        if self.plan.near(rect) and self.plan.free(rect):
            hedge = m.HEDGE.toned(self.between(0.85, 1.15))
            self.plan.mounds.append(Mound(rect, self.between(1.7, 2.4), hedge, TREE))

    def diggings(self, rect: Rect) -> None:
        """Plans a construction site: bare soil, heaps of it, a container."""
        if not self.plan.near(rect) or not self.plan.free(rect.grown(-1.0)):
            return
        self.lay(rect, m.SOIL, CLUTTER, ragged=1.2)
        self.plan.take(rect)
        for _ in range(int(rect.length * rect.width / 90) + 1):
            part = rect.part(
                self.between(-0.32, 0.32) * rect.length,
                self.between(-0.32, 0.32) * rect.width,
                self.between(4.0, 8.0),
                self.between(3.0, 4.5),
                self.between(0, 3),
            )
            soil = m.SOIL.toned(self.between(0.85, 1.2))
            self.plan.mounds.append(Mound(part, self.between(1.2, 2.6), soil, CLUTTER))
        if self.chance(0.7):
            self.container(rect.part(0.36 * rect.length, -0.34 * rect.width, 6.0, 2.5))

    def container(self, rect: Rect) -> None:
        """Plans a container."""
        if self.plan.near(rect):
            paint = self.pick(m.CONTAINER_PAINTS)
            self.plan.boxes.append(Box(rect, self.between(2.4, 2.7), paint, CLUTTER))
            self.plan.take(rect)

    def pool(self, rect: Rect) -> None:
        """Plans a swimming pool with its paved rim, where there is room."""
        if self.plan.near(rect) and self.plan.free(rect.grown(0.6)):
            self.lay(rect.grown(0.8), m.PAVING.toned(1.2), IMPERVIOUS)
            self.lay(rect, m.POOL, CLUTTER)
            self.plan.take(rect.grown(0.8))

    def playground(self, rect: Rect) -> None:
        """Plans a sand pit with its equipment, where there is room."""
        if self.plan.near(rect) and self.plan.free(rect):
            self.lay(rect, m.SAND, CLUTTER, ragged=0.6)
            self.plan.take(rect)
            for _ in range(3):
                along = self.between(-0.3, 0.3) * rect.length
                part = rect.part(along, self.between(-0.3, 0.3) * rect.width, 1.8, 1.2)
                self.plan.boxes.append(Box(part, 1.9, self.pick(m.CONTAINER_PAINTS), CLUTTER))

    def woods(self, groups: int, radius: tuple[float, float], conifers: float) -> None:
        """Plans groups of trees and bushes anywhere on the block, where there is room."""
        block = self.block
        for _ in range(groups):
            u, v = self.between(block.u0, block.u1), self.between(block.v0, block.v1)
            for _ in range(int(self.rng.integers(1, 4))):
                self.tree(u, v, self.between(*radius), conifers)
                u, v = u + self.between(-4.5, 4.5), v + self.between(-4.5, 4.5)
                if self.chance(0.5):
                    self.tree(u, v, self.between(0.7, 1.2), 0.0)
