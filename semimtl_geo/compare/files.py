"""JSON files of a comparison: each appears whole, and a damaged one counts as none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tiles.aside import write_text
from tiles.errors import InputError


def read_json(path: Path) -> dict[str, Any]:
    """A file of ours; empty if there is none, or it is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file, whole or not at all.

    Raises:
        InputError: If it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(content, indent=1, default=str) + "\n")
    except OSError as error:
        fault = f"cannot be written ({error.strerror})"
        raise InputError(path, fault, "choose another --out") from error
