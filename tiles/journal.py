"""Unfinished maps: pixels put aside with a journal, from which a killed run is gone on with."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio._err import CPLE_BaseError  # rasterio.shutil raises it; it has no public name
from rasterio.errors import RasterioError

from tiles.errors import InputError


@dataclass(frozen=True)
class Mark:
    """How far the work has come.

    Attributes:
        panel: Number of the panel in work; those before it are finished.
        row: First row of the map that is unfinished in it.
        tile: Row number and column number of the tile to go on with. A batch begins with it, so
            that the batches are the same as if nothing had happened.
        predicted: Whether any tile was predicted before.
    """

    panel: int
    row: int
    tile: tuple[int, int]
    predicted: bool = False

    def line(self) -> bytes:
        """The mark as a line of the journal."""
        return json.dumps(astuple(self)).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Mark:
        """The mark of a line; ValueError if it is none."""
        panel, row, (tile_row, tile_column), predicted = json.loads(line)
        return cls(int(panel), int(row), (int(tile_row), int(tile_column)), bool(predicted))


class Work:
    """One map's pixels in a hidden folder beside it, which one run at a time can hold.

    Pixels lie row by row in a plain file, whose layout no crash can harm. A line of the journal
    says that pixels are finished, and is written after they are safely on the disk.

    Args:
        path: The map's file; its folder exists.
        shape: Rows and columns of the map.
        dtype: Type of its pixels, uint8 or float32.
        fingerprint: One line that says all that the pixels depend on. Work of another fingerprint
            is never gone on with; None: nor is any work kept.

    Attributes:
        folder: The hidden folder.
        made: Folder in it for finished files.
        marks: What the journal says.

    Raises:
        InputError: The folder cannot be used, or another run uses it.
    """

    def __init__(
        self, path: Path, shape: tuple[int, int], dtype: str, fingerprint: str | None = None
    ) -> None:
        self.folder = path.parent / f".{path.name}.work"
        self.made, self.marks = self.folder / "made", list[Mark]()
        self._pixels, self._journal = self.folder / "pixels", self.folder / "journal"
        self._path, self._shape, self._type = path, shape, np.dtype(dtype)
        self._keeps, self._header = fingerprint is not None, f"{fingerprint}\n".encode()
        self._files: list[int] = []
        self._begun = False
        with self.faults():
            self._lock = self._hold()
            try:
                self.marks = self._read()
            except BaseException:
                os.close(self._lock)
                raise

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Say in one line what is wrong with the disk."""
        try:
            yield
        except (OSError, RasterioError, CPLE_BaseError) as error:
            fault = f"cannot be written ({error})"
            remedy = "choose a writable folder with enough free space"
            if self.marks:
                remedy = "make room and start again, which goes on after what is done"
            raise InputError(self._path, fault, remedy) from error

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
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(file), name.stat()):
                    return file
            except BlockingIOError:
                os.close(file)
                raise InputError(
                    self._path,
                    "is being made by another run",
                    "wait for it to end, or name another file",
                ) from None
            except FileNotFoundError:
                pass
            except BaseException:
                os.close(file)
                raise
            os.close(file)

    def _read(self) -> list[Mark]:
        """The marks in the journal, up to a torn line."""
        if not (self._keeps and self._journal.exists() and self._pixels.exists()):
            return []
        data = self._journal.read_bytes()
        marks = []
        if data.startswith(self._header):
            for line in data[len(self._header) :].split(b"\n")[:-1]:
                try:
                    marks.append(Mark.parse(line))
                except (ValueError, TypeError):
                    break
        return marks

    def begin(self, count: int = 0) -> None:
        """Go on after the first `count` marks; with none, start anew."""
        self.marks, self._begun = self.marks[:count], True
        whole = self._header + b"".join(mark.line() for mark in self.marks)
        flags = os.O_RDWR | os.O_CREAT
        with self.faults():
            if not self.marks:
                self._clear()
            for file in (self._pixels, self._journal):
                self._files.append(os.open(file, flags, 0o666))
            os.ftruncate(self._files[1], len(whole))
            os.lseek(self._files[1], 0, os.SEEK_SET)
            _write(self._files[1], whole)

    def write(self, values: npt.NDArray[Any], row: int, column: int) -> None:
        """Write a window [H, W] whose first pixel is at this row and column."""
        width = self._shape[1]
        values = np.ascontiguousarray(values, self._type)
        # Windows as wide as the map are one piece in the file.
        pieces = [values] if values.shape[1] == width else list(values)
        offset = (row * width + column) * self._type.itemsize
        with self.faults():
            for piece in pieces:
                data, at = piece.data.cast("B"), offset
                while data:
                    written = os.pwrite(self._files[0], data, at)
                    data, at = data[written:], at + written
                offset += width * self._type.itemsize

    def done(self, mark: Mark) -> None:
        """Note, after all pixels are on the disk, how far the work has come."""
        with self.faults():
            os.fsync(self._files[0])
            _write(self._files[1], mark.line())
        self.marks.append(mark)

    def raster(self) -> Path:
        """A virtual raster of the pixels, which does not know yet what they mean."""
        path, (height, width) = self._pixels.with_suffix(".vrt"), self._shape
        kind = {"uint8": "Byte", "float32": "Float32"}[self._type.name]
        order = {"little": "LSB", "big": "MSB"}[sys.byteorder]
        path.write_text(
            f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">'
            f'<VRTRasterBand dataType="{kind}" band="1" subClass="VRTRawRasterBand">'
            f'<SourceFilename relativeToVRT="1">{self._pixels.name}</SourceFilename>'
            f"<ByteOrder>{order}</ByteOrder></VRTRasterBand></VRTDataset>",
            encoding="utf-8",
        )
        return path

    def drop(self) -> None:
        """Keep nothing, whatever was done."""
        self.marks, self._keeps = [], False

    def close(self, finished: bool) -> None:
        """Free the folder; it stays if there is something to go on with.

        Args:
            finished: Whether the map has its name, so that the work is not needed any more.
        """
        for file in self._files:
            os.close(file)
        stays = self._journal.exists() and (bool(self.marks) or not self._begun)
        if finished or not (self._keeps and stays):
            self._clear()
            # Last, for another run may come as soon as the lock's file is gone.
            with suppress(OSError):
                (self.folder / "lock").unlink()
                self.folder.rmdir()
        os.close(self._lock)

    def _clear(self) -> None:
        """Remove all but the lock; the journal first, for it speaks of the others."""
        self._journal.unlink(missing_ok=True)
        for entry in self.folder.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name != "lock":
                entry.unlink(missing_ok=True)


def resume(works: Sequence[Work]) -> list[Mark]:
    """Go on where all maps of a run agree; returns the marks up to there."""
    common = []
    for marks in zip(*(work.marks for work in works), strict=False):
        if len(set(marks)) > 1:
            break
        common.append(marks[0])
    for work in works:
        work.begin(len(common))
    return common


def _write(file: int, line: bytes) -> None:
    if os.write(file, line) < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
