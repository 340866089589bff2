"""Unfinished pixels of one panel of a map, with a journal from which a killed run is continued.

A panel file holds the pixels of one panel, row by row in a plain file whose layout no crash can
damage. The first line of its journal holds the settings of the run as JSON. Each further line says
how far the work has come, and is written after the pixels that it speaks of are flushed to disk.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import astuple
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tiles.files import locked, write_errors
from tiles.maps.panel_store import PanelProgress
from tiles.maps.panel_vrt import write_raw_vrt
from tiles.settings import changed_settings, to_json

# Seconds to wait for the lock of a panel file: a process that was killed may take a moment to die.
LOCK_TIMEOUT = 10.0

REMEDY = "wait for it to end, or name another file"


class PanelFile:
    """The pixels of one panel of a map and their journal, open while its context is entered.

    An instance can be sent to another process before it is entered.

    Args:
        path: The map, which error messages name.
        file: Path of the panel's files without their suffixes; the folder exists.
        shape: Rows and columns of the panel.
        dtype: Type of its pixels, uint8 or float32.
        settings: All that the pixels depend on; work of other settings is not continued. With
            None, no work is continued.
        bands: Number of bands, which lie one after the other in each row.
    """

    def __init__(
        self,
        path: Path,
        file: Path,
        shape: tuple[int, int],
        dtype: str,
        settings: Mapping[str, Any] | None = None,
        bands: int = 1,
    ) -> None:
        self._entries = list[tuple[PanelProgress, int]]()  # progress, and bytes of pixels then
        self._path, self._shape, self._dtype = path, shape, np.dtype(dtype)
        self._pixels, self._journal = file.with_suffix(".pixels"), file.with_suffix(".journal")
        self._lock = file.with_suffix(".lock")
        self._settings = settings
        self._bands = bands

    def __enter__(self) -> Self:
        with write_errors(self._path), ExitStack() as stack:
            stack.enter_context(locked(self._lock, self._path, REMEDY, LOCK_TIMEOUT))
            self._pixel_file = stack.enter_context(_open(self._pixels))
            self._journal_file = stack.enter_context(_open(self._journal))
            self._entries = self._read()
            if self._settings is None:
                self.truncate()
            self._files = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.close()

    def _read(self) -> list[tuple[PanelProgress, int]]:
        """Read the journal up to an incomplete line, or one whose pixels are missing.

        Returns:
            Each entry with the bytes of pixels at that time; none if the settings differ.
        """
        if self._settings is None:
            return []
        first, *lines = self._journal.read_bytes().split(b"\n")
        if not has_settings(first, self._settings):
            return []
        history, there = list[tuple[PanelProgress, int]](), self._pixels.stat().st_size
        for line in lines[:-1]:
            try:
                entry, size = json.loads(line)
                progress = PanelProgress.from_plain(entry)
            except (ValueError, TypeError):
                break
            if not isinstance(size, int) or size > there:
                break
            history.append((progress, size))
        return history

    def truncate(self, count: int = 0) -> None:
        """Forget all but the first `count` entries of the history; with none, start anew."""
        self._entries = self._entries[:count]
        lines = [_line(*entry) for entry in self._entries]
        journal = b"".join([settings_line(self._settings or {}), *lines])
        with self._write_errors():
            self._journal_file.truncate(len(journal) if self._entries else 0)
            if not self._entries:
                self._pixel_file.truncate(0)
            self._journal_file.seek(0)
            _write(self._journal_file, journal)

    def write(self, values: npt.NDArray[Any], row: int, column: int) -> None:
        """Write a window.

        Args:
            values: Pixels [H, W]; of several bands [H, bands * W], all columns of the panel.
            row: Row of the panel at which the window begins.
            column: Column of the panel at which it begins.
        """
        width = self._bands * self._shape[1]
        values = np.ascontiguousarray(values, self._dtype)
        # A window as wide as the panel is contiguous in the file.
        parts = [values] if values.shape[1] == width else list(values)
        offset = (row * width + column) * self._dtype.itemsize
        with self._write_errors():
            for part in parts:
                self._pixel_file.seek(offset)
                _write(self._pixel_file, part.data.cast("B"))
                offset += width * self._dtype.itemsize

    def record(self, progress: PanelProgress) -> None:
        """Flush the pixels to disk, then add a line to the journal."""
        with self._write_errors():
            os.fsync(self._pixel_file.fileno())
            size = os.fstat(self._pixel_file.fileno()).st_size
            _write(self._journal_file, _line(progress, size))
        self._entries.append((progress, size))

    @property
    def history(self) -> list[PanelProgress]:
        """Progress that the journal holds, in the order of time."""
        return [progress for progress, _ in self._entries]

    def last_progress(self) -> PanelProgress | None:
        """Return how far another process has come, without opening the panel file."""
        try:
            history = self._read()
        except OSError:
            return None
        return history[-1][0] if history else None

    def write_vrt(self) -> Path:
        """Write a virtual raster of the pixels and return its path."""
        path = self._pixels.with_suffix(".vrt")
        write_raw_vrt(path, self._pixels, self._shape, self._dtype, self._bands)
        return path

    def _write_errors(self) -> AbstractContextManager[None]:
        resumable = self._settings is not None and bool(self._entries)
        return disk_errors(self._path, can_continue=resumable)


def _line(progress: PanelProgress, size: int) -> bytes:
    """Return the line of a journal that says how far the work and its pixels have come."""
    return json.dumps([astuple(progress), size]).encode() + b"\n"


def settings_line(settings: Mapping[str, Any]) -> bytes:
    """Return the first line of a journal."""
    return json.dumps(to_json(settings)).encode() + b"\n"


def read_settings(line: bytes) -> Mapping[str, Any] | None:
    """Parse the first line of a journal; return None if it holds no settings."""
    try:
        settings = json.loads(line)
    except ValueError:
        return None
    return settings if isinstance(settings, dict) else None


def has_settings(line: bytes, settings: Mapping[str, Any]) -> bool:
    """Return whether a journal with this first line was begun with the same settings."""
    before = read_settings(line)
    return before is not None and not changed_settings(before, settings)


def disk_errors(path: Path, can_continue: bool) -> AbstractContextManager[None]:
    """Raise an :class:`InputError` if an unfinished map cannot be written.

    Args:
        path: The map.
        can_continue: Whether the next run finds work that it can continue.
    """
    if can_continue:
        return write_errors(path, "free some space and start again, which continues the work")
    return write_errors(path)


def _open(path: Path) -> FileIO:
    """Open a file that may exist for unbuffered reading and writing."""
    path.touch()
    return FileIO(path, "r+")


def _write(file: FileIO, data: bytes | memoryview) -> None:
    """Write all data at the position of a file."""
    rest = memoryview(data)
    while rest:
        written = file.write(rest)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rest = rest[written:]
