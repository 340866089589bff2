"""A run that is interrupted goes on as if nothing had happened."""

from __future__ import annotations

import contextlib
import csv
import os
import random
import shutil
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import lightning
import pandas as pd
import pytest
import torch

from semimtl_geo import cli
from semimtl_geo.training import interrupts
from semimtl_geo.training.checkpoints import Checkpoints
from semimtl_geo.training.cli import train
from semimtl_geo.training.logs import MetricsLogger
from tests import fresh_process
from tests.semimtl_geo.conftest import Run
from tiles.errors import InputError

CONSISTENCY = ("--model.consistency.heights={tree: [2, .inf], low vegetation: [0, 0]}",)
"""The mean heights that it remembers are to be gone on with."""


class Interrupt(lightning.Callback):
    """Stops a run before an iteration, as a fault of the machine would."""

    def __init__(self, before: int) -> None:
        self.before = before

    def on_train_batch_start(self, trainer: Any, *args: Any) -> None:
        if trainer.global_step == self.before:
            raise OSError("the power is off")


def state(checkpoint: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(checkpoint, weights_only=True)
    return loaded


def assert_same(one: Path, other: Path) -> None:
    """Compare weights, statistics, spectral-norm vectors, optimisers and schedules bit for bit."""
    left, right = state(one), state(other)
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "semimtl_geo_seed"):
        assert_equal(left[part], right[part], part)
    assert left["global_step"] == right["global_step"]
    assert left["epoch"] == right["epoch"]


def assert_equal(one: Any, other: Any, name: str) -> None:
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), name
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), name
        for key in one:
            assert_equal(one[key], other[key], f"{name}.{key}")
    elif isinstance(one, list):
        assert len(one) == len(other), name
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            assert_equal(left, right, f"{name}.{number}")
    else:
        assert one == other, name


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("end", "more", "stops"),
    [((2, -1), CONSISTENCY, [(1, 3), (2, 5)]), ((-1, 6), (), [(2, 5)])],
    ids=["epochs and consistency", "steps"],
)
def test_wherever_it_is_interrupted(
    run: Run,
    tmp_path: Path,
    end: tuple[int, int],
    more: tuple[str, ...],
    stops: list[tuple[int, int]],
) -> None:
    """It ends between two epochs, and within one, where an iteration is lost."""
    epochs, steps = end
    args = [
        *run.args,
        *more,
        "--data.iterations=3",
        f"--trainer.max_epochs={epochs}",
        f"--trainer.max_steps={steps}",
    ]
    whole = train([*args, f"--out={tmp_path / 'whole'}"])
    for every, before in stops:
        out = tmp_path / f"{every}_{before}"
        again = [*args, f"--out={out}", f"--checkpoint.every={every}"]
        with pytest.raises(OSError, match="power"):
            train(again, [Interrupt(before)])
        assert [file.name for file in out.glob("*.ckpt")] == ["last.ckpt"]
        made = train(again)
        assert not (out / "last.ckpt").exists()
        assert_same(made, whole)
        assert rows(out) == rows(tmp_path / "whole")


def test_a_killed_process_starts_again(run: Run, tmp_path: Path) -> None:
    """After kill -9 at a random moment, the same command gives the same weights, bit for bit."""
    out = tmp_path / "killed"
    args = [
        *run.args,
        *CONSISTENCY,
        "--trainer.max_epochs=2",
        "--data.iterations=3",
        "--data.workers=1",
        "--checkpoint.every=1",  # so that many a kill hits a checkpoint being written
        f"--out={out}",
    ]
    # Its workers are no forks of it: as on Windows, they get their settings pickled.
    printed, said = tmp_path / "printed", tmp_path / "said"
    process = fresh_process.start(
        cli.main, ["train", *args], folder=tmp_path, printed=printed, said=said
    )
    try:
        while not (out / "last.ckpt").exists():
            assert process.is_alive(), said.read_text()
            time.sleep(0.005)
        time.sleep(random.uniform(0.0, 0.5))  # noqa: S311
    finally:
        _kill(process)
    if (last := out / "last.ckpt").exists():
        print(f"killed after iteration {state(last)['global_step']}")
    made = train(args)
    assert_same(made, train([*args, f"--out={tmp_path / 'whole'}"]))
    steps = [row["step"] for row in rows(out) if row["lr/generator"]]
    assert len(steps) == len(set(steps))


def test_ctrl_c_ends_in_a_line(run: Run, tmp_path: Path) -> None:
    """It is pressed twice."""
    args = ["train", *run.args, "--trainer.max_epochs=500", f"--out={tmp_path / 'out'}"]
    printed, said = tmp_path / "printed", tmp_path / "said"
    process = fresh_process.start(cli.main, args, folder=tmp_path, printed=printed, said=said)
    try:
        while not (tmp_path / "out" / "metrics.csv").exists():
            assert process.is_alive(), said.read_text()
            time.sleep(0.005)
        os.kill(process.pid or 0, signal.SIGINT)
        time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):  # it may have ended by then
            os.kill(process.pid or 0, signal.SIGINT)
        process.join(30)
    finally:
        _kill(process)
    assert process.exitcode == 130
    assert said.read_text().splitlines()[-1] == "interrupted; start again to continue"


class Press(lightning.Callback):
    """Presses Ctrl-C within the second iteration."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.ended = 0

    def on_train_batch_end(self, trainer: Any, *args: Any, **kwargs: Any) -> None:
        if trainer.global_step == 2:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)
        self.ended += 1


@pytest.mark.parametrize(("times", "patience", "ended"), [(1, 0, 2), (2, 60, 2), (2, 0, 1)])
def test_ctrl_c_lets_an_iteration_end(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, patience: int, ended: int
) -> None:
    """The iteration does not end if it is pressed again after a while."""
    monkeypatch.setattr(interrupts, "PATIENCE", patience)
    press = Press(times)
    with pytest.raises(KeyboardInterrupt):
        train([*run.args, f"--out={tmp_path}"], [press])
    assert press.ended == ended
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_the_caller_stays(run: Run, tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            train([*run.args, f"--out={tmp_path}"], [Press(1)])
        assert signal.getsignal(signal.SIGINT) is interrupt
    finally:
        signal.signal(signal.SIGINT, before)


def _kill(process: BaseProcess) -> None:
    """Kill it, and the processes that read for it."""
    assert process.pid is not None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.join()


def test_a_checkpoint_cut_short_leaves_the_one_before(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = lightning.Trainer.save_checkpoint

    def cut(self: lightning.Trainer, path: Any, *args: Any, **kwargs: Any) -> None:
        original(self, path, *args, **kwargs)
        if self.global_step == 2:
            Path(path).write_bytes(Path(path).read_bytes()[:1000])
            raise OSError("the disk is full")

    monkeypatch.setattr(lightning.Trainer, "save_checkpoint", cut)
    with pytest.raises(OSError, match="full"):
        train([*run.args, f"--out={tmp_path}", "--checkpoint.every=1"])
    assert state(tmp_path / "last.ckpt")["global_step"] == 1


def test_the_work_of_another_run_is_not_lost(run: Run, tmp_path: Path) -> None:
    args = [*run.args, f"--out={tmp_path}", "--checkpoint.every=1"]
    with pytest.raises(OSError, match="power"):
        train(args, [Interrupt(1)])
    for other, name in (
        ("--model.system=semisd", r"model\.system"),
        ("--data.crop=40", r"model\.crop|data\.crop"),
        ("--trainer.max_epochs=3", r"trainer\.max_epochs"),
        ("--seed_everything=4", "seed_everything"),
    ):
        with pytest.raises(
            InputError, match=rf"last\.ckpt: was begun with other settings \(({name}):"
        ):
            train([*args, other])
    assert state(tmp_path / "last.ckpt")["global_step"] == 1
    # What does not change the result may change.
    made = train([*args, "--data.workers=1", "--trainer.log_every_n_steps=5"])
    assert state(made)["global_step"] == 2


def test_a_run_that_was_killed_before_its_checkpoint_was_named(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(run.out, out)
    (out / "semimtl.ckpt").replace(out / "last.ckpt")
    made = train([*run.args, f"--out={out}"])
    assert made == out / "semimtl.ckpt"
    assert_same(made, run.checkpoint)
    assert rows(out) == rows(run.out)
    assert not (out / "last.ckpt").exists()


def test_unfinished_work_is_not_overwritten_by_another_checkpoint(run: Run, tmp_path: Path) -> None:
    """A run that resumes another checkpoint would save over the unfinished one in its folder."""
    unfinished = tmp_path / "out" / "last.ckpt"
    with pytest.raises(OSError, match="power"):
        train([*run.args, f"--out={unfinished.parent}", "--checkpoint.every=1"], [Interrupt(1)])
    content = unfinished.read_bytes()
    other = shutil.copy2(unfinished, tmp_path / "other.ckpt")
    with pytest.raises(InputError, match="belongs to an unfinished run, which would be lost"):
        train([*run.args, f"--out={unfinished.parent}", f"--resume={other}"])
    assert unfinished.read_bytes() == content
    train([*run.args, f"--out={unfinished.parent}", f"--resume={unfinished}"])
    assert not unfinished.exists()


def test_a_finished_run_is_trained_anew(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        made = train([*run.args, f"--out={tmp_path}"])
        assert state(made)["global_step"] == 2
    assert "resuming" not in capsys.readouterr().out
    assert len([row for row in rows(tmp_path) if row["lr/generator"]]) == 2
    assert len(list((tmp_path / "tensorboard").glob("events.*"))) == 1


def test_a_run_that_fails_at_once_leaves_the_logs_of_the_one_before(
    run: Run, tmp_path: Path
) -> None:
    """It fails as it is instantiated, as data are looked at, or in its first iteration."""
    train([*run.args, f"--out={tmp_path}"])
    before = rows(tmp_path)
    (events,) = (tmp_path / "tensorboard").glob("events.*")
    logged = events.read_bytes()
    for fault, more, fails in (
        (InputError, ("--model.encoder.name=resnot",), ()),
        (InputError, ("--data.root=nowhere",), ()),
        (InputError, ("--data.crop=1000",), ()),
        (OSError, (), (Interrupt(0),)),
    ):
        with pytest.raises(fault):
            train([*run.args, *more, f"--out={tmp_path}"], fails)
        assert rows(tmp_path) == before
        assert events.read_bytes() == logged
    # An iteration is enough, and nothing of the old log is taken for the new one's.
    with pytest.raises(OSError, match="power"):
        train([*run.args, f"--out={tmp_path}", "--checkpoint.every=1"], [Interrupt(1)])
    train([*run.args, f"--out={tmp_path}"])
    assert rows(tmp_path) == before
    assert not events.exists()


def test_a_log_whose_columns_grow_is_whole_at_any_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = MetricsLogger(tmp_path / "metrics.csv")
    log.log_metrics({"a": 1.0}, 0)
    log.save()

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("the power is off")

    with monkeypatch.context() as patch:
        patch.setattr(pd.DataFrame, "to_csv", fail)
        log.log_metrics({"b": 2.0}, 1)
        with pytest.raises(OSError, match="power"):
            log.save()
    assert rows(tmp_path) == [{"a": "1.0", "step": "0"}]
    again = MetricsLogger(tmp_path / "metrics.csv", done=1)
    again.log_metrics({"b": 2.0}, 1)
    again.save()
    assert rows(tmp_path) == [
        {"a": "1.0", "b": "", "step": "0"},
        {"a": "", "b": "2.0", "step": "1"},
    ]


def test_random_numbers_are_those_of_the_iteration(run: Run, tmp_path: Path) -> None:
    """Whatever else draws from the global generators, or their first state, changes nothing."""

    class Draws(lightning.Callback):
        def on_train_batch_end(self, *args: Any) -> None:
            torch.rand(3)

        def on_train_start(self, *args: Any) -> None:
            torch.manual_seed(99)

    made = train([*run.args, f"--out={tmp_path}"], [Draws()])
    assert_same(made, run.checkpoint)


def test_how_often(tmp_path: Path) -> None:
    assert Checkpoints(str(tmp_path), "jtl").every == 500
    with pytest.raises(InputError, match="give 1 or more"):
        Checkpoints(str(tmp_path), "jtl", every=0)
