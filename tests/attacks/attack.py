"""One attack: a command, and files that it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Prepare = Callable[[Path], object]
MAP = ("map", "--model", "semimtl.ckpt", "--out", "maps", "--domain", "city_a", "--tile", "64")


@dataclass(frozen=True)
class Attack:
    """A command in a folder that holds the files of :mod:`tests.example_folder`.

    Attributes:
        name: Its name, unique within its kind.
        command: Arguments of ``semimtl-geo``.
        prepare: Adds files to the folder, or damages those that are there.
    """

    name: str
    command: tuple[str, ...]
    prepare: Prepare = lambda folder: None
