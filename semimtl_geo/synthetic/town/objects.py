"""Objects that a scene consists of, and the ground that they occupy."""

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
    """A patch of flat ground: a rectangle, or an irregular oval if ``ragged`` is not 0 metres."""

    rect: Rect
    material: Material
    landcover: int | None
    ragged: float = 0.0


@dataclass(frozen=True)
class Wing:
    """One roof over a rectangle; wings that overlap join in valleys.

    Attributes:
        rect: The ground under the roof; ridges follow its length.
        roof: Shape of the roof.
        eave: Height of the walls, in metres.
        pitch: Rise over run of the planes of the roof.
        material: Surface of the roof.
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
        rect: The ground under the body.
        rise: Height of the top, in metres, above the ground or above the roof under it.
        material: Surface of the body.
        landcover: Class of the body.
        on_roof: Whether the body stands on a roof.
    """

    rect: Rect
    rise: float
    material: Material
    landcover: int
    on_roof: bool = False


@dataclass(frozen=True)
class Car:
    """A car; the length of its rectangle points forward."""

    rect: Rect
    height: float
    material: Material


@dataclass(frozen=True)
class Tree:
    """A tree: centre, radius and height of its crown in metres; pointed (conifer) or round."""

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
class SceneObjects:
    """Objects of a scene in the order of painting, and the ground that they occupy.

    Attributes:
        occupied: bool [n, n], cells of :attr:`cell` metres on which nothing more may be placed.
        offset: Position of the first cell relative to the corner of the scene, in metres.
    """

    occupied: NDArray[np.bool_]
    offset: float
    cell: float = 0.6
    patches: list[Patch] = field(default_factory=list)
    wings: list[Wing] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    mounds: list[Mound] = field(default_factory=list)
    cars: list[Car] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)

    @classmethod
    def blank(cls, extent: float, around: float) -> SceneObjects:
        """Create an empty scene of ``extent`` metres, with ``around`` more on every side."""
        count = int((extent + 2 * around) / cls.cell) + 1
        return cls(np.zeros((count, count), np.bool_), -around)

    def is_free(self, rect: Rect) -> bool:
        """Return whether a rectangle touches no occupied ground."""
        rows, cols = self._cells(rect)
        return not self.occupied[rows, cols].any()

    def occupy(self, rect: Rect) -> None:
        """Mark the ground of a rectangle as occupied."""
        rows, cols = self._cells(rect)
        self.occupied[rows, cols] = True

    def may_be_visible(self, rect: Rect) -> bool:
        """Return whether a part of a rectangle may be visible in the scene."""
        half_x, half_y = rect.half_extent()
        far = self.offset + len(self.occupied) * self.cell
        return (
            self.offset - half_x < rect.x < far + half_x
            and self.offset - half_y < rect.y < far + half_y
        )

    def _cells(self, rect: Rect) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        a = np.linspace(-0.5, 0.5, int(rect.length / 0.5) + 2) * rect.length
        b = (np.linspace(-0.5, 0.5, int(rect.width / 0.5) + 2) * rect.width)[:, None]
        cos, sin = np.cos(rect.angle), np.sin(rect.angle)
        cols = ((rect.x + a * cos - b * sin - self.offset) / self.cell).astype(np.intp)
        rows = ((rect.y + a * sin + b * cos - self.offset) / self.cell).astype(np.intp)
        inside = (
            (rows >= 0) & (cols >= 0) & (rows < len(self.occupied)) & (cols < len(self.occupied))
        )
        return rows[inside], cols[inside]
