"""``semimtl-geo prepare``: official archives, and a user's own folders, to scenes and frames."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semimtl_geo.prepare.adapter import SPLITS, Adapter, Item
from semimtl_geo.prepare.archive import Raw, check_folder
from tiles.errors import InputError
from tiles.files import write_text

if TYPE_CHECKING:
    from semimtl_geo.progress import Display

SETTINGS = ".prepare.json"
"""In a domain's folder: the settings that its files were made with."""

SUMMARY = "summary.md"


def prepare(name: str, adapter: Adapter, raw: Path, out: Path) -> list[Path]:
    """Make all that is missing of a data set.

    A run that was stopped is gone on with: finished files stay as they are.

    Args:
        name: What the adapter is called.
        adapter: The adapter.
        raw: Folder of what was downloaded.
        out: Folder of the domains' folders.

    Returns:
        The summary of each domain.

    Raises:
        InputError: Something that the user can mend. Nothing was made of an item that failed.
    """
    from semimtl_geo.progress import Display

    raw, out = raw.absolute(), out.absolute()
    check_folder(raw)
    with _output_faults(out):
        out.mkdir(parents=True, exist_ok=True)
    with _locked(out / f".{name}.lock"), Display() as display:

        def unpacked(archive: str, done: int, total: int) -> None:
            display.show(archive, "MB", done, total, 1e6)

        files = Raw(raw, out / f".{name}.unzipped", unpacked)
        items = adapter.plan(files)
        domains = list(dict.fromkeys(item.domain for item in items))
        for domain in domains:
            with _output_faults(out / domain):
                targets = [target for i in items if i.domain == domain for target in i.targets]
                _check_settings(out / domain, {"adapter": name, **adapter.settings}, targets)
                _check_splits(out / domain, [item for item in items if item.domain == domain])
        for done, item in enumerate(items):
            display.show(name, "items", done, len(items))
            _make(adapter, item, files, out / item.domain)
        display.show(name, "items", len(items), len(items))
        summaries = [_summarise(adapter, out / domain, display) for domain in domains]
        files.close()
    return summaries


def _make(adapter: Adapter, item: Item, files: Raw, folder: Path) -> None:
    """Make one item, if it is not there."""
    targets = [folder / target for target in item.targets]
    if all(target.exists() for target in targets):
        return
    paths = {role: files.path(member) for role, member in item.files.items()}
    with _output_faults(folder):
        for target in targets:
            target.parent.mkdir(parents=True, exist_ok=True)
        adapter.make(item, paths, folder)
    for member in item.files.values():
        files.release(member)


def _summarise(adapter: Adapter, folder: Path, display: Display) -> Path:
    """Write what is in a domain's folder."""

    def read(done: int, total: int) -> None:
        display.show(f"{folder.name}: summary", "files", done, total)

    text = adapter.summary(folder, read)
    with _output_faults(folder):
        write_text(folder / SUMMARY, text)
    return folder / SUMMARY


def _check_settings(folder: Path, settings: Mapping[str, Any], targets: Sequence[str]) -> None:
    """Refuse to mix files of two settings in one folder."""
    wanted = json.loads(json.dumps(settings, default=str))
    file = folder / SETTINGS
    before: Any = None
    begun = False
    if file.exists():
        with suppress(ValueError):
            before = json.loads(file.read_text(encoding="utf-8"))
        if before == wanted:
            return
        # Settings that nothing was made with, as a mistake in them stopped the run, bind nobody.
        begun = any(not made.name.startswith(".") for made in folder.glob("*/*/*"))
    else:
        # Without it, files of these names are none of ours.
        there = next((folder / target for target in targets if (folder / target).exists()), None)
        if there is not None:
            raise InputError(
                there, "is there already", "choose another --out, or remove its folder"
            )
    if not begun:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(file, json.dumps(wanted, indent=2, sort_keys=True) + "\n")
        return
    keys = [] if not isinstance(before, dict) else before.keys() | wanted.keys()
    others = [key for key in sorted(keys) if before.get(key) != wanted.get(key)]
    fault = f"was begun with another {', '.join(others) or 'setting'}"
    raise InputError(folder, fault, "choose another --out, or remove the folder")


def _check_splits(folder: Path, items: Sequence[Item]) -> None:
    """Refuse to make a scene again in another split: it would be learnt and tested on."""
    for item in items:
        for target in item.targets:
            split, _, rest = target.partition("/")
            for other in SPLITS:
                if other != split and (made := folder / other / rest).exists():
                    fault = f"is of an earlier run, but {item.name} belongs to {split} now"
                    raise InputError(made, fault, "choose another --out, or remove the folder")


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Keep other runs away; the system lets go of it however this one ends."""
    with _output_faults(file.parent):
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fault = "is being written to by another run"
            raise InputError(file.parent, fault, "wait for it to end") from None
        yield
    finally:
        os.close(handle)


@contextmanager
def _output_faults(path: Path) -> Iterator[None]:
    from rasterio.errors import RasterioError

    try:
        yield
    except (OSError, RasterioError) as error:
        fault = f"cannot be written to ({error})"
        remedy = "see to rights and free space, and start again, which goes on"
        raise InputError(path, fault, remedy) from error
