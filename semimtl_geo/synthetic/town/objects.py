"""The list of things that a scene is built of, before anything is painted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from semimtl_geo.synthetic.town.geometry import Rect
from semimtl_geo.synthetic.town.materials import Material

Roof = Literal["flat", "gable", "hip"]


@dataclass(frozen=True)
class Patch:
    """A piece of flat ground: a rectangle, or with a raggedness an irregular oval, in metres."""

    rect: Rect
    material: Material
    landcover: int | None
    ragged: float = 0.0


@dataclass(frozen=True)
class Wing:
    """One roof over a rectangle; wings that overlap join in valleys.

    Attributes:
        rect: The ground it covers; ridges follow its length.
        roof: Shape of the roof.
        eave: Height of the walls, in metres.
        pitch: Rise over run of the roof's planes.
        material: Its cover.
    """

    rect: Rect
    roof: Roof
    eave: float
    pitch: float
    material: Material


@dataclass(frozen=True)
class Box:
    """A flat-topped body: chimney, lift house, container.

    Attributes:
        rect: The ground it covers.
        rise: Height of its top, in metres, above ground or above the roof it stands on.
        material: Its cover.
        landcover: Class.
        on_roof: Whether it stands on a roof.
    """

    rect: Rect
    rise: float
    material: Material
    landcover: int
    on_roof: bool = False


@dataclass(frozen=True)
class Car:
    """A car; its length points forward."""

    rect: Rect
    height: float
    material: Material


@dataclass(frozen=True)
class Tree:
    """A crown: centre and radius in metres, height in metres, pointed (conifer) or round."""

    x: float
    y: float
    radius: float
    height: float
    pointed: bool
    material: Material


@dataclass(frozen=True)
class Mound:
    """A long rounded body: a hedge, or a heap of soil."""

    rect: Rect
    height: float
    material: Material
    landcover: int


@dataclass
class Plan:
    """Everything in a scene, in the order of painting, and the ground that is taken.

    Attributes:
        taken: bool [n, n], cells of :attr:`cell` metres on which nothing more may be placed.
        offset: Where the first cell lies relative to the scene's corner, in metres.
    """

    taken: NDArray[np.bool_]
    offset: float
    cell: float = 0.6
    patches: list[Patch] = field(default_factory=list)
    wings: list[Wing] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    mounds: list[Mound] = field(default_factory=list)
    cars: list[Car] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)

    @classmethod
    def blank(cls, extent: float, around: float) -> Plan:
        """A plan of ``extent`` metres and ``around`` metres more on every side."""
        count = int((extent + 2 * around) / cls.cell) + 1
        return cls(np.zeros((count, count), np.bool_), -around)

    def free(self, rect: Rect) -> bool:
        """Whether a rectangle touches no ground that is taken."""
        rows, cols = self._cells(rect)
        return not self.taken[rows, cols].any()

    def take(self, rect: Rect) -> None:
        """Marks a rectangle's ground as taken."""
        rows, cols = self._cells(rect)
        self.taken[rows, cols] = True

    def near(self, rect: Rect) -> bool:
        """Whether any of a rectangle may be seen in the scene."""
        reach_x, reach_y = rect.reach()
        far = self.offset + len(self.taken) * self.cell
        return (
            self.offset - reach_x < rect.x < far + reach_x
            and self.offset - reach_y < rect.y < far + reach_y
        )

    def _cells(self, rect: Rect) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        a = np.linspace(-0.5, 0.5, int(rect.length / 0.5) + 2) * rect.length
        b = (np.linspace(-0.5, 0.5, int(rect.width / 0.5) + 2) * rect.width)[:, None]
        cos, sin = np.cos(rect.angle), np.sin(rect.angle)
        cols = ((rect.x + a * cos - b * sin - self.offset) / self.cell).astype(np.intp)
        rows = ((rect.y + a * sin + b * cos - self.offset) / self.cell).astype(np.intp)
        inside = (rows >= 0) & (cols >= 0) & (rows < len(self.taken)) & (cols < len(self.taken))
        return rows[inside], cols[inside]
