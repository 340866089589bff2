"""Gives every command hundreds of hostile inputs, and tells how many of them it survived.

    python tests/attack.py [--kinds rasters,areas,checkpoints,settings] [--only TEXT] [--seconds 60]

An attack is survived if the command ends in time, by success or with exit code 2 and one line that
says what is wrong, without a traceback, without having run code of a file, and with maps that hold
nothing but values of their kind.

It takes about a quarter of an hour on two cores, so `make test` runs a sample of it.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import rasterio

from tests import fresh_process
from tests.attacks import areas, checkpoints, rasters, settings
from tests.attacks.attack import Attack
from tests.example_folder import write_example_folder

KINDS = {
    "rasters": rasters.attacks,
    "areas": areas.attacks,
    "checkpoints": checkpoints.attacks,
    "settings": settings.attacks,
}
MEMORY = 6 * 2**30
"""Bytes that a command may ask for beyond what its imports take."""

PROGRESS = re.compile(r"|\s*[^|]*\d+%\|.*")
"""Lines of progress bars, which are no words about a fault."""


def lay_out(folder: Path) -> None:
    """Write the good files that attacks begin with."""
    write_example_folder(folder)
    rasters.lay_out(folder)
    base = Path(__file__).parents[1] / "configs" / "cities" / "base.yaml"
    shutil.copy(base, folder / "base.yaml")


def survive(attack: Attack, files: Path, scratch: Path, seconds: float) -> str | None:
    """Carry out an attack; returns what went wrong, or None."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    shutil.copytree(files, folder / "work")
    work, printed, said = folder / "work", folder / "printed", folder / "said"
    attack.prepare(work)
    process = fresh_process.start(_command, attack.command, folder=work, printed=printed, said=said)
    process.join(seconds)
    if process.exitcode is None:
        assert process.pid is not None
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
        verdict: str | None = f"did not end in {seconds:g} s"
    else:
        verdict = judge(process.exitcode, said.read_text(errors="replace"), work)
    shutil.rmtree(folder, ignore_errors=True)
    return verdict


def judge(code: int, said: str, work: Path) -> str | None:
    """Return what is wrong about how a command ended, or None."""
    lines = [line for line in re.split(r"[\r\n]+", said) if not PROGRESS.fullmatch(line)]
    last = lines[-1][:300] if lines else "nothing"
    if (work / "exploded").exists():
        return "code of a file was run"
    if "Traceback" in said:
        return f"a traceback: {last}"
    if code not in (0, 2):
        return f"exit code {code}: {last}"
    if code == 2 and len(lines) != 1:
        return f"{len(lines)} lines: {' / '.join(lines)[:400]}"
    if code == 2 and len(lines[0]) > 1000:
        return f"a line of {len(lines[0])} characters"
    if code == 0:
        return next(odd_maps(work), None)
    return None


def odd_maps(work: Path) -> Iterator[str]:
    """Yield what no map may hold."""
    for path in [*work.glob("maps/*.tif"), *work.glob("new.tif")]:
        with rasterio.open(path) as file:
            values, known = file.read(), file.dataset_mask() > 0
        if values.dtype.kind == "f" and not np.abs(values[:, known]).max(initial=0) < 1e4:
            yield f"{path.name} holds {np.abs(values[:, known]).max()}"


def _command(command: tuple[str, ...]) -> int:
    """Run a command with bounded memory; returns its exit code."""
    from semimtl_geo.cli import main

    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = used * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    return main(list(command))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--only", default="", help="attacks whose name has this text")
    parser.add_argument("--seconds", type=float, default=60, help="limit of each")
    parser.add_argument("--processes", type=int, default=2, help="attacks side by side")
    args = parser.parse_args()
    fresh_process.use_fork_server()
    survived, total, started = Counter[str](), Counter[str](), time.monotonic()
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(args.processes) as pool:
        files = Path(scratch) / "files"
        files.mkdir()
        lay_out(files)
        for kind in args.kinds.split(","):
            chosen = [attack for attack in KINDS[kind]() if args.only in attack.name]

            def verdict(attack: Attack) -> str | None:
                return survive(attack, files, Path(scratch), args.seconds)

            for attack, fault in zip(chosen, pool.map(verdict, chosen), strict=True):
                total[kind] += 1
                survived[kind] += fault is None
                if fault is not None:
                    print(f"{kind}: {attack.name}: {fault}", flush=True)
    print()
    print("| kind | attacks | survived |\n| --- | ---: | ---: |")
    for kind in total:
        print(f"| {kind} | {total[kind]} | {survived[kind]} |")
    minutes = (time.monotonic() - started) / 60
    print(f"| all | {total.total()} | {survived.total()} |\n\n{minutes:.0f} minutes")
    sys.exit(survived != total)


if __name__ == "__main__":
    main()
