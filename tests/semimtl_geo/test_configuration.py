from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from jsonargparse import ArgumentParser

from semimtl_geo.configuration import settings_of, with_bases
from semimtl_geo.consistency import Consistency
from semimtl_geo.data.domains import Domain
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
    assert settings_of(args) == {
        "data.crop": 32,
        "data.root": "data",
        "data.gsd": 0.5,
        "model.system": "jtl",
        "model.encoder.weights": None,
        "model.encoder.name": "a",
    }


@dataclass
class Data:
    domains: dict[str, Domain]
    root: str = "data"


@dataclass
class Model:
    consistency: Consistency


@pytest.mark.parametrize(
    ("more", "domains"),
    [
        ([], {"b"}),
        (["--data.root=elsewhere"], {"b"}),
        (["--data.domains={c: {supervised: [height]}}"], {"c"}),
        (["--data={domains: {c: {supervised: [height]}}}"], {"c"}),
        (["--data.domains.c={supervised: [height]}"], {"b", "c"}),
    ],
)
def test_names_that_are_left_out_are_gone(
    tmp_path: Path, more: list[str], domains: set[str]
) -> None:
    """As where training reads the arguments, which is jsonargparse."""
    (tmp_path / "base.yaml").write_text(
        "data: {domains: {a: {supervised: [landcover]}, b: {supervised: [height], folder: x}}}\n"
        "model: {consistency: {weight: 0.5, heights: {ground: [0, 0], roof: [2, 9]}}}\n"
    )
    own = tmp_path / "own.yaml"
    own.write_text(
        "base: base.yaml\n"
        "data: {domains: {b: {supervised: [height]}}}\n"
        "model: {consistency: {heights: {tree: [1, 9]}}}\n"
    )
    args = [f"--config={own}", *more]
    settings = settings_of(args)
    assert {key.split(".")[2] for key in settings if "domains" in key} == domains
    assert ("data.domains.b.folder" in settings) == ("b" in domains)
    prior = {key: value for key, value in settings.items() if "consistency" in key}
    assert prior == {"model.consistency.weight": 0.5, "model.consistency.heights.tree": [1, 9]}

    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_argument("--base", type=str)
    parser.add_argument("--data", type=Data)
    parser.add_argument("--model", type=Model)
    read = parser.parse_args(with_bases(args))
    assert set(read.data.domains) == domains
    assert all((read.data.domains[name].folder == "x") == (name == "b") for name in domains)
    assert read.model.consistency.heights == {"tree": (1.0, 9.0)}
    assert read.model.consistency.weight == 0.5


def test_text_that_is_no_yaml_is_text() -> None:
    assert settings_of(["--out=a: [", "--x=b"]) == {"out": "a: [", "x": "b"}


def test_what_cannot_be_read(own: Path) -> None:
    with pytest.raises(InputError, match="jtl: is no argument of training"):
        settings_of(["jtl"])
    with pytest.raises(InputError, match="no such configuration"):
        settings_of(["--config", "none.yaml"])
    own.with_name("base.yaml").write_text("base: own.yaml")
    with pytest.raises(InputError, match="bases form a circle"):
        settings_of([f"--config={own}"])
