"""Protocol of the places that take the pixels and the progress of a panel of a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import numpy.typing as npt


@dataclass(frozen=True)
class PanelProgress:
    """Progress of the work on a panel.

    Attributes:
        row: First row of the target grid that is unfinished.
        tile: Row number and column number of the tile to continue with. A batch begins with it, so
            that batches are the same as in an uninterrupted run.
        predicted: Whether any tile was predicted before.

    Example:
        >>> PanelProgress.from_plain([512, [3, 0], True])
        PanelProgress(row=512, tile=(3, 0), predicted=True)
    """

    row: int
    tile: tuple[int, int]
    predicted: bool = False

    @classmethod
    def from_plain(cls, values: Any) -> PanelProgress:
        """Return the progress from the values of its fields, as JSON holds them.

        Raises:
            ValueError, TypeError: If they do not fit the fields.
        """
        row, (tile_row, tile_column), predicted = values
        return cls(int(row), (int(tile_row), int(tile_column)), bool(predicted))


class PanelStore(Protocol):
    """Place that takes the pixels and the progress of a panel, such as a `PanelFile`."""

    @property
    def history(self) -> list[PanelProgress]:
        """Progress that earlier runs recorded, in the order of time."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def truncate(self, count: int = 0) -> None:
        """Forget all but the first `count` entries of the history; with none, start anew."""
        ...

    def write(self, values: npt.NDArray[Any], row: int, column: int) -> None:
        """Write a window [H, W] that begins at a row and a column of the panel."""
        ...

    def record(self, progress: PanelProgress) -> None:
        """Record how far the work has come, after all pixels up to there are safe."""
        ...

    def last_progress(self) -> PanelProgress | None:
        """Return how far the work has come, which may be done by another process."""
        ...


def resume(stores: Sequence[PanelStore]) -> list[PanelProgress]:
    """Continue the panels of several layers from where all of them agree.

    Args:
        stores: The open panel files (or the like) of one panel, one per layer.

    Returns:
        The history that the layers have in common; later entries are dropped from all.
    """
    common = []
    for entries in zip(*(store.history for store in stores), strict=False):
        if len(set(entries)) > 1:
            break
        common.append(entries[0])
    for store in stores:
        store.truncate(len(common))
    return common
