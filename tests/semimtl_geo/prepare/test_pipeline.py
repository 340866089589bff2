from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from semimtl_geo.commands.prepare import add_arguments, run
from semimtl_geo.prepare.isprs import common as official
from semimtl_geo.prepare.isprs import potsdam
from semimtl_geo.prepare.isprs.potsdam import Potsdam
from semimtl_geo.prepare.options import options_of
from semimtl_geo.prepare.pipeline import prepare
from semimtl_geo.prepare.registry import REGISTRY
from tests.semimtl_geo.prepare.isprs.archives import contents, potsdam_scene
from tiles.errors import InputError, MissingFileError

SCENES = ("2_10", "2_11", "2_12")
ADAPTER = Potsdam(val=("2_11",))


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(potsdam, "TRAIN", SCENES[:2])
    monkeypatch.setattr(potsdam, "TEST", SCENES[2:])
    for seed, scene in enumerate(SCENES):
        potsdam_scene(tmp_path / "raw", scene, seed)
    return tmp_path / "raw"


def parsed(*args: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(args)


def test_command(raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = raw.parent / "out"
    run(parsed("potsdam", f"--raw={raw}", f"--out={out}", "--val=2_11", "--gsd=0.1"))
    printed = capsys.readouterr()
    assert printed.out.startswith((out / "potsdam" / "summary.md").read_text())
    assert printed.out.rstrip().endswith(str(out / "potsdam"))
    assert "| 3/3 [" in printed.err
    settings = json.loads((out / "potsdam" / ".prepare.json").read_text())
    assert settings == {
        "adapter": "potsdam",
        "gsd": 0.1,
        "heights": "lastools",
        "labels": "full",
        "val": ["2_11"],
    }


@pytest.mark.parametrize("name", REGISTRY)
def test_options_come_from_the_dataclass(name: str) -> None:
    args = vars(parsed(name, "--raw=a", "--out=b"))
    adapter = REGISTRY[name].load()
    declared = {field: default for field, _, default in options_of(adapter)}
    assert {field: args[field] for field in declared} == declared
    assert adapter(**declared) == adapter()
    with pytest.raises(SystemExit) as stop:
        parsed(name, "--help")
    assert stop.value.code == 0


@pytest.mark.parametrize("writes", range(1, 9))
def test_a_killed_run_is_continued(raw: Path, monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    """It is killed while it writes each of the nine files."""
    left = writes
    whole = raw.parent / "whole"
    prepare("potsdam", ADAPTER, raw, whole)

    class KilledError(BaseException):
        pass

    def kill_in(name: str) -> None:
        real = getattr(official, name)

        def write(*args: object) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                real(*args)
                target = args[0]
                assert isinstance(target, Path)
                target.replace(target.with_name(f".{target.stem}.part.tif"))
                raise KilledError
            real(*args)

        patch.setattr(official, name, write)

    out = raw.parent / "out"
    with monkeypatch.context() as patch:
        for name in ("write_image", "write_landcover", "write_height"):
            kill_in(name)
        with pytest.raises(KilledError):
            prepare("potsdam", ADAPTER, raw, out)
    finished = {file: file.stat().st_mtime_ns for file in out.rglob("[!.]*.tif")}
    assert len(finished) == writes - 1
    prepare("potsdam", ADAPTER, raw, out)
    assert contents(out / "potsdam") == contents(whole / "potsdam")
    assert all(file.stat().st_mtime_ns == time for file, time in finished.items())


def test_a_second_run_writes_nothing(raw: Path) -> None:
    out = raw.parent / "out"
    prepare("potsdam", ADAPTER, raw, out)
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*.tif")}
    text = (out / "potsdam" / "summary.md").read_text()
    prepare("potsdam", ADAPTER, raw, out)
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*.tif")} == before
    assert (out / "potsdam" / "summary.md").read_text() == text


def test_other_settings_are_refused(raw: Path) -> None:
    out = raw.parent / "out"
    prepare("potsdam", ADAPTER, raw, out)
    with pytest.raises(
        InputError,
        match=r"potsdam: was begun with other settings \(gsd: 0.09, now 0.1\); choose another",
    ):
        prepare("potsdam", Potsdam(val=("2_11",), gsd=0.1), raw, out)


def test_settings_of_a_run_that_made_nothing_can_change(raw: Path) -> None:
    """An error that stopped the first run can be corrected."""
    label = next(raw.rglob("top_potsdam_2_10_label.tif"))
    whole = label.read_bytes()
    label.write_bytes(whole[:60])
    out = raw.parent / "out"
    with pytest.raises(InputError, match="cannot be read"):
        prepare("potsdam", ADAPTER, raw, out)
    label.write_bytes(whole)
    other = Potsdam(val=("2_11",), gsd=0.1)
    prepare("potsdam", other, raw, out)
    assert json.loads((out / "potsdam" / ".prepare.json").read_text())["gsd"] == 0.1
    prepare("potsdam", other, raw, raw.parent / "straight")
    assert contents(out / "potsdam") == contents(raw.parent / "straight" / "potsdam")


def test_foreign_files_are_not_touched(raw: Path) -> None:
    out = raw.parent / "out"
    mine = out / "potsdam" / "test" / "image" / "potsdam_2_12.tif"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(InputError, match=r"potsdam_2_12\.tif: exists already"):
        prepare("potsdam", ADAPTER, raw, out)
    assert mine.read_text() == "mine"


def test_two_runs_at_once(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other(*args: object) -> None:
        with pytest.raises(InputError, match="is being written to by another run"):
            prepare("potsdam", ADAPTER, raw, raw.parent / "out")
        raise InputError("first", "ended", "here")

    monkeypatch.setattr(Potsdam, "make", other)
    with pytest.raises(InputError, match="first: ended"):
        prepare("potsdam", ADAPTER, raw, raw.parent / "out")


def test_no_raw_files(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="raw: does not exist"):
        prepare("potsdam", ADAPTER, tmp_path / "raw", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "raw").mkdir()
    with pytest.raises(InputError, match=r"top_potsdam_2_10_IRRG\.tif: is missing"):
        prepare("potsdam", Potsdam(), tmp_path / "raw", tmp_path / "out")


def test_out_is_a_file(raw: Path) -> None:
    (raw.parent / "out").touch()
    with pytest.raises(InputError, match="out: cannot be written"):
        prepare("potsdam", ADAPTER, raw, raw.parent / "out")
