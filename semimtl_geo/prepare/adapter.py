"""Interface of adapters, each of which knows one data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from semimtl_geo.prepare.archive import RawFile, RawFolder
from tiles.types import ProgressCallback

SPLITS: Final = ("train", "val", "test")


@dataclass(frozen=True)
class Item:
    """A scene or street-view frame that is to be made.

    Attributes:
        domain: Name of its data set, which is a folder below ``--out``.
        split: ``train``, ``val`` or ``test``.
        name: Base name of its files, unique in its domain.
        files: Raw files that it is made from, by their roles, which the adapter defines.
        targets: Files to write, relative to the domain's folder. The item is skipped if all of them
            exist.

    Example:
        >>> from semimtl_geo.prepare.archive import RawFile
        >>> raw = RawFile("ortho.tif", 27_648, Path("ortho.tif"))
        >>> item = Item("lyon", "train", "a", {"image": raw}, ["train/image/a.tif"])
        >>> item.files["image"].name
        'ortho.tif'
    """

    domain: str
    split: str
    name: str
    files: Mapping[str, RawFile]
    targets: Sequence[str]


class Adapter(Protocol):
    """A data set: how its files are found, converted and described.

    An adapter is a dataclass, frozen as a rule; its fields that
    :func:`semimtl_geo.prepare.options.option` declares are options on the command line.

    Example:
        >>> from semimtl_geo.prepare.isprs import Potsdam
        >>> adapter: Adapter = Potsdam(gsd=0.2)
        >>> adapter.settings["gsd"]
        0.2
    """

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings that the written files depend on, as JSON can hold them; read after `plan`.

        A folder that was begun with other settings is not continued. Most adapters return
        ``dataclasses.asdict(self)``.
        """
        ...

    def plan(self, raw: RawFolder) -> list[Item]:
        """List the items, in the same order each time.

        Raises:
            InputError: If a raw file is missing; the message names it and says where to get it.
        """
        ...

    def make(self, item: Item, files: Mapping[str, Path], folder: Path) -> None:
        """Write the targets of one item. The same files and options give the same bytes.

        Args:
            item: The item.
            files: Raw files by role, unzipped.
            folder: Folder of the domain, in which the folders of all targets exist. Each target is
                written by :func:`tiles.files.atomic_write`.

        Raises:
            InputError: If a raw file cannot be used.
        """
        ...

    def summary(self, folder: Path, progress: ProgressCallback) -> str:
        """Describe a domain in Markdown, from its written files alone.

        Args:
            folder: Folder of the domain.
            progress: Called with the number of files read and of files in all.
        """
        ...
