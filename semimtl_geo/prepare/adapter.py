"""What an adapter of a data set is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from semimtl_geo.prepare.archive import Member, Raw
from tiles.types import ProgressCallback

SPLITS: Final = ("train", "val", "test")


@dataclass(frozen=True)
class Item:
    """One scene or frame to make.

    Attributes:
        domain: Folder of its data set under ``--out``.
        split: ``train``, ``val`` or ``test``.
        name: Its base name, one in its domain.
        files: What it is made from, by the role that each has for the adapter.
        targets: The files that it gives, relative to the domain's folder:
            ``train/image/2_10.tif``. It is made, and is left alone, if all are there.
    """

    domain: str
    split: str
    name: str
    files: Mapping[str, Member]
    targets: Sequence[str]


class Adapter(Protocol):
    """One data set; as a rule a frozen dataclass of its options."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What its files depend on beside the raw ones, as JSON knows it; read after `plan`.

        A folder that was begun with other settings is not gone on with. Of a dataclass it is
        ``dataclasses.asdict(self)``.
        """
        ...

    def plan(self, raw: Raw) -> list[Item]:
        """List what is to be made, in the same order each time.

        Raises:
            InputError: A file is missing; it is named, and where to find it.
        """
        ...

    def make(self, item: Item, files: Mapping[str, Path], folder: Path) -> None:
        """Make one item.

        Args:
            item: The item.
            files: Its files, unzipped, by role.
            folder: The domain's folder. The folders of the targets exist. A target is written aside
                (:func:`tiles.files.aside`) and appears under its name when whole.
                The same files and options give the same bytes.

        Raises:
            InputError: A file cannot be used.
        """
        ...

    def summary(self, folder: Path, progress: ProgressCallback) -> str:
        """Describe a domain in Markdown, from its files alone.

        Args:
            folder: The domain's folder.
            progress: To be called with files read, and files in all.
        """
        ...
