"""Splits of scenes into training, validation and test: by lists of names, or by shares."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

from pydantic import ConfigDict, Field, StrictInt, StrictStr
from pydantic.dataclasses import dataclass

from semimtl_geo.prepare.adapter import SPLITS
from tiles.errors import InvalidValueError

DEFAULT_SHARES: Final = {"train": 0.7, "val": 0.1, "test": 0.2}

Share = Annotated[float, Field(strict=True, allow_inf_nan=False)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SplitSettings:
    """Names of the scenes of each split, or their share.

    Attributes:
        train: Names of the scenes for training, or their share.
        val: Names of the scenes for validation, or their share.
        test: Names of the scenes for testing, or their share.
        seed: Seed of a split by shares.
    """

    train: tuple[StrictStr, ...] | Share | None = None
    val: tuple[StrictStr, ...] | Share | None = None
    test: tuple[StrictStr, ...] | Share | None = None
    seed: StrictInt = 0

    def __post_init__(self) -> None:
        """Check that there are lists only, or shares that sum to 1."""
        if self.names and self.shares:
            raise ValueError("must be lists or shares, not both")
        counts = Counter(name for part in self.names.values() for name in part)
        if counts and (most := counts.most_common(1)[0])[1] > 1:
            raise ValueError(f"has {most[0]} twice")
        shares = self.shares.values()
        if shares and (min(shares) < 0 or abs(sum(shares) - 1) > 1e-6):
            raise ValueError("must have shares that sum to 1")

    @property
    def given(self) -> dict[str, tuple[str, ...] | float]:
        """Return what the file says of each split that it names."""
        parts = {split: getattr(self, split) for split in SPLITS}
        return {split: part for split, part in parts.items() if part is not None}

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """Return the names of the scenes of the splits that list them."""
        return {split: part for split, part in self.given.items() if isinstance(part, tuple)}

    @property
    def shares(self) -> dict[str, float]:
        """Return the shares of the splits; the default ones if nothing is given."""
        given = self.given or DEFAULT_SHARES
        return {split: part for split, part in given.items() if isinstance(part, int | float)}


def assign_splits(file: Path, split: SplitSettings, scenes: Sequence[str]) -> dict[str, str]:
    """Return the split of each scene, by lists or by shares.

    Args:
        file: The YAML file, which error messages name.
        split: Shares or lists of names.
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
