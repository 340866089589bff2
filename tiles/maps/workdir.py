"""The hidden folder beside a map that is being made."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import numpy as np

from tiles.maps.journal import PLACE, Sheet, disk_faults, gdal_type, header, hold


class Work:
    """The hidden folder beside a map, which one run at a time can hold.

    It has a sheet per panel. These may be worked on by several processes, on several machines that
    see the folder.

    Args:
        path: The map's file; its folder exists.
        shape: Rows and columns of the map.
        dtype: Type of its pixels, uint8 or float32.
        panels: First column and one past the last of each panel; the whole width by default.
        fingerprint: One line that says all that the pixels depend on. Work of another fingerprint
            is never gone on with; None: nor is any work kept.

    Attributes:
        folder: The folder.
        made: Folder in it for finished files.

    Raises:
        InputError: The folder cannot be used, or another run uses it.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int],
        dtype: str,
        panels: Sequence[tuple[int, int]] | None = None,
        fingerprint: str | None = None,
    ) -> None:
        self._path, self._shape, self._type = path, shape, np.dtype(dtype)
        self._panels = [(0, shape[1])] if panels is None else list(panels)
        self._fingerprint = fingerprint
        self.folder = _folder_of(path)
        self.made = self.folder / "made"
        with self.faults():
            self._lock = self._hold()
            try:
                self._clear(keep=fingerprint)
            except BaseException:
                os.close(self._lock)
                raise

    def faults(self) -> AbstractContextManager[None]:
        """Say in one line what is wrong with the disk."""
        return disk_faults(self._path, self._kept())

    def sheet(self, number: int) -> Sheet:
        """The sheet of a panel; it can be sent to other processes before it is opened."""
        start, stop = self._panels[number]
        file = self.folder / f"{number:05}"
        shape = self._shape[0], stop - start
        return Sheet(self._path, file, shape, self._type.name, self._fingerprint)

    def _hold(self) -> int:
        """Lock the folder; the system frees it when this process ends, however it does."""
        name = self.folder / "lock"
        while True:
            self.folder.mkdir(exist_ok=True)
            try:
                file = os.open(name, os.O_RDWR | os.O_CREAT, 0o666)
            except FileNotFoundError:  # another run has just removed the folder
                continue
            try:
                hold(file, self._path)
                if os.path.samestat(os.fstat(file), name.stat()):
                    return file
            except FileNotFoundError:
                pass
            except BaseException:
                os.close(file)
                raise
            os.close(file)

    def raster(self) -> Path:
        """A virtual raster of the pixels, which does not know yet what they mean."""
        sheets = [self.sheet(number) for number in range(len(self._panels))]
        parts = [sheet.raster() for sheet in sheets]
        if len(parts) == 1:
            return parts[0]
        path, (height, width) = self.folder / "sheets.vrt", self._shape
        bands = "".join(
            f'<SimpleSource><SourceFilename relativeToVRT="1">{part.name}</SourceFilename>'
            f'<SourceBand>1</SourceBand><SrcRect xOff="0" yOff="0" xSize="{stop - start}" '
            f'ySize="{height}"/><DstRect xOff="{start}" yOff="0" xSize="{stop - start}" '
            f'ySize="{height}"/></SimpleSource>'
            for part, (start, stop) in zip(parts, self._panels, strict=True)
        )
        kind = gdal_type(self._type)
        path.write_text(
            f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">{PLACE}'
            f'<VRTRasterBand dataType="{kind}" band="1">{bands}</VRTRasterBand></VRTDataset>',
            encoding="utf-8",
        )
        return path

    def drop(self) -> None:
        """Keep nothing, whatever was done."""
        self._fingerprint = None

    def close(self, finished: bool) -> None:
        """Free the folder; it stays if there is something to go on with.

        Args:
            finished: Whether the map has its name, so that the work is not needed any more.
        """
        if finished or not self._kept():
            self._clear()
            # Last, for another run may come as soon as the lock's file is gone.
            with suppress(OSError):
                (self.folder / "lock").unlink()
                self.folder.rmdir()
        os.close(self._lock)

    def _kept(self) -> bool:
        """Whether any journal has a line beside its header."""
        if self._fingerprint is None:
            return False
        return any(
            journal.read_bytes().count(b"\n") > 1 for journal in self.folder.glob("*.journal")
        )

    def _clear(self, keep: str | None = None) -> None:
        """Remove all but the lock and sheets of one fingerprint; journals before their pixels."""
        kept = {"lock"}
        for journal in self.folder.glob("*.journal"):
            with journal.open("rb") as file:
                if keep is not None and file.readline() == header(keep):
                    kept |= {journal.name, journal.with_suffix(".pixels").name}
                    continue
            journal.unlink()
        for entry in self.folder.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name not in kept:
                entry.unlink(missing_ok=True)


def kept_panel(path: Path, fingerprint: str) -> int | None:
    """Width of the panels of an unfinished map.

    Args:
        path: The map's file.
        fingerprint: What its journals begin with, before the width.

    Returns:
        The width in pixels; None if there is no such work.
    """
    for journal in sorted(_folder_of(path).glob("*.journal")):
        with suppress(OSError, ValueError), journal.open(encoding="utf-8") as file:
            found, width = file.readline().split()
            if found == fingerprint:
                return int(width)
    return None


def _folder_of(path: Path) -> Path:
    return path.parent / f".{path.name}.work"
