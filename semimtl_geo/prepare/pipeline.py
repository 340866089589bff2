"""Pipeline that all adapters share: raw files become the folders of domains."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from semimtl_geo.prepare.adapter import SPLITS, Adapter, Item
from semimtl_geo.prepare.archive import RawFolder, check_folder
from tiles.errors import InputError
from tiles.files import locked, write_errors, write_text
from tiles.settings import changed_settings, check_same_settings, to_json

if TYPE_CHECKING:
    from semimtl_geo.progress import Display, Style

SETTINGS: Final = ".prepare.json"
"""File in a domain's folder that holds the settings of the run that began it."""

SUMMARY: Final = "summary.md"

ANOTHER_OUT: Final = "choose another --out, or remove the folder"


def prepare(
    name: str, adapter: Adapter, raw: Path, out: Path, progress: Style = "bar"
) -> list[Path]:
    """Make the scenes or frames of a data set that do not exist yet.

    A run that was stopped is continued; finished files stay as they are.

    Args:
        name: Name of the adapter.
        adapter: The adapter.
        raw: Folder of what was downloaded.
        out: Folder for the domains' folders; it is created if necessary.
        progress: Style in which progress is shown.

    Returns:
        Absolute path of each domain's summary.

    Raises:
        InputError: If raw files are missing or damaged, `out` cannot be written to, or files there
            come from other settings. No target of an item that failed exists.

    Example:
        >>> from semimtl_geo.prepare.own import Folder
        >>> for name in ("a", "b"):
        ...     target = Path(f"raw/image/{name}.tif")
        ...     target.parent.mkdir(parents=True, exist_ok=True)
        ...     _ = target.write_bytes(Path("ortho.tif").read_bytes())
        >>> _ = Path("raw/scenes.yaml").write_text("split: {train: [a], test: [b]}")
        >>> [file.name for file in prepare("folder", Folder(), Path("raw"), Path("out"))]
        ['summary.md']
        >>> sorted(file.as_posix() for file in Path("out/raw").rglob("*.tif"))
        ['out/raw/test/image/b.tif', 'out/raw/train/image/a.tif']
    """
    from semimtl_geo.progress import make_display

    raw, out = raw.absolute(), out.absolute()
    check_folder(raw)
    with _output_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    lock = locked(out / f".{name}.lock", out, "wait until it ends")
    with lock, make_display(progress) as display:

        def show_unzipped(archive: str, done: int, total: int) -> None:
            display.show(archive, "B", done, total)

        files = RawFolder(raw, out / f".{name}.unzipped", show_unzipped)
        items = adapter.plan(files)
        domains = list(dict.fromkeys(item.domain for item in items))
        for domain in domains:
            with _output_errors(out / domain):
                of_domain = [item for item in items if item.domain == domain]
                _check_settings(out / domain, {"adapter": name, **adapter.settings}, of_domain)
                _check_splits(out / domain, of_domain)
        for done, item in enumerate(items):
            display.show(name, "items", done, len(items))
            _make(adapter, item, files, out / item.domain)
        display.show(name, "items", len(items), len(items))
        summaries = [_summarize(adapter, out / domain, display) for domain in domains]
        files.close()
    return summaries


def _make(adapter: Adapter, item: Item, files: RawFolder, folder: Path) -> None:
    """Make one item unless all of its targets exist."""
    targets = [folder / target for target in item.targets]
    if all(target.exists() for target in targets):
        return
    paths = {role: files.local_path(file) for role, file in item.files.items()}
    with _output_errors(folder):
        for target in targets:
            target.parent.mkdir(parents=True, exist_ok=True)
        adapter.make(item, paths, folder)
    for file in item.files.values():
        files.release(file)


def _summarize(adapter: Adapter, folder: Path, display: Display) -> Path:
    """Write the summary of a domain."""

    def show_read(done: int, total: int) -> None:
        display.show(f"{folder.name}: summary", "files", done, total)

    text = adapter.summary(folder, show_read)
    with _output_errors(folder):
        write_text(folder / SUMMARY, text)
    return folder / SUMMARY


def _check_settings(folder: Path, settings: Mapping[str, Any], items: Sequence[Item]) -> None:
    """Record the settings of a domain, or refuse to mix files of two settings in one folder."""
    file = folder / SETTINGS
    before: dict[str, Any] = {}
    if file.exists():
        with suppress(ValueError, TypeError):  # settings that cannot be read differ from all others
            before = dict(json.loads(file.read_text(encoding="utf-8")))
        if not changed_settings(before, settings):
            return
        # An error stopped the earlier run before it made a file: its settings do not matter.
        if any(not made.name.startswith(".") for made in folder.glob("*/*/*")):
            check_same_settings(folder, before, settings, remedy=ANOTHER_OUT)
    else:
        # Without recorded settings, the files are not ours.
        targets = [folder / target for item in items for target in item.targets]
        if (foreign := next((target for target in targets if target.exists()), None)) is not None:
            raise InputError(
                foreign, "exists already", "choose another --out, or remove its folder"
            )
    folder.mkdir(parents=True, exist_ok=True)
    write_text(file, json.dumps(to_json(settings), indent=2, sort_keys=True) + "\n")


def _check_splits(folder: Path, items: Sequence[Item]) -> None:
    """Refuse to make a scene in a second split, where it would be trained and tested on."""
    for item in items:
        for target in item.targets:
            split, _, rest = target.partition("/")
            for other in SPLITS:
                if other != split and (made := folder / other / rest).exists():
                    fault = f"was made by an earlier run, but {item.name} is in {split} now"
                    raise InputError(made, fault, ANOTHER_OUT)


def _output_errors(path: Path) -> AbstractContextManager[None]:
    """Raise an :class:`InputError` if an output folder cannot be written to."""
    return write_errors(path, "check permissions and free space, and start again to continue")
