"""All scenarios at their smallest, each with some of the systems, and how a comparison goes on."""

from __future__ import annotations

import argparse
import copy
import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lightning.pytorch import Callback
from PIL import Image

from semimtl_geo.cli import main
from semimtl_geo.commands import compare as compare_command
from semimtl_geo.compare import runs as runs_module
from semimtl_geo.compare import scoring, timing
from semimtl_geo.compare.comparison import Comparison, Run
from semimtl_geo.compare.paper_tables import TABLES
from semimtl_geo.compare.parallel_runs import run_one
from semimtl_geo.compare.runs import check_runs, train_run
from semimtl_geo.compare.scenario import find_scenario
from semimtl_geo.compare.scoring import REESTIMATED
from semimtl_geo.compare.table import COLUMNS
from semimtl_geo.learning.systems import SYSTEMS
from tests.semimtl_geo.miniature import TINY, write_data
from tiles.errors import InputError
from tiles.files import locked

UNSEEN = {
    "cities": {"stl_seg": "city_b", "stl_depth": "city_a"},
    "cross_dataset": {"stl_seg": "vaihingen"},
    "cross_domain": {"stl_depth": "cityscapes"},
}
"""Where a single-task network meets a domain that it never saw."""


def compare(*args: str) -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    command = commands.add_parser("compare")
    compare_command.add_arguments(command)
    compare_command.run(parser.parse_args(["compare", *args]))


@pytest.mark.parametrize(
    ("name", "systems"),
    [
        ("cities", ["stl_seg", "stl_depth", "semimtl_m3"]),
        ("cross_city", ["semimtl"]),
        ("cross_dataset", ["stl_seg"]),
        ("cross_domain", ["stl_depth"]),
        ("towns", ["jtl"]),
    ],
)
def test_scenario(
    name: str,
    systems: Sequence[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_data(name, tmp_path / "data")
    out = tmp_path / "out"
    chosen = f"--systems={','.join(systems)}"
    args = [name, f"--root={tmp_path / 'data'}", f"--out={out}", chosen, "--", *TINY]
    compare(*args)
    scenario = find_scenario(name)

    printed = capsys.readouterr().out
    table = (out / "table.md").read_text(encoding="utf-8")
    with (out / "table.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    ours = {(row["domain"], row["method"]): row for row in lines if row["source"] == "measured"}
    controls = {
        (domain, SYSTEMS[system].title + REESTIMATED)
        for system, domain in UNSEEN.get(name, {}).items()
    }
    titles = {SYSTEMS[system].title for system in systems}
    assert set(ours) == {(d, title) for d in scenario.evaluate for title in titles} | controls
    for (_, method), row in ours.items():
        both = method in {"JTL", "SemiSD", "SemiMTL", "SemiMTL (M1)", "SemiMTL (M3)"}
        assert (row["mIoU"] != "") == (both or "Seg" in method)
        assert (row["RMSE"] != "") == (both or "Depth" in method)
        assert method in printed
        assert method in table
    assert "classes" in table or titles == {"STL_Depth"}

    paper = TABLES.get(scenario.table or 0)
    quoted = [row for row in lines if row["source"] == "paper"]
    assert len(quoted) == (len(paper.rows) if paper else 0)
    assert ("of the paper, as printed" in table) == (paper is not None)
    for row, line in zip(quoted, paper.rows if paper else (), strict=True):
        assert [row[c] for c in COLUMNS] == [c if c not in "-?" else "" for c in line.cells()]
    latex = (out / "table.tex").read_text(encoding="utf-8")
    assert latex.count(r"\begin{table}") == 1 + bool(paper)

    page = (out / "report.html").read_text(encoding="utf-8")
    assert all(f">{title}<" in page for title in titles)
    for domain in scenario.evaluate:
        thumbnails = []
        for kind in ("panels", "errors"):
            with Image.open(out / f"{kind}_{domain}.png") as picture:
                thumbnails.append(np.asarray(picture))
        assert thumbnails[0].shape == thumbnails[1].shape
        assert (thumbnails[0] != thumbnails[1]).any()

    if name == "cross_city":
        started_again(args, out, monkeypatch)


def started_again(args: list[str], out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is trained or mapped, and the table is the same."""
    table = (out / "table.md").read_text(encoding="utf-8")

    def fail(*args: object, **kwargs: object) -> None:
        raise AssertionError

    monkeypatch.setattr(runs_module, "train", fail)
    monkeypatch.setattr(scoring, "evaluate", fail)
    compare(*args)
    assert (out / "table.md").read_text(encoding="utf-8") == table


@pytest.fixture
def comparison(tmp_path: Path) -> Comparison:
    write_data("cross_city", tmp_path / "data")
    return Comparison(
        find_scenario("cross_city"), tmp_path / "data", tmp_path / "out", overrides=TINY
    )


def say(*args: object) -> None:
    pass


def test_an_interrupted_run_goes_on(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training stops half way, then it ends, then evaluation stops."""
    given: list[list[str]] = []
    stop_training, stop_evaluation = True, True
    folder = comparison.folder(Run("jtl"))

    def train(args: Sequence[str], callbacks: object) -> Path:
        given.append([arg for arg in args if arg.startswith("--resume")])
        (folder / "last.ckpt").touch()
        if stop_training:
            raise KeyboardInterrupt
        return (folder / "last.ckpt").replace(folder / "jtl.ckpt")

    class Network:
        class card:  # noqa: N801
            domains = ("cityscapes", "cityscapes_extra")
            batchnorm = "per_domain"
            tasks = ()

        @staticmethod
        def load(checkpoint: Path) -> Network:
            assert checkpoint.is_file()
            return Network()

    def evaluate(
        mapper: object, scenes: Path, maps: Path, *args: object, **kwargs: object
    ) -> object:
        if stop_evaluation:
            raise KeyboardInterrupt
        maps.mkdir(parents=True)
        for name in ("mainz_000000_000019", "other"):
            (maps / f"{name}_depth.tif").touch()
        return {"depth": {"RMSE": 1.5}}

    monkeypatch.setattr(runs_module, "train", train)
    monkeypatch.setattr(scoring, "Mapper", Network)
    monkeypatch.setattr(scoring, "evaluate", evaluate)
    with pytest.raises(KeyboardInterrupt):
        run_one(Run("jtl"), comparison, say)
    stop_training = False
    with pytest.raises(KeyboardInterrupt):
        run_one(Run("jtl"), comparison, say)
    stop_evaluation = False
    outcome = run_one(Run("jtl"), comparison, say)
    assert given == [[], [f"--resume={folder / 'last.ckpt'}"]]
    # A scene that was added is mapped, and nothing is trained again.
    new = comparison.images("cityscapes")[0].with_name("mainz_000001_000019.png")
    new.write_bytes(comparison.images("cityscapes")[0].read_bytes())
    stop_evaluation = True
    with pytest.raises(KeyboardInterrupt):
        run_one(Run("jtl"), comparison, say)
    assert len(given) == 2
    new.unlink()
    assert [row.scores for row in outcome.rows] == [{"RMSE": 1.5}]
    # Of the maps, those that the figures show are kept.
    maps = comparison.maps("JTL", 0, "cityscapes")
    assert [file.name for file in maps.iterdir()] == ["mainz_000000_000019_depth.tif"]


def test_a_run_with_other_settings_is_refused(comparison: Comparison) -> None:
    folder = comparison.folder(Run("jtl"))
    folder.mkdir(parents=True)
    (folder / "last.ckpt").touch()
    now = runs_module.parse_settings(comparison.arguments(Run("jtl")))
    idle = copy.deepcopy(now)
    idle["data"]["workers"] = 3
    idle["checkpoint"]["every"] = 7
    idle["trainer"]["log_every_n_steps"] = 9
    (folder / "run.json").write_text(json.dumps({"settings": idle, "seconds": 1.0}))
    check_runs(comparison, [Run("jtl")])
    moved = {**now, "data": now["data"] | {"root": "/before"}}
    (folder / "run.json").write_text(json.dumps({"settings": moved, "seconds": 1.0}))
    with pytest.raises(InputError, match=r"data.root: /before, now .*link them to their old place"):
        check_runs(comparison, [Run("jtl")])
    then = {**idle, "data": idle["data"] | {"crop": 64}}
    (folder / "run.json").write_text(json.dumps({"settings": then, "seconds": 1.0}))
    check_runs(comparison, [Run("semimtl")])
    with pytest.raises(
        InputError, match=r"seed_0: was begun with other settings \(data.crop: 64, n"
    ):
        check_runs(comparison, [Run("semimtl"), Run("jtl")])
    (folder / "run.json").write_text("damaged")
    check_runs(comparison, [Run("jtl")])


def test_seconds_are_those_of_all_parts(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand: 10 s to a checkpoint, 5 s that are lost with a kill, and 20 s."""
    clock = 100.0
    folder = comparison.folder(Run("jtl"))
    parts = [(10.0, 5.0), (0.0, 20.0)]

    def train(args: Sequence[str], callbacks: Sequence[Callback]) -> Path:
        nonlocal clock
        to_checkpoint, more = parts.pop(0)
        clock += to_checkpoint
        (folder / "last.ckpt").touch()
        callbacks[0].on_save_checkpoint(None, None, {})  # type: ignore[arg-type]
        clock += more
        if parts:
            raise KeyboardInterrupt
        return (folder / "last.ckpt").replace(folder / "jtl.ckpt")

    monkeypatch.setattr(runs_module, "train", train)
    monkeypatch.setattr(timing.time, "monotonic", lambda: clock)
    with pytest.raises(KeyboardInterrupt):
        train_run(Run("jtl"), comparison, say)
    assert train_run(Run("jtl"), comparison, say)[0] == 30.0
    assert train_run(Run("jtl"), comparison, say)[0] == 30.0  # it is done


def test_one_process_for_each_system(comparison: Comparison) -> None:
    runs = [Run("jtl")]
    for one in ("1", "[1]", "1,"):
        check_runs(replace(comparison, overrides=(*TINY, f"--trainer.devices={one}")), runs)
    for several in ("2", "auto", "-1", "[0, 1]", "0,1"):
        more = replace(comparison, overrides=(*TINY, f"--trainer.devices={several}"))
        with pytest.raises(InputError, match=r"trainer.devices: a comparison .* --parallel"):
            check_runs(more, runs)


def test_a_second_comparison_in_the_same_folder_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would delete what the first one trains, which has no checkpoint yet."""
    write_data("cross_city", tmp_path / "data")
    training = tmp_path / "out" / "runs" / "jtl" / "run.json"
    training.parent.mkdir(parents=True)
    training.write_text("{}")
    args = ["cross_city", f"--root={tmp_path / 'data'}", f"--out={tmp_path / 'out'}"]
    with locked(tmp_path / "out" / ".compare.lock", tmp_path / "out", "wait"):
        assert main(["compare", *args, "--systems=jtl", "--", *TINY]) == 2
    assert "out: is being written to by another run" in capsys.readouterr().err
    assert training.is_file()


def test_settings_may_be_corrected_before_anything_was_trained(comparison: Comparison) -> None:
    """A crop that is too large fails at once, and a smaller one may follow."""
    large = replace(comparison, overrides=(*comparison.overrides, "--data.crop=4096"))
    with pytest.raises(InputError, match="4096"):
        train_run(Run("jtl"), large, lambda *_: None)
    assert (comparison.folder(Run("jtl")) / "run.json").is_file()
    train_run(Run("jtl"), comparison, lambda *_: None)
    assert comparison.checkpoint(Run("jtl")).is_file()


def test_missing_data_are_missed_before_anything_is_trained(comparison: Comparison) -> None:
    for file in (comparison.data / "cityscapes/val/image").iterdir():
        file.unlink()
    with pytest.raises(InputError, match=r"val/image: holds no images; .*prepare cityscapes"):
        check_runs(comparison, [])


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["nowhere"], "scenario nowhere: does not exist"),
        (["cities", "--parallel", "0"], "--parallel: must be >= 1, got 0"),
        (["cities", "--systems", "jtl,m4"], "--systems m4"),
        (["cities", "--root", "none"], "none/city_a/train/image: holds no images"),
        (["cities", "--", "--model.system=jtl"], "-- --model.system: .* give --systems"),
        (["cities", "--", "--data.root", "x"], "-- --data.root: is set by .* give --root"),
    ],
)
def test_arguments_that_are_refused(args: list[str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        compare(*args)


def test_what_follows_two_dashes_goes_to_training() -> None:
    parser = argparse.ArgumentParser()
    compare_command.add_arguments(parser)
    parsed = parser.parse_args(["cities", "--seeds", "0,2", "--", "--data.crop", "32"])
    assert (parsed.scenario, parsed.seeds) == ("cities", [0, 2])
    assert parsed.overrides == ["--data.crop", "32"]
    assert parser.parse_args(["cities"]).overrides == []
