"""Splits of a user's own scenes: by lists of names, or by shares."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from semimtl_geo.prepare.adapter import SPLITS
from semimtl_geo.prepare.own.schema import SplitSettings
from tiles.errors import InvalidValueError


def assign_splits(file: Path, split: SplitSettings, scenes: Sequence[str]) -> dict[str, str]:
    """Return the split of each scene, by lists or by shares.

    Args:
        file: The YAML file, which error messages name.
        split: The setting, lists or shares.
        scenes: Names of the scenes.

    Raises:
        InvalidValueError: If the lists name a scene that does not exist, or leave one out.
    """
    if split.shares:
        return _split_by_shares(split, scenes)
    listed = {scene: name for name, part in split.names.items() for scene in part}
    for scene in listed:
        if scene not in scenes:
            fault = f"its split names {scene}, but no scene has this name"
            raise InvalidValueError(file, fault, "correct its name")
    for scene in scenes:
        if scene not in listed:
            fault = f"its split leaves out scene {scene}"
            remedy = "add it to train, val or test, or remove its files"
            raise InvalidValueError(file, fault, remedy)
    return {scene: listed[scene] for scene in scenes}


def _split_by_shares(split: SplitSettings, scenes: Sequence[str]) -> dict[str, str]:
    """Return the split of each scene by shares.

    Scenes are ordered by a hash of seed and name, so that most of them keep their split when a
    scene is added.
    """
    order = sorted(
        scenes, key=lambda name: hashlib.sha256(f"{split.seed}:{name}".encode()).digest()
    )
    ends, total = {}, 0.0
    for name in SPLITS:
        total += split.shares.get(name, 0.0)
        ends[name] = round(total * len(order))
    # Few scenes must not be rounded to none for training.
    ends["train"] = max(ends["train"], 1 if split.shares.get("train") else 0)
    starts = dict(zip(SPLITS, [0, *ends.values()], strict=False))
    chosen = {scene: name for name in SPLITS for scene in order[starts[name] : ends[name]]}
    return {scene: chosen[scene] for scene in scenes}
