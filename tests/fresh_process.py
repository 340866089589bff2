"""Fresh processes that start at once: forks of one that has the imports, which take 10 seconds."""

from __future__ import annotations

import gc
import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

PRELOADED = (
    "semimtl_geo.compare.parallel_runs",
    "semimtl_geo.mapping.evaluation",
    "semimtl_geo.mapping.spreading",
    "semimtl_geo.prepare.registry",
    "semimtl_geo.training.cli",
    "tests.test_bad_input",
    "tests.tiles.mosaic.test_resume",
    "tiles.elevation.ndsm",
    "tiles.vectors.class_polygons",
    "distributed",
)


def use_fork_server() -> None:
    """Let processes that this one starts be forks of a server, which is started when needed."""
    from tiles.mosaic import processes

    if "forkserver" in multiprocessing.get_all_start_methods():
        multiprocessing.get_context("forkserver").set_forkserver_preload(list(PRELOADED))
        processes.START_METHOD = "forkserver"


def start(
    function: Callable[..., object], *args: Any, folder: Path, printed: Path, said: Path
) -> BaseProcess:
    """Start a process that calls a function.

    Args:
        function: The function; what it returns is the exit code.
        args: Its arguments.
        folder: Working folder of the process.
        printed: File that gets its standard output.
        said: File that gets its standard error.
    """
    context = multiprocessing.get_context("forkserver")
    files = (str(printed.absolute()), str(said.absolute()))
    process = context.Process(target=_begin, args=(function, args, folder, files))
    process.start()
    return process


def run(function: Callable[..., object], *args: Any, folder: Path) -> tuple[int, str, str]:
    """Call a function in a fresh process; returns exit code, standard output and error."""
    printed, said = folder.with_suffix(".printed"), folder.with_suffix(".said")
    process = start(function, *args, folder=folder, printed=printed, said=said)
    process.join()
    assert process.exitcode is not None
    return process.exitcode, printed.read_text(), said.read_text()


@contextmanager
def cluster() -> Iterator[Any]:
    """Yield the client of a dask cluster of two workers, which are such processes."""
    import dask
    import distributed

    method = "spawn"
    if "forkserver" in multiprocessing.get_all_start_methods():
        from multiprocessing.forkserver import ensure_running

        method = "forkserver"
        ensure_running()  # before dask replaces the list of what it imports
    with (
        dask.config.set({"distributed.worker.multiprocessing-method": method}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as workers,
        distributed.Client(workers) as client,
    ):
        yield client


def run_script(script: Path, *args: object) -> None:
    """Run a Python file as ``python script args``."""
    sys.argv = [str(script), *map(str, args)]
    runpy.run_path(str(script), run_name="__main__")


def _begin(
    function: Callable[..., object], args: tuple[Any, ...], folder: Path, files: tuple[str, str]
) -> None:
    gc.freeze()  # so that no collection copies what the processes share
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Its own processes are forks of another server, which would not have the imports either.
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(PRELOADED))
    os.chdir(folder)
    for number, name in enumerate(files, start=1):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.exit(function(*args))  # type: ignore[arg-type]
