"""Panels in several processes and on a cluster: the same bytes, whatever happens to a worker."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests import fresh_process
from tests.rasters import write
from tiles.errors import InputError
from tiles.maps.layers import ClassMap, PercentMap, ProbabilityMap, ValueMap
from tiles.mosaic.executors import _work_remotely
from tiles.mosaic.mosaicker import mosaic

LAYERS = [
    ValueMap("value", unit="m", high=255),
    ClassMap("class", ("a", "b", "c"), ((0, 0, 0), (9, 9, 9), (200, 0, 0))),
    PercentMap("sure", of="class"),
    ProbabilityMap("odds", "class", ("a", "b", "c")),
]
OPTIONS: dict[str, Any] = {
    "tile": 128, "overlap": 48, "panel": 512, "batch_size": 3, "resume": "small",
}  # fmt: skip


@dataclass
class Network:
    """A small network that pickle knows; it can be slow, end its own process, or fail.

    Attributes:
        log_folder: A folder in which each process that predicts leaves a file of its name.
        pause: Seconds before each answer.
        kill: A file; who predicts first while it exists removes it and is killed.
        fault: What it raises.
    """

    log_folder: Path
    pause: float = 0.0
    kill: Path | None = None
    fault: Exception | None = None

    def __post_init__(self) -> None:
        torch.manual_seed(0)
        self.layers = torch.nn.Sequential(
            torch.nn.Conv2d(2, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, 4, 1)
        ).requires_grad_(False)

    def __call__(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        if self.fault is not None:
            raise self.fault
        with (self.log_folder / str(os.getpid())).open("a") as log:
            log.write("x")
        time.sleep(self.pause)
        if self.kill is not None and self._first():
            os.kill(os.getpid(), signal.SIGKILL)
        scores = self.layers(images / 255)
        return {"value": scores[:, :1], "class": scores[:, 1:].softmax(1)}

    def _first(self) -> bool:
        logs = list(self.log_folder.iterdir())
        if len(logs) < 2 or (self.log_folder / str(os.getpid())).stat().st_size < 24:
            return False  # only once both work, and something is finished
        try:
            assert self.kill is not None
            self.kill.unlink()
        except FileNotFoundError:
            return False
        return True


@dataclass
class Scene:
    image: Path
    made: dict[str, bytes]


def run(image: Path, out: Path, predict: Any, **options: Any) -> None:
    out.mkdir(exist_ok=True)
    files = {layer.name: out / f"{layer.name}.tif" for layer in LAYERS}
    mosaic(image, predict, LAYERS, files, **{**OPTIONS, **options})


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A raster four panels wide, and the maps that one process makes of it in a single panel."""
    where = tmp_path_factory.mktemp("scene")
    values = np.random.default_rng(0).integers(1, 255, (2, 700, 1900), dtype=np.uint8)
    values[:, 300:420, 200:1200] = 0
    image = write(where / "image.tif", values, nodata=0)
    run(image, where / "out", Network(folder(where / "logs")), panel=8192)
    return Scene(image, contents(where / "out"))


def folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.fixture
def log_folder(tmp_path: Path) -> Path:
    return folder(tmp_path / "logs")


def test_two_processes(scene: Scene, tmp_path: Path, log_folder: Path) -> None:
    reports: list[tuple[int, int]] = []
    network = Network(log_folder, pause=0.02)
    run(
        scene.image, tmp_path / "out", [network, network],
        progress=lambda *state: reports.append(state),
    )  # fmt: skip
    assert contents(tmp_path / "out") == scene.made
    assert len(list(log_folder.iterdir())) == 2
    assert str(os.getpid()) not in {log.name for log in log_folder.iterdir()}
    assert reports == sorted(reports)
    assert reports[-1] == (700 * 1900, 700 * 1900)


def test_a_process_that_is_killed(scene: Scene, tmp_path: Path, log_folder: Path) -> None:
    kill = tmp_path / "kill"
    kill.touch()
    network = Network(log_folder, pause=0.03, kill=kill)
    with pytest.raises(InputError, match="ended by itself") as caught:
        run(scene.image, tmp_path / "out", [network, network])
    assert "\n" not in str(caught.value)
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".work"}
    journals = (tmp_path / "out" / ".value.tif.work").glob("*.journal")
    assert any(journal.read_bytes().count(b"\n") > 1 for journal in journals)
    run(scene.image, tmp_path / "out", Network(log_folder))  # goes on alone
    assert contents(tmp_path / "out") == scene.made


def test_an_error_crosses_processes(scene: Scene, tmp_path: Path, log_folder: Path) -> None:
    network = Network(log_folder, fault=InputError("the network", "is of paper", "buy another"))
    with pytest.raises(InputError, match="is of paper; buy another"):
        run(scene.image, tmp_path / "out", [network, network])
    assert list((tmp_path / "out").iterdir()) == []


def work(image: Path, out: Path, log_folder: Path) -> None:
    run(image, out, [Network(log_folder, pause=0.2)] * 2)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def eventually(what: Callable[[], bool], seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_processes_end_with_the_first(
    scene: Scene, tmp_path: Path, log_folder: Path, sign: signal.Signals
) -> None:
    said = tmp_path / "said"
    process = fresh_process.start(
        work, scene.image, tmp_path / "out", log_folder,
        folder=tmp_path, printed=tmp_path / "printed", said=said,
    )  # fmt: skip
    try:
        assert eventually(lambda: len(list(log_folder.iterdir())) == 2), said.read_text()
        os.kill(process.pid or 0, sign)
        process.join(30)
        assert process.exitcode is not None
    finally:
        process.kill()
    assert eventually(lambda: not any(alive(int(log.name)) for log in log_folder.iterdir()), 10)
    if sign == signal.SIGINT:
        assert said.read_text().strip().splitlines()[-1] == "KeyboardInterrupt"
    run(scene.image, tmp_path / "out", Network(log_folder))
    assert contents(tmp_path / "out") == scene.made


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A cluster of two workers in processes of their own."""
    pytest.importorskip("distributed")
    with fresh_process.cluster() as client:
        yield client


def test_a_cluster(scene: Scene, tmp_path: Path, log_folder: Path, client: Any) -> None:
    reports: list[tuple[int, int]] = []
    run(
        scene.image, tmp_path / "out", Network(log_folder, pause=0.02), client=client,
        progress=lambda *state: reports.append(state),
    )  # fmt: skip
    assert contents(tmp_path / "out") == scene.made
    assert len(list(log_folder.iterdir())) == 2
    assert reports == sorted(reports)
    assert reports[-1] == (700 * 1900, 700 * 1900)


def test_a_worker_of_a_cluster_that_is_killed(
    scene: Scene, tmp_path: Path, log_folder: Path, client: Any
) -> None:
    kill = tmp_path / "kill"
    kill.touch()
    run(scene.image, tmp_path / "out", Network(log_folder, pause=0.05, kill=kill), client=client)
    assert not kill.exists()
    assert contents(tmp_path / "out") == scene.made


def test_an_error_on_a_cluster(scene: Scene, tmp_path: Path, log_folder: Path, client: Any) -> None:
    with pytest.raises(ValueError, match="of paper"):
        run(
            scene.image, tmp_path / "out", Network(log_folder, fault=ValueError("of paper")),
            client=client,
        )  # fmt: skip
    assert list((tmp_path / "out").iterdir()) == []


def test_work_of_a_run_that_has_ended_is_left_alone(tmp_path: Path) -> None:
    """Nothing is opened for a panel that a cluster comes to after the run."""
    job = SimpleNamespace(run_file=tmp_path / "run")
    assert not _work_remotely(job, 0, lambda _: {}, "one")  # type: ignore[arg-type]
    job.run_file.write_text("another")
    assert not _work_remotely(job, 0, lambda _: {}, "one")  # type: ignore[arg-type]


def test_interrupted_on_a_cluster_and_gone_on_with_alone(
    scene: Scene, tmp_path: Path, log_folder: Path, client: Any
) -> None:
    def stop(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    slow = Network(log_folder, pause=0.1)
    with pytest.raises(KeyboardInterrupt):
        run(scene.image, tmp_path / "out", slow, client=client, progress=stop)
    run(scene.image, tmp_path / "out", Network(log_folder))  # at once: no worker holds a panel
    assert contents(tmp_path / "out") == scene.made
