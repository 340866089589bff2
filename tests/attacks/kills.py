"""Kills at random moments: a command that is started again ends with the same bytes or weights."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from tests.attacks.attack import MAP
from tests.attacks.rasters import TRAIN

TINY = (
    "--data.crop=32",
    "--data.batch_size=1",
    "--data.iterations=4",
    "--model.encoder.options={channels: [8, 8, 16, 16], stem_width: 8}",
    "--model.decoder_width=16",
    "--model.discriminator_width=4",
    "--trainer.max_epochs=2",
    "--trainer.accelerator=cpu",
    "--trainer.limit_val_batches=0",
)


def files_digest(folder: Path) -> str:
    """Return a digest of the names and bytes of all GeoTIFFs that are not hidden."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.tif")):
        if not any(part.startswith(".") for part in path.relative_to(folder).parts):
            digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()


def weights_digest(folder: Path) -> str:
    """Return a digest of the weights in all finished checkpoints."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.ckpt")):
        for name, value in torch.load(path, weights_only=True)["state_dict"].items():
            digest.update(f"{path.relative_to(folder)} {name}".encode() + value.numpy().tobytes())
    return digest.hexdigest()


COMMANDS: dict[str, tuple[tuple[str, ...], str, Callable[[Path], str]]] = {
    "map": ((*MAP, "ortho.tif", "--tile", "32", "--overlap", "24"), "maps", files_digest),
    "prepare": (("prepare", "folder", "--raw", "raw", "--out", "made"), "made", files_digest),
    "train": ((*TRAIN, *TINY, "--checkpoint.every=1"), "run", weights_digest),
    "compare": (
        ("compare", "cities", "--root", "data", "--out", "made", "--systems", "jtl", "--", *TINY),
        "made",
        weights_digest,
    ),
}
"""Command, the folder that it writes, and a digest of what is in it."""

Run = Callable[[tuple[str, ...], Path, float], int | None]
"""Runs a command in a folder for some seconds at most: its exit code, or None if it was killed."""


def kills(files: Path, scratch: Path, run: Run, moments: int) -> Iterator[tuple[str, str | None]]:
    """Yield each command and moment with what went wrong, or None.

    Args:
        files: Folder of good files.
        scratch: Folder for copies of it.
        run: Function that runs a command and kills it after some seconds.
        moments: Number of random moments per command.
    """
    rng = np.random.default_rng(0)
    for name, (command, written, digest) in COMMANDS.items():
        folder = scratch / "undisturbed"
        shutil.copytree(files, folder)
        started = time.monotonic()
        code = run(command, folder, 600)
        lasted = time.monotonic() - started
        wanted = digest(folder / written)
        shutil.rmtree(folder)
        if code != 0:
            yield f"{name}, undisturbed", f"exit code {code}"
            continue
        for number in range(moments):
            moment = float(rng.uniform(0, lasted))
            shutil.copytree(files, folder)
            run(command, folder, moment)
            code = run(command, folder, 600)
            fault = None
            if code != 0:
                fault = f"exit code {code} when it was started again"
            elif digest(folder / written) != wanted:
                fault = "other bytes than those of an undisturbed run"
            shutil.rmtree(folder)
            yield f"{name}, killed after {moment:.2f} s, {number + 1} of {moments}", fault
