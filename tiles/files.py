"""Finished files: whole under their names, or not there."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tiles.errors import InputError, path_faults


@contextmanager
def aside(target: Path) -> Iterator[Path]:
    """Write a file beside its place; it gets its name when the block ends without an error.

    Args:
        target: The file. Its folder exists.

    Yields:
        What to write: a hidden file of the same ending in the same folder. What a killed run left
        there is gone.
    """
    part = target.with_name(f".{target.stem}.part{target.suffix}")
    part.unlink(missing_ok=True)
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with aside(target) as part:
        part.write_text(text, encoding="utf-8")


def check_place(path: Path) -> None:
    """Check, before any work is done, that a file can be written where it shall be.

    Raises:
        InputError: It cannot.
    """
    folder = path.parent
    with path_faults(path):
        if not folder.is_dir():
            raise InputError(path, f"its folder {folder} does not exist", "create it first")
        if path.is_dir():
            raise InputError(path, "is a folder", "name a file")
    if not os.access(folder, os.W_OK | os.X_OK):
        fault = f"its folder {folder} cannot be written to"
        raise InputError(path, fault, "choose another or change its rights")


class Closing(ABC):
    """A context manager that closes itself."""

    @abstractmethod
    def close(self) -> None:
        """Free what is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
