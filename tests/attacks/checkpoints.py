"""Trained networks: model cards with impossible entries, damaged weights, other files."""

from __future__ import annotations

import copy
import math
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.attacks.attack import MAP, Attack

VALUES: dict[str, Any] = {
    "nothing": None,
    "a text": "wide",
    "minus one": -1,
    "zero": 0,
    "1e30": 1e30,
    "2^62": 2**62,
    "infinite": math.inf,
    "NaN": math.nan,
    "a list": [1, 2, 3],
    "a deep list": [[[[1]]]],
    "a tensor": torch.zeros(3),
    "a dictionary": {"a": 1},
}
ENTRIES = (
    ("format",),
    ("system",),
    ("tasks",),
    ("tasks", 0, "name"),
    ("tasks", 0, "classes"),
    ("tasks", 0, "colors"),
    ("tasks", 0, "kind"),
    ("tasks", 1, "scale"),
    ("tasks", 1, "unit"),
    ("tasks", 1, "discriminator_gain"),
    ("domains",),
    ("batchnorm",),
    ("encoder",),
    ("encoder", "name"),
    ("encoder", "output_stride"),
    ("encoder", "options"),
    ("decoder_width",),
    ("bands",),
    ("mean",),
    ("std",),
    ("gsd",),
    ("crop",),
    ("pooling",),
    ("tile",),
    ("overlap",),
    ("white",),
    ("sources",),
    ("discriminator_width",),
)
COMMAND = (*MAP, "ortho.tif")


def rewritten(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """Return what writes the checkpoint anew after a change."""

    def prepare(folder: Path) -> None:
        checkpoint = torch.load(folder / "semimtl.ckpt", weights_only=True)
        change(checkpoint)
        torch.save(checkpoint, folder / "semimtl.ckpt")

    return prepare


def entry(path: tuple[str | int, ...], value: Any) -> Callable[[dict[str, Any]], None]:
    """Return what changes an entry of the model card."""

    def change(checkpoint: dict[str, Any]) -> None:
        card: Any = checkpoint["semimtl_geo"]
        for key in path[:-1]:
            card = card[key]
        card[path[-1]] = value

    return change


def _without(*path: str) -> Callable[[dict[str, Any]], None]:
    def change(checkpoint: dict[str, Any]) -> None:
        part: Any = checkpoint
        for key in path[:-1]:
            part = part[key]
        del part[path[-1]]

    return change


def _weights(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[dict[str, Any]], None]:
    """Change the largest tensor."""

    def apply(checkpoint: dict[str, Any]) -> None:
        weights = checkpoint["state_dict"]
        name = max(weights, key=lambda key: weights[key].numel())
        weights[name] = change(weights[name])

    return apply


def _all_weights(value: float) -> Callable[[dict[str, Any]], None]:
    def apply(checkpoint: dict[str, Any]) -> None:
        for weights in checkpoint["state_dict"].values():
            if weights.is_floating_point():
                weights.fill_(value)

    return apply


class _Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("exploded"),))


def _flip(share: float) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        path = folder / "semimtl.ckpt"
        data = bytearray(path.read_bytes())
        data[int(share * len(data))] ^= 0x10
        path.write_bytes(bytes(data))

    return prepare


def _zeroed(share: float) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        path = folder / "semimtl.ckpt"
        data = bytearray(path.read_bytes())
        start = int(share * len(data))
        data[start : start + 2000] = bytes(len(data[start : start + 2000]))
        path.write_bytes(bytes(data))

    return prepare


def _other(write: Callable[[Path], object]) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        (folder / "semimtl.ckpt").unlink()
        write(folder / "semimtl.ckpt")

    return prepare


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(_Bomb()))
        archive.writestr("../outside", b"x")


OTHERS: dict[str, Callable[[Path], object]] = {
    "a pickle bomb": lambda path: path.write_bytes(pickle.dumps(_Bomb())),
    "a torch bomb": lambda path: torch.save(_Bomb(), path),
    "a zipped bomb": _zip,
    "a numpy array": lambda path: path.write_bytes(np.zeros(9).tobytes()),
    "an empty file": lambda path: path.touch(),
    "text": lambda path: path.write_text("no network", encoding="utf-8"),
    "a list": lambda path: torch.save([1, 2], path),
    "a number": lambda path: torch.save(7, path),
    "a folder": lambda path: path.mkdir(),
    "a link to itself": lambda path: path.symlink_to(path.name),
}
CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "NaN weights": _all_weights(math.nan),
    "infinite weights": _all_weights(math.inf),
    "weights of 1e30": _all_weights(1e30),
    "weights of 0": _all_weights(0.0),
    "one NaN": _weights(
        lambda w: torch.where(torch.arange(w.numel()).view_as(w) == 5, math.nan, w)
    ),
    "another shape": _weights(lambda w: w.flatten()),
    "integers": _weights(lambda w: w.long()),
    "complex": _weights(lambda w: w.to(torch.complex64)),
    "half precision": _weights(lambda w: w.half()),
    "sparse": _weights(lambda w: w.to_sparse()),
    "meta": _weights(lambda w: w.to("meta")),
    "an expanded number": _weights(lambda w: torch.zeros(1).expand(w.shape)),
    "no weights": _without("state_dict"),
    "no card": _without("semimtl_geo"),
    "weights of a text": lambda checkpoint: checkpoint.update(state_dict="none"),
    "a card of a list": lambda checkpoint: checkpoint.update(semimtl_geo=[1]),
    "a tile larger than any": entry(("tile",), 8000),
    "output stride 7": entry(("encoder", "output_stride"), 7),
    "an option of timm": entry(("encoder", "options"), {"pretrained_cfg": {"file": "x"}}),
    "an option that loads": entry(("encoder", "options"), {"checkpoint_path": "ortho.tif"}),
    "a foreign option": entry(("encoder", "options"), {"nonsense": 3}),
    "a hub's encoder": entry(("encoder", "name"), "tu-hf_hub:timm/resnet18"),
    "names with control characters": entry(("tasks", 0, "classes"), ["a\n", "\x1b[31m", *"cdef"]),
    "a name of a path": entry(("tasks", 0, "name"), "../../landcover"),
    "an empty name": entry(("tasks", 1, "name"), ""),
    "two tasks of one name": entry(("tasks", 1, "name"), "landcover"),
    "one domain twice": entry(("domains",), ["city_a", "city_a"]),
    "a million domains": entry(("domains",), [str(number) for number in range(1_000_000)]),
    "a colour of 999": entry(("tasks", 0, "colors"), [[999, 0, 0]] * 6),
    "a class too many": entry(("tasks", 0, "classes"), list("abcdefg")),
    "no bands": entry(("bands",), []),
    "bands of numbers": entry(("bands",), [1, 2, 3]),
    "a gsd of 1e-9": entry(("gsd",), 1e-9),
    "a gsd of 1e9": entry(("gsd",), 1e9),
    "a white of 1e-30": entry(("white",), 1e-30),
}


def attacks() -> Iterator[Attack]:
    """Yield cards, weights, bytes and other files."""
    for path in ENTRIES:
        for name, value in VALUES.items():
            where = ".".join(map(str, path))
            change = entry(path, copy.deepcopy(value))
            yield Attack(f"card: {where} is {name}", COMMAND, rewritten(change))
    for name, change in CHANGES.items():
        yield Attack(f"content: {name}", COMMAND, rewritten(change))
    for percent in range(1, 100, 7):
        yield Attack(f"a flipped bit at {percent} %", COMMAND, _flip(percent / 100))
        yield Attack(f"2000 zeros at {percent} %", COMMAND, _zeroed(percent / 100))
    for name, write in OTHERS.items():
        yield Attack(f"file: {name}", COMMAND, _other(write))
