"""Two processes learn what one learns from both their chips."""

from __future__ import annotations

import csv
import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from semimtl_geo.data import Domain, DomainsDataModule
from semimtl_geo.learning.distributed import average, reseed
from semimtl_geo.networks.checkpoint import load_generator
from tests.conftest import CROP
from tests.semimtl_geo.conftest import Run
from tests.semimtl_geo.learning.two_processes import fit, make

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def two(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train in two processes, on fixed batches and by the command; returns the folder."""
    out = tmp_path_factory.mktemp("two")
    command = [
        sys.executable,
        "-m",
        "tests.semimtl_geo.learning.two_processes",
        str(out),
        "2",
        *run.args,
    ]
    settings = ["--trainer.devices=2", "--trainer.strategy=ddp", "--data.batch_size=1"]
    settings.append("--checkpoint.tiles=true")  # by one of them, while the other waits
    done = subprocess.run(
        [*command, *settings, f"--out={out / 'trained'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "sync_dist" not in done.stderr
    return out


def learnt(out: Path, rank: int, what: str) -> dict[str, Tensor]:
    loaded: dict[str, dict[str, Tensor]] = torch.load(out / f"{rank}.pt", weights_only=True)
    return loaded[what]


@pytest.mark.parametrize("what", ["frozen", "training"])
def test_processes_do_not_drift_apart(two: Path, what: str) -> None:
    """Statistics of domains, spectral norm's vectors and remembered heights are the same, too."""
    one, other = learnt(two, 0, what), learnt(two, 1, what)
    assert what == "frozen" or one["consistency.sums"].any()
    assert any("running_var" in key for key in one)
    assert any("_u" in key for key in one)
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_two_processes_learn_what_one_does(two: Path) -> None:
    """BatchNorm is frozen: in training it normalises by a process's own chips."""
    expected, got = fit(1, frozen=True), learnt(two, 0, "frozen")
    start = make().state_dict()
    moved = 0
    for key, value in expected.items():
        torch.testing.assert_close(got[key], value, rtol=1e-4, atol=1e-5, msg=key)
        moved += int(key.startswith("generator") and not torch.allclose(value, start[key]))
    assert moved > 50


def test_statistics_are_of_all_processes(two: Path) -> None:
    """In training mode, means over both processes' chips are means over all chips."""
    expected, got = fit(1, frozen=False), learnt(two, 0, "training")
    first = [key for key in expected if key.endswith("running_mean")][:3]  # one per domain
    # What comes before the first layer is learnt with other batch statistics, so not to 1e-5.
    for key in first:
        torch.testing.assert_close(got[key], expected[key], rtol=0.05, atol=0.01)
        assert expected[key].abs().max() > 0.02


def test_the_command_with_two_processes(two: Path) -> None:
    out = two / "trained"
    assert {path.name for path in out.iterdir()} == {
        "semimtl.ckpt",
        "config.yaml",
        "metrics.csv",
        "tensorboard",
    }
    card, _ = load_generator(out / "semimtl.ckpt")
    assert card.domains == ("city_a", "city_b")
    with (out / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows if row["lr/generator"]] == ["0", "1"]
    assert any(row["val/city_b/height/RMSE"] for row in rows)


def test_processes_share_the_chips_of_one(run: Run) -> None:
    def drawn(rank: int, world: int, batch: int, done: int = 0) -> list[dict[str, Any]]:
        data = DomainsDataModule(
            str(run.cities),
            {"city_a": Domain(["landcover"]), "city_b": Domain(["height"])},
            crop=CROP,
            batch_size=batch,
            iterations=4,
            workers=0,
        )
        data.trainer = SimpleNamespace(  # type: ignore[assignment]
            global_rank=rank, world_size=world, global_step=done
        )
        return [batch for batch, _, _ in data.train_dataloader()]

    whole = drawn(0, 1, 4)
    parts = [drawn(rank, 2, 2) for rank in (0, 1)]
    assert len(whole) == len(parts[0]) == 4
    for number, batch in enumerate(whole):
        for name, data in batch.items():
            together = torch.empty_like(data["image"])
            for rank, part in enumerate(parts):
                together[rank::2] = part[number][name]["image"]
            assert torch.equal(together, data["image"])
    for done, rest in ((3, whole[3:]), (4, None), (7, None)):
        resumed = drawn(0, 1, 4, done)
        assert len(resumed) == 4 - done % 4
        for one, other in zip(resumed, rest or [], strict=False):
            assert torch.equal(one["city_a"]["image"], other["city_a"]["image"])
    assert not torch.equal(drawn(0, 1, 4, 4)[0]["city_a"]["image"], whole[0]["city_a"]["image"])
    assert torch.equal(
        drawn(0, 1, 4, 7)[0]["city_a"]["image"], drawn(0, 1, 4, 4)[3]["city_a"]["image"]
    )


@pytest.mark.parametrize("processes", [2, 3])
def test_averages_of_tensors_of_any_shape(monkeypatch: pytest.MonkeyPatch, processes: int) -> None:
    """They are in one message, to which the other processes add 4 for every number."""
    messages = []

    def add(message: Tensor) -> None:
        messages.append(message.numel())
        message += 4

    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_world_size", lambda: processes)
    monkeypatch.setattr(dist, "all_reduce", add)
    tensors = [torch.arange(6.0).view(2, 3), torch.tensor(7.0), torch.tensor([8.0, 9.0])]
    expected = [(tensor + 4) / processes for tensor in tensors]
    average(tensors)
    assert messages == [9]
    for got, want in zip(tensors, expected, strict=True):
        torch.testing.assert_close(got, want)


@pytest.mark.parametrize("initialized", [True, False])
def test_one_process_sends_no_message(monkeypatch: pytest.MonkeyPatch, initialized: bool) -> None:
    monkeypatch.setattr(dist, "is_initialized", lambda: initialized)
    monkeypatch.setattr(dist, "get_world_size", lambda: 1 if initialized else 2)
    monkeypatch.setattr(dist, "all_reduce", lambda message: pytest.fail("a message"))
    average([torch.ones(1)])


def test_random_numbers_of_an_iteration() -> None:
    def draw(*place: int) -> tuple[float, float, float]:
        reseed(*place)
        return torch.rand(()).item(), float(np.random.rand()), random.random()  # noqa: NPY002, S311

    assert draw(1, 5, 0) == draw(1, 5, 0)
    assert draw(-3, 5, 0) == draw(-3, 5, 0)  # torch's own seed may be any 64 bits
    others = {draw(1, 5, 0), draw(1, 6, 0), draw(1, 5, 1), draw(2, 5, 0)}
    assert len({value for numbers in others for value in numbers}) == 12
