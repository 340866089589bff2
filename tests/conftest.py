"""Fixtures of both packages' tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.fresh_process import use_fork_server

# Before torch is imported: two processes of tests share the cores, and threads that wait are busy.
os.environ["OMP_NUM_THREADS"] = "1"

# No test measures time: a machine that has other work is slow.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

CROP = 32

# These fork processes, limit the sizes of their files and kill them, none of which Windows can.
collect_ignore = (
    []
    if os.name == "posix"
    else [
        "test_bad_input.py",
        "semimtl_geo/training/test_run_folder.py",
        "tiles/mosaic/test_executors.py",
        "tiles/mosaic/test_resume.py",
    ]
)


@pytest.fixture(scope="session", autouse=True)
def _fork_server() -> None:
    use_fork_server()


@dataclass(frozen=True)
class Run:
    """A training run: its data, its folder, and arguments that train the same network again.

    By these arguments no tiles of maps are chosen, which takes longer than the training; the run
    itself has chosen them.
    """

    cities: Path
    out: Path
    args: tuple[str, ...]

    @property
    def checkpoint(self) -> Path:
        return self.out / "semimtl.ckpt"


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Train SemiMTL on the synthetic cities for two iterations, as the command does."""
    # Imported here, because the tests of tiles do not need Lightning.
    from semimtl_geo.synthetic import write_cities
    from semimtl_geo.training.cli import packaged_config, train

    folder = tmp_path_factory.mktemp("run")
    write_cities(folder / "cities", scenes=1, size=96)
    args = (
        f"--config={packaged_config('cities/base.yaml')}",
        f"--data.root={folder / 'cities'}",
        f"--data.crop={CROP}",
        "--data.batch_size=2",
        "--data.iterations=2",
        "--data.workers=0",
        "--model.encoder.options={channels: [8, 8, 16, 16], stem_width: 8}",
        "--model.decoder_width=16",
        "--model.discriminator_width=4",
        "--trainer.max_epochs=1",
        "--trainer.accelerator=cpu",
        "--trainer.log_every_n_steps=1",
        "--trainer.enable_progress_bar=false",
        "--trainer.enable_model_summary=false",
        "--checkpoint.tiles=false",
    )
    train([*args, "--checkpoint.tiles=true", f"--out={folder / 'out'}"])
    return Run(folder / "cities", folder / "out", args)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a server of `in`; a process of its own, for GDAL opens files without a pause."""
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # of GDAL's tiles
    code = (
        "import functools, http.server as h, sys\n"
        "handler = functools.partial(h.SimpleHTTPRequestHandler, directory=sys.argv[1])\n"
        "server = h.ThreadingHTTPServer(('127.0.0.1', 0), handler)\n"
        "print(server.server_address[1], flush=True)\n"
        "server.serve_forever()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "in")],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as server:  # fmt: skip
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        server.terminate()
