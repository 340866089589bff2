from __future__ import annotations

from pathlib import Path

import pytest

from semimtl_geo.configuration import settings_of, with_bases
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
