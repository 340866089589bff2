from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonargparse import ArgumentParser

from semimtl_geo.data.domain import Domain
from semimtl_geo.learning.consistency import Consistency
from semimtl_geo.networks.encoder import Encoder
from semimtl_geo.training.configuration import parse_settings, with_bases
from tiles.errors import InputError


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text("data: {crop: 384, root: data}\nmodel: {system: jtl}\n")
    (tmp_path / "middle.yaml").write_text("base: base.yaml\ndata: {crop: 256}\n")
    own = tmp_path / "own.yaml"
    own.write_text("base: middle.yaml\nmodel: {encoder: {weights: null}}\n")
    return own


def test_bases_stand_in_front(own: Path) -> None:
    args = with_bases(["--out=x", f"--config={own}", "--config", str(own.with_name("base.yaml"))])
    assert args[0] == "--out=x"
    names = [Path(arg).name for arg in args[2::2]]
    assert names == ["base.yaml", "middle.yaml", "own.yaml", "base.yaml"]


def test_what_stands_later_counts(own: Path) -> None:
    args = [f"--config={own}", "--data.crop=32", "--data.gsd", "0.5", "--model.encoder={name: a}"]
    assert parse_settings(args) == {
        "data.crop": 32,
        "data.root": "data",
        "data.gsd": 0.5,
        "model.system": "jtl",
        "model.encoder.weights": None,
        "model.encoder.name": "a",
    }


class Kind:
    """A task of a user."""

    def __init__(self, name: str, weight: float = 1.0) -> None:
        self.name, self.weight = name, weight


class Other(Kind):
    """Another."""


@dataclass
class Data:
    domains: dict[str, Domain] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    root: str = "data"


@dataclass
class Model:
    consistency: Consistency | None = None
    encoder: Encoder = field(default_factory=Encoder)
    tasks: list[Kind] = field(default_factory=list)


BASE = """
data:
  domains: {a: {supervised: [landcover]}, b: {supervised: [height], folder: x}}
  labels: {landcover: classes, height: values}
model:
  consistency: {weight: 0.5, heights: {ground: [0, 0], roof: [2, 9]}}
  encoder: {options: {depth: {a: 1}, width: 2}}
  tasks:
    - {class_path: KIND, init_args: {name: one, weight: 5}}
    - {class_path: KIND, init_args: {name: two, weight: 6}}
"""


@pytest.mark.parametrize(
    "later",
    [
        "data: {domains: {b: {supervised: [height, landcover]}}}",
        "data: {domains: {b: {supervised: [height]}, c: {supervised: []}}, root: elsewhere}",
        "data: {labels: {height: values}}",
        "data: {root: elsewhere}",
        "data: {}",
        "data.root: elsewhere",
        "model: {consistency: {heights: {tree: [1, 9], roof: [3, 9]}}}",
        "model: {consistency: null}",
        "model: {consistency: {tolerance: 1}}",
        "model: {encoder: {options: {depth: {b: 2}}}}",
        "model: {encoder: {name: resnet50}}",
        "model: {tasks: [{class_path: KIND, init_args: {name: three}}]}",
        "model: {tasks: [{class_path: KIND, init_args: {name: b}}, {class_path: KIND}]}",
        "model: {tasks: [{class_path: KIND, init_args: {name: b}}, {class_path: OTHER}]}",
    ],
)
@pytest.mark.parametrize(
    "more",
    [
        [],
        ["--data.root=there", "--model.encoder.options={f: 1}"],
        ["--data.domains={c: {supervised: [height]}}"],
        ["--data={domains: {c: {supervised: [height]}}}"],
        ["--data.domains.c={supervised: [height]}"],
        ["--model.consistency={heights: {grass: [0, 0]}}"],
    ],
    ids=["", "two", "domains", "data", "domain", "prior"],
)
def test_what_is_said_in_all_is_what_training_reads(
    tmp_path: Path, later: str, more: list[str]
) -> None:
    """The settings in one file are to jsonargparse what the arguments are, one after the other."""
    base, own, whole = (tmp_path / f"{name}.yaml" for name in ("base", "own", "whole"))
    kinds = {"KIND": f"{__name__}.Kind", "OTHER": f"{__name__}.Other"}
    for file, text in ((base, BASE), (own, f"base: base.yaml\n{later}\n")):
        for short, path in kinds.items():
            text = text.replace(short, path)
        file.write_text(text)
    args = [f"--config={own}", *more]
    nested: dict[str, Any] = {}
    for name, value in parse_settings(args).items():
        *groups, leaf = name.split(".")
        inner = nested
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[leaf] = value
    whole.write_text(yaml.safe_dump(nested))

    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_argument("--base", type=str)
    parser.add_argument("--data", type=Data)
    parser.add_argument("--model", type=Model)
    read, at_once = (parser.parse_args(list(a)) for a in (with_bases(args), [f"--config={whole}"]))
    assert read.data == at_once.data
    assert read.model == at_once.model


def test_names_that_are_left_out_are_gone(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    own = tmp_path / "own.yaml"
    own.write_text(
        "base: base.yaml\ndata: {domains: {b: {supervised: [landcover]}}, labels: {height: values}}"
    )
    settings = parse_settings([f"--config={own}"])
    assert {key: value for key, value in settings.items() if key.startswith("data")} == {
        "data.domains.b.supervised": ["landcover"],
        "data.domains.b.folder": "x",
        "data.labels.height": "values",
    }


def test_text_that_is_no_yaml_is_text() -> None:
    assert parse_settings(["--out=a: [", "--x=b"]) == {"out": "a: [", "x": "b"}


def test_what_cannot_be_read(own: Path) -> None:
    with pytest.raises(InputError, match="jtl: is not an argument of training"):
        parse_settings(["jtl"])
    with pytest.raises(InputError, match="no such configuration"):
        parse_settings(["--config", "none.yaml"])
    own.with_name("base.yaml").write_text("base: own.yaml")
    with pytest.raises(InputError, match="bases form a circle"):
        parse_settings([f"--config={own}"])
