"""Sheets: pixels put aside with a journal, from which a killed run is gone on with.

A sheet has the pixels of one panel of a map, row by row in a plain file, whose layout no crash can
harm, and a journal. A line of the journal says that pixels are finished, and is written after they
are safely on the disk.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio._err import CPLE_BaseError  # rasterio.shutil raises it; it has no public name
from rasterio.errors import RasterioError

from tiles.errors import InputError

# Seconds for which a sheet is waited for: a process that was killed may take a moment to die.
PATIENCE = 10.0

# Of a virtual raster that gets its place later: one without any is warned of.
PLACE = "<GeoTransform>0, 1, 0, 0, 0, -1</GeoTransform>"


@dataclass(frozen=True)
class Mark:
    """How far the work on a panel has come.

    Attributes:
        row: First row of the target grid that is unfinished.
        tile: Row number and column number of the tile to go on with. A batch begins with it, so
            that the batches are the same as if nothing had happened.
        predicted: Whether any tile was predicted before.
    """

    row: int
    tile: tuple[int, int]
    predicted: bool = False

    def line(self) -> bytes:
        """The mark as a line of the journal."""
        return json.dumps(astuple(self)).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Mark:
        """The mark of a line; ValueError if it is none."""
        row, (tile_row, tile_column), predicted = json.loads(line)
        return cls(int(row), (int(tile_row), int(tile_column)), bool(predicted))


@contextmanager
def disk_faults(path: Path, kept: bool = False) -> Iterator[None]:
    """Say in one line what is wrong with the disk.

    Args:
        path: The map.
        kept: Whether there is something to go on with.
    """
    try:
        yield
    except (OSError, RasterioError, CPLE_BaseError) as error:
        fault = f"cannot be written ({error})"
        remedy = "choose a writable folder with enough free space"
        if kept:
            remedy = "make room and start again, which goes on after what is done"
        raise InputError(path, fault, remedy) from error


class Sheet:
    """The pixels of one panel of a map, and their journal. It is opened by entering its context.

    Args:
        path: The map, of which errors speak.
        file: The sheet's files without their endings; their folder exists.
        shape: Rows and columns of the panel.
        dtype: Type of its pixels.
        fingerprint: As for `Work`.

    Attributes:
        marks: What the journal says, once it is opened.
    """

    def __init__(
        self,
        path: Path,
        file: Path,
        shape: tuple[int, int],
        dtype: str,
        fingerprint: str | None = None,
    ) -> None:
        self.marks = list[Mark]()
        self._path, self._shape, self._type = path, shape, np.dtype(dtype)
        self._pixels, self._journal = file.with_suffix(".pixels"), file.with_suffix(".journal")
        self._fingerprint = fingerprint

    def __enter__(self) -> Sheet:
        with disk_faults(self._path), ExitStack() as stack:
            flags = os.O_RDWR | os.O_CREAT
            self._file, self._lines = (
                _open(stack, name, flags) for name in (self._pixels, self._journal)
            )
            hold(self._lines, self._path, PATIENCE)
            self.marks = self._read()
            if self._fingerprint is None:
                self.begin()
            self._files = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.close()

    def _read(self) -> list[Mark]:
        """The marks in the journal, up to a torn line."""
        if self._fingerprint is None:
            return []
        data, first, marks = self._journal.read_bytes(), header(self._fingerprint), list[Mark]()
        if data.startswith(first):
            for line in data[len(first) :].split(b"\n")[:-1]:
                try:
                    marks.append(Mark.parse(line))
                except (ValueError, TypeError):
                    break
        return marks

    def begin(self, count: int = 0) -> None:
        """Go on after the first `count` marks; with none, start anew."""
        self.marks = self.marks[:count]
        whole = b"".join([header(self._fingerprint or ""), *(mark.line() for mark in self.marks)])
        with disk_faults(self._path, bool(self.marks)):
            os.ftruncate(self._lines, 0 if not self.marks else len(whole))
            if not self.marks:
                os.ftruncate(self._file, 0)
            os.lseek(self._lines, 0, os.SEEK_SET)
            _write(self._lines, whole)

    def write(self, values: npt.NDArray[Any], row: int, column: int) -> None:
        """Write a window [H, W] whose first pixel is at this row and column of the panel."""
        width = self._shape[1]
        values = np.ascontiguousarray(values, self._type)
        # Windows as wide as the panel are one piece in the file.
        pieces = [values] if values.shape[1] == width else list(values)
        offset = (row * width + column) * self._type.itemsize
        with disk_faults(self._path, bool(self.marks)):
            for piece in pieces:
                data, at = piece.data.cast("B"), offset
                while data:
                    written = os.pwrite(self._file, data, at)
                    data, at = data[written:], at + written
                offset += width * self._type.itemsize

    def done(self, mark: Mark) -> None:
        """Note, after all pixels are on the disk, how far the work has come."""
        with disk_faults(self._path, bool(self.marks)):
            os.fsync(self._file)
            _write(self._lines, mark.line())
        self.marks.append(mark)

    def last(self) -> Mark | None:
        """The last mark, read without opening the sheet: how far another process has come."""
        try:
            marks = self._read()
        except OSError:
            return None
        return marks[-1] if marks else None

    def raster(self) -> Path:
        """A virtual raster of the pixels."""
        path, (height, width) = self._pixels.with_suffix(".vrt"), self._shape
        order = {"little": "LSB", "big": "MSB"}[sys.byteorder]
        path.write_text(
            f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">{PLACE}'
            f'<VRTRasterBand dataType="{gdal_type(self._type)}" band="1" '
            'subClass="VRTRawRasterBand">'
            f'<SourceFilename relativeToVRT="1">{self._pixels.name}</SourceFilename>'
            f"<ByteOrder>{order}</ByteOrder></VRTRasterBand></VRTDataset>",
            encoding="utf-8",
        )
        return path


def resume(sheets: Sequence[Sheet]) -> list[Mark]:
    """Go on where all layers of a panel agree; returns the marks up to there."""
    common = []
    for marks in zip(*(sheet.marks for sheet in sheets), strict=False):
        if len(set(marks)) > 1:
            break
        common.append(marks[0])
    for sheet in sheets:
        sheet.begin(len(common))
    return common


def header(fingerprint: str) -> bytes:
    """The first line of a journal."""
    return f"{fingerprint}\n".encode()


def gdal_type(kind: np.dtype[Any]) -> str:
    """What GDAL calls a type."""
    return {"uint8": "Byte", "float32": "Float32"}[kind.name]


def _open(stack: ExitStack, name: Path, flags: int) -> int:
    file = os.open(name, flags, 0o666)
    stack.callback(os.close, file)
    return file


def hold(file: int, path: Path, patience: float = 0.0) -> None:
    """Lock an open file, or say that another run has it."""
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise InputError(
                    path,
                    "is being made by another run",
                    "wait for it to end, or name another file",
                ) from None
            time.sleep(0.05)
        else:
            return


def _write(file: int, line: bytes) -> None:
    if os.write(file, line) < len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
