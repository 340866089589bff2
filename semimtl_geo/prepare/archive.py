"""Downloaded data: folders and (nested) zip archives, presented as one set of files.

Archives are read in place. A member is unzipped only when it is needed, into a cache and under a
generated name; no path that an archive contains ever becomes a path on the disk.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from zlib import error as zlib_error

from tiles.errors import InputError, MissingFileError, input_errors
from tiles.files import path_errors

MAX_NESTING: Final = 3
"""Depth to which archives inside archives are opened."""

MAX_UNCHECKED_BYTES: Final = 256 << 20
MAX_COMPRESSION_RATIO: Final = 250
"""A larger member with a higher ratio is no image: label maps, which compress best, stay below 150.
"""

CHUNK_BYTES: Final = 4 << 20

HIDDEN_PREFIXES: Final = (".", "__MACOSX")
"""Files and folders whose names begin so are left by operating systems, and are skipped."""


@dataclass(frozen=True)
class RawFile:
    """A file in a folder or in an archive.

    Attributes:
        path: Path below ``--raw``, in which an archive counts as a folder that is named without
            ``.zip``.
        size: Size in bytes, unzipped.
        file: The file on the disk, or the archive that contains it.
        member: Name in that archive; None for a file on the disk.
    """

    path: str
    size: int
    file: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """Name of the folder that contains the file."""
        return self.path.rpartition("/")[0].rpartition("/")[2]


class RawFolder:
    """All files below a folder, including those in zip archives.

    Args:
        folder: The folder.
        cache: Folder to unzip members into; it is created when needed.
        progress: Called with the name of a nested archive, the bytes done and the bytes in all
            while that archive is unzipped, which can take long.

    Attributes:
        files: The files, those with the shortest paths first.

    Raises:
        MissingFileError: If there is no such folder.
        InputError: If an archive cannot be read, or has members that may not be trusted.
    """

    def __init__(
        self,
        folder: Path,
        cache: Path,
        progress: Callable[[str, int, int], None] = lambda name, done, total: None,
    ) -> None:
        self.folder, self.cache, self._progress = folder, cache, progress
        # Kept open: reading the directory of an archive of 100 000 members takes seconds.
        self._archives: dict[Path, zipfile.ZipFile] = {}
        check_folder(folder)
        with path_errors(folder):
            found = list(self._walk())
        # Copies of a file usually lie deeper than the original.
        self.files = sorted(found, key=lambda file: (file.path.count("/"), file.path))
        self._by_name: dict[str, list[RawFile]] = defaultdict(list)
        for file in self.files:
            self._by_name[file.name.lower()].append(file)

    def find(self, path: str, accept: Callable[[RawFile], bool] | None = None) -> RawFile | None:
        """Find a file by the end of its path.

        Args:
            path: One or more whole parts of the path, in any case: ``2_10.tif``, ``rgb/1.png``.
            accept: Further condition that the file must meet.

        Returns:
            The file, or None. Of several, the one with the shortest path, then the first by name.
        """
        wanted = f"/{path.lower()}"
        for file in self._by_name.get(PurePosixPath(path).name.lower(), []):
            if f"/{file.path.lower()}".endswith(wanted) and (accept is None or accept(file)):
                return file
        return None

    def match(self, pattern: str) -> Iterator[tuple[RawFile, re.Match[str]]]:
        """Iterate over the files whose paths end with a pattern.

        Args:
            pattern: Regular expression for one or more whole parts of the path, in any case.

        Yields:
            The file, and the match.
        """
        whole = re.compile(rf"(?:.*/)?(?:{pattern})", re.IGNORECASE)
        for file in self.files:
            if (found := whole.fullmatch(file.path)) is not None:
                yield file, found

    def local_path(self, file: RawFile) -> Path:
        """Return a path at which a file can be read; a member of an archive is unzipped first.

        Raises:
            InputError: If it cannot be unzipped.
        """
        if file.member is None:
            return file.file
        target = self._cache_path(file, file.member)
        if not target.exists():
            shown = self._display_path(file, file.member)
            part = target.with_name(f"{target.name}.part")
            with _unzip_errors(shown):
                self.cache.mkdir(parents=True, exist_ok=True)
                if (archive := self._archives.get(file.file)) is None:
                    archive = self._archives[file.file] = zipfile.ZipFile(file.file)
                self._unzip(archive, archive.getinfo(file.member), shown, part)
                part.replace(target)
        return target

    def release(self, file: RawFile) -> None:
        """Remove the unzipped copy of a file, if there is one."""
        if file.member is not None:
            self._cache_path(file, file.member).unlink(missing_ok=True)

    def close(self) -> None:
        """Close all archives and remove all unzipped copies."""
        while self._archives:
            self._archives.popitem()[1].close()
        shutil.rmtree(self.cache, ignore_errors=True)

    def _cache_path(self, file: RawFile, member: str) -> Path:
        """Return where a member is unzipped to: a generated name with the member's suffix."""
        facts = file.file.stat()
        state = f"{file.file}\0{member}\0{facts.st_size}\0{facts.st_mtime_ns}"
        suffix = PurePosixPath(file.name).suffix.lower()
        known = suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ""
        return self.cache / f"{hashlib.sha256(state.encode()).hexdigest()[:24]}{known}"

    def _display_path(self, file: RawFile, member: str) -> Path:
        """Return the name of an archive for messages, as it was downloaded."""
        return self.folder / f"{file.path.removesuffix(_normalize(member)).rstrip('/')}.zip"

    def _unzip(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, shown: Path, part: Path
    ) -> None:
        name = PurePosixPath(info.filename).name
        if info.flag_bits & 1:
            raise InputError(
                shown,
                "is protected by a password",
                "unzip it yourself, with the password from its publisher, and give the folder",
            )
        if info.file_size > max(MAX_UNCHECKED_BYTES, MAX_COMPRESSION_RATIO * info.compress_size):
            ratio = info.file_size / max(info.compress_size, 1)
            fault = f"its member {name} would unzip to {ratio:.0f} times its size"
            raise InputError(shown, fault, "download the archive from its publisher")
        try:
            with archive.open(info) as source, part.open("wb") as target:
                # ZipExtFile never returns more bytes than the archive declares.
                done = 0
                while block := source.read(CHUNK_BYTES):
                    target.write(block)
                    done += len(block)
                    if info.file_size > MAX_UNCHECKED_BYTES:
                        self._progress(name, done, info.file_size)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise

    def _walk(self) -> Iterator[RawFile]:
        """Iterate over all files below the folder."""
        visited = set()
        for root, folders, names in os.walk(self.folder, followlinks=True):
            real = Path(root).resolve()
            if real in visited:  # symbolic links can form cycles
                folders.clear()
                continue
            visited.add(real)
            folders[:] = sorted(name for name in folders if not name.startswith(HIDDEN_PREFIXES))
            for name in sorted(names):
                file = Path(root, name)
                if name.startswith(HIDDEN_PREFIXES) or not file.is_file():
                    continue
                path = file.relative_to(self.folder).as_posix()
                if file.suffix.lower() == ".zip":
                    yield from self._members(file, path, MAX_NESTING)
                else:
                    yield RawFile(path, file.stat().st_size, file)

    def _members(self, archive_file: Path, path: str, depth: int) -> Iterator[RawFile]:
        """Iterate over the members of an archive and of the archives inside it."""
        with _unzip_errors(self.folder / path), zipfile.ZipFile(archive_file) as archive:
            infos = archive.infolist()
        for info in infos:
            _check_member(self.folder / path, info)
            name = _normalize(info.orig_filename)
            if info.is_dir() or any(part.startswith(HIDDEN_PREFIXES) for part in name.split("/")):
                continue
            file = RawFile(f"{path[:-4]}/{name}", info.file_size, archive_file, info.filename)
            if name.lower().endswith(".zip") and depth > 1:
                yield from self._members(self.local_path(file), file.path, depth - 1)
            else:
                yield file


def check_folder(folder: Path) -> None:
    """Check that a folder exists.

    Raises:
        MissingFileError: If it does not.
        InputError: If it is a file.
    """
    remedy = "name the folder of what was downloaded"
    with path_errors(folder):
        if not folder.exists():
            raise MissingFileError(folder, remedy=remedy)
        if not folder.is_dir():
            raise InputError(folder, "is not a folder", remedy)


def _normalize(name: str) -> str:
    """Remove the parts ``.`` of a member's name."""
    return "/".join(part for part in name.split("/") if part != ".")


def _check_member(file: Path, info: zipfile.ZipInfo) -> None:
    """Refuse an archive with a member whose path leads out of it."""
    name = info.orig_filename  # zipfile cuts `filename` at a NUL
    parts = name.removesuffix("/").split("/")
    if not name.isprintable() or "\\" in name or ":" in parts[0] or {"", ".."} & set(parts):
        shown = name if name.isprintable() else ascii(name)
        fault = f"its member {shown} has a path that leads out of the archive"
        raise InputError(file, fault, "download the archive from its publisher")


def _unzip_errors(archive: Path) -> AbstractContextManager[None]:
    """Raise an :class:`InputError` if an archive cannot be unzipped."""
    return input_errors(
        archive,
        "cannot be unzipped",
        "check the free space, and download it again or unzip it yourself",
        zipfile.BadZipFile,
        EOFError,
        NotImplementedError,  # a compression that zipfile lacks
        RuntimeError,  # a password
        zlib_error,
    )
