"""The hidden folder beside a map that is being made."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np

from tiles.errors import InputError
from tiles.files import locked
from tiles.maps.panel_file import REMEDY, PanelFile, disk_errors, has_settings, read_settings
from tiles.maps.panel_vrt import write_column_vrt
from tiles.settings import changed_settings
from tiles.types import Span

# Name of the setting that a run without a given panel width takes over from unfinished work.
PANEL_WIDTH = "panel_width"

# Name of the setting that identifies the network.
NETWORK = "network"


class WorkFolder:
    """The hidden folder beside a map, which one run at a time can hold.

    It has a panel file per panel. Several processes may work on these, also on several machines
    that see the folder.

    Args:
        path: The map's file; its folder exists.
        shape: Rows and columns of the map.
        dtype: Type of its pixels, uint8 or float32.
        panels: Columns of each panel; by default one panel has them all.
        settings: All that the pixels depend on. Work of other settings is dropped. With None, no
            work is continued or kept.
        bands: Number of bands of the map.

    Attributes:
        path: The folder.
        finished: Folder in it for finished files.

    Raises:
        InputError: If the folder cannot be used, or another run uses it.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int],
        dtype: str,
        panels: Sequence[Span] | None = None,
        settings: Mapping[str, Any] | None = None,
        bands: int = 1,
    ) -> None:
        self._map, self._shape, self._dtype = path, shape, np.dtype(dtype)
        self._panels = [(0, shape[1])] if panels is None else list(panels)
        self._settings, self._bands = settings, bands
        self.path = _folder_of(path)
        self.finished = self.path / "finished"
        with self.write_errors(), ExitStack() as stack:
            # Beside the folder, for Windows removes no folder with an open file.
            stack.enter_context(locked(path.with_name(f".{path.name}.lock"), path, REMEDY))
            if self.path.is_symlink():  # it may lead to files that are not ours
                raise InputError(
                    self.path, "is a link, not a folder of unfinished work", "remove it"
                )
            self.path.mkdir(exist_ok=True)
            self._clear(settings)
            self._lock = stack.pop_all()

    def write_errors(self) -> AbstractContextManager[None]:
        """Raise an :class:`InputError` if a file of the folder cannot be written."""
        return disk_errors(self._map, self._can_continue())

    def panel_file(self, number: int) -> PanelFile:
        """Return the file of a panel; it can be sent to another process before it is opened."""
        start, stop = self._panels[number]
        file, shape = self.path / f"{number:05}", (self._shape[0], stop - start)
        return PanelFile(self._map, file, shape, self._dtype.name, self._settings, self._bands)

    def write_vrt(self) -> Path:
        """Write a virtual raster of all pixels, without georeference, and return its path."""
        parts = [self.panel_file(number).write_vrt() for number in range(len(self._panels))]
        if len(parts) == 1:
            return parts[0]
        path = self.path / "panels.vrt"
        write_column_vrt(path, parts, self._panels, self._shape, self._dtype, self._bands)
        return path

    def discard(self) -> None:
        """Keep no work when the folder is closed."""
        self._settings = None

    def close(self, finished: bool) -> None:
        """Release the folder; it stays if it has work that a later run can continue.

        Args:
            finished: Whether the map has its final name, so that the work is no longer needed.
        """
        with self._lock:
            if finished or not self._can_continue():
                self._clear(None)
                shutil.rmtree(self.path, ignore_errors=True)

    def _can_continue(self) -> bool:
        """Return whether any journal has a line after its settings."""
        if self._settings is None:
            return False
        return any(journal.read_bytes().count(b"\n") > 1 for journal in _journals(self.path))

    def _clear(self, settings: Mapping[str, Any] | None) -> None:
        """Remove all but the panel files of these settings, journals before pixels."""
        keep = set[str]()
        for journal in _journals(self.path):
            if settings is not None and has_settings(_first_line(journal), settings):
                keep |= {journal.name, journal.with_suffix(".pixels").name}
            else:
                journal.unlink()
        for entry in self.path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name not in keep and entry.suffix != ".lock":
                entry.unlink(missing_ok=True)


def unfinished_panel_width(path: Path, settings: Mapping[str, Any]) -> int | None:
    """Look up the width of the panels of unfinished work on a map.

    Args:
        path: The map's file.
        settings: Settings of this run, without the width.

    Returns:
        The width in pixels; None if there is no work of these settings.
    """
    for before in _kept_settings(path):
        with suppress(ValueError):
            if PANEL_WIDTH in before and not changed_settings(before, settings, [PANEL_WIDTH]):
                return int(before[PANEL_WIDTH])
    return None


def kept_setting(path: Path, name: str) -> Any:
    """Look up a setting of the unfinished work on a map.

    Args:
        path: The map's file.
        name: The setting.

    Returns:
        Its value; None if there is no work, or it lacks the setting.
    """
    return next((before[name] for before in _kept_settings(path) if name in before), None)


def _kept_settings(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the settings of the unfinished work on a map, by panel."""
    for journal in _journals(_folder_of(path)):
        before = None
        with suppress(OSError):
            before = read_settings(_first_line(journal))
        if before is not None:
            yield before


def _journals(folder: Path) -> list[Path]:
    """Return the journals in a folder, without named pipes, whose opening would block."""
    return sorted(file for file in folder.glob("*.journal") if file.is_file())


def _first_line(journal: Path) -> bytes:
    with journal.open("rb") as file:
        return file.readline()


def _folder_of(path: Path) -> Path:
    return path.parent / f".{path.name}.work"
