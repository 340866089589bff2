"""What people download: folders and zip archives, nested as they come, as one set of files.

Archives are read where they are. A member is unzipped only when it is needed, into a cache, under a
name of our own making; no path of an archive ever becomes a path on the disk.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from zlib import error as zlib_error

from tiles.errors import InputError, path_faults

NESTED = 3
"""Archives in archives are looked into so deep."""

# A member that unzips to more than SMALL bytes and RATIO times its packed size is no image: label
# maps, the emptiest files there are, stay below 150.
SMALL, RATIO = 256 << 20, 250
CHUNK = 4 << 20

HIDDEN = (".", "__MACOSX")
"""Files and folders that begin so are nobody's data."""

_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")


@dataclass(frozen=True)
class Member:
    """A file, in a folder or in an archive.

    Attributes:
        path: Its path below ``--raw``; an archive counts as the folder of its name without
            ``.zip``.
        size: Bytes, unzipped.
        file: The file, or the archive that it is in.
        inside: Its name in that archive; None for a file of its own.
    """

    path: str
    size: int
    file: Path
    inside: str | None = None

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The name of the folder that it is in."""
        return self.path.rpartition("/")[0].rpartition("/")[2]


def check_folder(folder: Path) -> None:
    """Check that there is a folder.

    Raises:
        InputError: There is none.
    """
    with path_faults(folder):
        if not folder.is_dir():
            raise InputError(folder, "is no folder", "name the folder of what was downloaded")


class Raw:
    """All files below a folder, those in zip archives too.

    Args:
        folder: The folder.
        cache: Where members are unzipped to; made when needed.
        progress: Called with what is unpacked, the bytes done and the bytes in all, while an
            archive that lies in another is unpacked, which can last.

    Raises:
        InputError: There is no such folder, or an archive in it cannot be trusted or read.
    """

    def __init__(
        self,
        folder: Path,
        cache: Path,
        progress: Callable[[str, int, int], None] = lambda name, done, total: None,
    ) -> None:
        self.folder, self.cache, self._progress = folder, cache, progress
        # Open once: to read the list of an archive of 100 000 members takes seconds.
        self._archives: dict[Path, zipfile.ZipFile] = {}
        check_folder(folder)
        with path_faults(folder):
            found = list(self._walk())
        # The shortest path first: a copy further down is a copy.
        self.members = sorted(found, key=lambda member: (member.path.count("/"), member.path))
        self._named: dict[str, list[Member]] = defaultdict(list)
        for member in self.members:
            self._named[member.name.lower()].append(member)

    def find(self, path: str, accept: Callable[[Member], bool] | None = None) -> Member | None:
        """Look for a file.

        Args:
            path: The end of its path, in whole parts and any case: ``2_10.tif``, ``rgb/1.png``.
            accept: What else must be true of it.

        Returns:
            The file; of several the one with the shortest path, then the first by name.
        """
        wanted = f"/{path.lower()}"
        for member in self._named.get(PurePosixPath(path).name.lower(), []):
            if f"/{member.path.lower()}".endswith(wanted) and (accept is None or accept(member)):
                return member
        return None

    def match(self, pattern: str) -> Iterator[tuple[Member, re.Match[str]]]:
        """All files whose path ends with a pattern that begins at a part; in any case."""
        whole = re.compile(rf"(?:.*/)?(?:{pattern})", re.IGNORECASE)
        for member in self.members:
            if (found := whole.fullmatch(member.path)) is not None:
                yield member, found

    def path(self, member: Member) -> Path:
        """Where a file can be read; if it is in an archive, it is unzipped first.

        Raises:
            InputError: It cannot be unzipped.
        """
        if member.inside is None:
            return member.file
        target = self._place(member, member.inside)
        if not target.exists():
            shown = self._shown(member, member.inside)
            part = target.with_name(f"{target.name}.part")
            with _archive_faults(shown):
                self.cache.mkdir(parents=True, exist_ok=True)
                if (archive := self._archives.get(member.file)) is None:
                    archive = self._archives[member.file] = zipfile.ZipFile(member.file)
                self._unzip(archive, archive.getinfo(member.inside), shown, part)
                part.replace(target)
        return target

    def release(self, member: Member) -> None:
        """Remove what was unzipped of a file."""
        if member.inside is not None:
            self._place(member, member.inside).unlink(missing_ok=True)

    def close(self) -> None:
        """Close all archives, and remove all that was unzipped."""
        while self._archives:
            self._archives.popitem()[1].close()
        shutil.rmtree(self.cache, ignore_errors=True)

    def _place(self, member: Member, inside: str) -> Path:
        """Where a member is unzipped to: a name of our own, with an ending that readers know."""
        facts = member.file.stat()
        state = f"{member.file}\0{inside}\0{facts.st_size}\0{facts.st_mtime_ns}"
        suffix = PurePosixPath(member.name).suffix.lower()
        known = suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ""
        return self.cache / f"{hashlib.sha256(state.encode()).hexdigest()[:24]}{known}"

    def _shown(self, member: Member, inside: str) -> Path:
        """What an archive is called in errors, though it may have been unzipped itself."""
        return self.folder / f"{member.path.removesuffix(_plain(inside)).rstrip('/')}.zip"

    def _unzip(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, shown: Path, part: Path
    ) -> None:
        name = PurePosixPath(info.filename).name
        if info.flag_bits & 1:
            raise InputError(
                shown,
                "is locked with a password",
                "unzip it yourself, with the password from its publisher, and give the folder",
            )
        if info.file_size > max(SMALL, RATIO * info.compress_size):
            times = info.file_size / max(info.compress_size, 1)
            fault = f"its member {name} would unzip to {times:.0f} times its size"
            raise InputError(shown, fault, "fetch the archive from its publisher")
        try:
            with archive.open(info) as source, part.open("wb") as target:
                # The reader stops at the size that was declared.
                done = 0
                while block := source.read(CHUNK):
                    target.write(block)
                    done += len(block)
                    if info.file_size > SMALL:
                        self._progress(name, done, info.file_size)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise

    def _walk(self) -> Iterator[Member]:
        seen = set()
        for root, folders, names in os.walk(self.folder, followlinks=True):
            real = Path(root).resolve()
            if real in seen:  # a link in a circle
                folders.clear()
                continue
            seen.add(real)
            folders[:] = sorted(name for name in folders if not name.startswith(HIDDEN))
            for name in sorted(names):
                file = Path(root, name)
                if name.startswith(HIDDEN) or not file.is_file():
                    continue
                path = file.relative_to(self.folder).as_posix()
                if file.suffix.lower() == ".zip":
                    yield from self._look_into(file, path, NESTED)
                else:
                    yield Member(path, file.stat().st_size, file)

    def _look_into(self, file: Path, path: str, depth: int) -> Iterator[Member]:
        """The members of an archive, and those of archives in it."""
        with _archive_faults(self.folder / path), zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
        for info in infos:
            _check_member(self.folder / path, info)
            name = _plain(info.orig_filename)
            if info.is_dir() or any(part.startswith(HIDDEN) for part in name.split("/")):
                continue
            member = Member(f"{path[:-4]}/{name}", info.file_size, file, info.filename)
            if name.lower().endswith(".zip") and depth > 1:
                yield from self._look_into(self.path(member), member.path, depth - 1)
            else:
                yield member


def _plain(name: str) -> str:
    """A member's name without parts that say nothing."""
    return "/".join(part for part in name.split("/") if part != ".")


def _check_member(file: Path, info: zipfile.ZipInfo) -> None:
    """Refuse an archive with a member that does not name a plain file below it."""
    name = info.orig_filename  # as it is stored; zipfile's own is cut at a NUL
    parts = name.removesuffix("/").split("/")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if name.startswith("/") or ":" in parts[0]:
        fault = "an absolute path"
    elif "\\" in name or any(ord(letter) < 32 for letter in name):
        fault = "a path with odd characters"
    elif any(part in ("", "..") for part in parts):
        fault = "a path that leads elsewhere"
    elif any(_DEVICE.fullmatch(part) for part in parts):
        fault = "the name of a device"
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        fault = "not a plain file"
    else:
        return
    shown = name if name.isprintable() else ascii(name)
    raise InputError(file, f"its member {shown} is {fault}", "fetch the archive from its publisher")


@contextmanager
def _archive_faults(file: Path) -> Iterator[None]:
    try:
        yield
    # zipfile: NotImplementedError of a compression that it lacks, RuntimeError of a password.
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib_error) as error:
        fault = f"cannot be unzipped ({error})"
        raise InputError(file, fault, "fetch it anew, or unzip it yourself") from error
    except OSError as error:
        fault = f"cannot be unzipped ({error.strerror or error})"
        raise InputError(file, fault, "check the space on the disk, and the file") from error
