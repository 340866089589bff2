"""Finished files: each is whole under its final name, or not there."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from os import PathLike, fspath
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from filelock import FileLock, Timeout

from tiles.errors import GDAL_ERRORS, InputError, MissingFileError, input_errors

LONGEST_PATH: Final = 2000
"""Characters of the path of an output; Linux allows 4096 bytes, also for hidden files beside it."""


@contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """Write a file beside its place, and rename it when the block ends without an error.

    Args:
        target: The file. Its folder exists.

    Yields:
        Path to write to: a hidden file with the same suffix in the same folder. One that a killed
        process left there is removed first.

    Example:
        >>> from pathlib import Path
        >>> with atomic_write(Path("notes.txt")) as part:
        ...     _ = part.write_text("done")
        >>> part.name, part.exists(), Path("notes.txt").read_text()
        ('.notes.part.txt', False, 'done')
    """
    part = target.with_name(f".{target.stem}.part{target.suffix}")
    part.unlink(missing_ok=True)
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def absolute_if_file(name: str | PathLike[str]) -> str | PathLike[str]:
    """Return the absolute path of a file; other names that GDAL opens stay as they are.

    Example:
        >>> absolute_if_file("https://example.org/ortho.tif")
        'https://example.org/ortho.tif'
    """
    with suppress(OSError):  # a name may be too long for a path
        return Path(name).absolute() if Path(name).exists() else name
    return name


def write_text(target: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all.

    Args:
        target: The file. Its folder exists.
        text: Content of the file.

    Example:
        >>> from pathlib import Path
        >>> write_text(Path("notes.txt"), "done")
    """
    with atomic_write(target) as part:
        part.write_text(text, encoding="utf-8")


@contextmanager
def locked(file: Path, subject: Path, remedy: str, timeout: float = 0.0) -> Iterator[None]:
    """Exclude other runs; the operating system ends the lock however this process ends.

    Args:
        file: The lock file. Its folder exists.
        subject: The file or folder that is protected, which the error message names.
        remedy: Action that the user can take.
        timeout: Seconds to wait for another run.

    Raises:
        InputError: If another run holds the lock, or the file cannot be written.

    Example:
        >>> lock, subject = Path(".map.lock"), Path("map.tif")
        >>> with locked(lock, subject, "wait"), locked(lock, subject, "wait"):
        ...     pass
        Traceback (most recent call last):
        tiles.errors.InputError: map.tif: is being written to by another run; wait
    """
    lock = FileLock(file, timeout=timeout, thread_local=False)
    with write_errors(subject):
        file.parent.stat()  # raises if there is no such folder, which filelock would create
        try:
            lock.acquire(poll_interval=0.05)
        except Timeout:
            raise InputError(subject, "is being written to by another run", remedy) from None
    try:
        yield
    finally:
        # As long as the lock is held, no other run can hold the file that is removed. Windows
        # removes no open file, so that filelock removes it there.
        with suppress(OSError):
            file.unlink()
        lock.release()


def path_errors(path: str | PathLike[str]) -> AbstractContextManager[None]:
    """Raise an :class:`InputError` if the operating system refuses to look up a path.

    That happens when the path is too long or when a folder on it may not be entered.

    Args:
        path: The file or folder that the block looks up.

    Example:
        >>> from pathlib import Path
        >>> with path_errors("height.tif/map.tif"):
        ...     Path("height.tif/map.tif").stat()
        Traceback (most recent call last):
        tiles.errors.InputError: height.tif/map.tif: cannot be accessed (Not a directory); \
check the path and the permissions of its folders
    """
    remedy = "check the path and the permissions of its folders"
    return input_errors(path, "cannot be accessed", remedy)


def write_errors(
    path: str | PathLike[str],
    remedy: str = "choose a writable folder with enough free space",
) -> AbstractContextManager[None]:
    """Raise an :class:`InputError` if a file cannot be written, by Python or by GDAL.

    Args:
        path: The file that the block writes.
        remedy: Action that the user can take.

    Example:
        >>> with write_errors("no/such/folder/map.tif"):
        ...     open("no/such/folder/map.tif", "w")
        Traceback (most recent call last):
        tiles.errors.MissingFileError: no/such/folder/map.tif: cannot be written (No such file or \
directory); choose a writable folder with enough free space
    """
    return input_errors(path, "cannot be written", remedy, *GDAL_ERRORS)


def output_path(name: str | PathLike[str]) -> Path:
    """Return the path of an output, which must be on a disk, where parts can be changed.

    Args:
        name: A file or folder to write to.

    Raises:
        InputError: If it is a URL or a virtual file of GDAL.

    Example:
        >>> output_path("maps/ortho.tif").name
        'ortho.tif'
        >>> output_path("s3://bucket/maps")
        Traceback (most recent call last):
        tiles.errors.InputError: s3://bucket/maps: is not on a disk; write to a folder of this \
machine and copy it, for example with aws s3 cp --recursive, gcloud storage cp -r or azcopy
    """
    text = fspath(name)
    # A drive letter of Windows is no scheme. Path makes s3:/ of s3://.
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/|/vsi", text):
        remedy = (
            "write to a folder of this machine and copy it, for example with "
            "aws s3 cp --recursive, gcloud storage cp -r or azcopy"
        )
        raise InputError(text, "is not on a disk", remedy)
    if len(text) > LONGEST_PATH:
        fault = f"has {len(text)} characters, which are too many"
        raise InputError(f"{text[:50]}...", fault, "choose a shorter path")
    return Path(text)


def check_writable(path: Path) -> None:
    """Check, before any work is done, that a file can be written.

    Args:
        path: The file; it may exist.

    Raises:
        MissingFileError: If its folder does not exist.
        InputError: If it is a folder itself, or its folder cannot be written to.

    Example:
        >>> from pathlib import Path
        >>> check_writable(Path("maps/height.tif"))
        Traceback (most recent call last):
        tiles.errors.MissingFileError: maps/height.tif: its folder maps does not exist; \
create it first
    """
    folder = path.parent
    with path_errors(path):
        if not folder.is_dir():
            raise MissingFileError(path, f"its folder {folder} does not exist", "create it first")
        if path.is_dir():
            raise InputError(path, "is a folder", "name a file")
    if not os.access(folder, os.W_OK | os.X_OK):
        fault = f"its folder {folder} cannot be written to"
        raise InputError(path, fault, "choose another or change its permissions")


class Closeable(ABC):
    """Base class of context managers that have a close() method.

    Example:
        >>> class Door(Closeable):
        ...     def close(self) -> None:
        ...         print("closed")
        >>> with Door():
        ...     pass
        closed
    """

    @abstractmethod
    def close(self) -> None:
        """Free the resources."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
