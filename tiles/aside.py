"""Finished files: whole under their names, or not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
