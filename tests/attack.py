"""Gives every command hundreds of hostile inputs, and tells how many of them it survived.

    python tests/attack.py [--kinds rasters,areas,checkpoints,settings,drawn,kills] [--only TEXT]

An attack is survived if the command ends in time, by success or with exit code 2 and one line that
says what is wrong, without a traceback, without having run code of a file, and with maps that hold
nothing but values of their kind. A kill at a random moment is survived if the command, started
again, ends with the same bytes or weights.

It takes about half an hour on two cores, and is not part of `make test`: `make attack` runs it.
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
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import rasterio
from tqdm import tqdm

from tests import fresh_process
from tests.attacks import areas, checkpoints, drawn, kills, rasters, settings
from tests.attacks.attack import Attack
from tests.example_folder import write_example_folder

KINDS = {
    "rasters": rasters.attacks,
    "areas": areas.attacks,
    "checkpoints": checkpoints.attacks,
    "settings": settings.attacks,
    "drawn": drawn.attacks,
}
MEMORY = 6 * 2**30
"""Bytes that a command may ask for beyond what its imports take."""

PROGRESS = re.compile(r"|\s*[^|]*\d+%\|.*")
"""Lines of progress bars, which are no words about a fault."""

REMARK = re.compile(r"warning: \S+\.tif: .+")
"""Lines that say what is odd about a file, before the line that says what is wrong."""


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
    work = folder / "work"
    attack.prepare(work)
    code = run_for(attack.command, work, seconds)
    verdict: str | None = f"did not end in {seconds:g} s"
    if code is not None:
        verdict = judge(code, (folder / "said").read_text(errors="replace"), work)
    shutil.rmtree(folder, ignore_errors=True)
    return verdict


def run_for(command: tuple[str, ...], work: Path, seconds: float) -> int | None:
    """Run a command; returns its exit code, or None if it was killed after some seconds."""
    beside = work.parent / "printed", work.parent / "said"
    for file in beside:
        file.unlink(missing_ok=True)
    process = fresh_process.start(_command, command, folder=work, printed=beside[0], said=beside[1])
    while process.exitcode is None and not beside[1].exists():
        time.sleep(0.01)  # The command has not begun.
    process.join(seconds)
    if process.exitcode is None:
        assert process.pid is not None
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
        return None
    return process.exitcode


def judge(code: int, said: str, work: Path) -> str | None:
    """Return what is wrong about how a command ended, or None."""
    lines = [
        line
        for line in re.split(r"[\r\n]+", said)
        if not PROGRESS.fullmatch(line) and not REMARK.fullmatch(line)
    ]
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
    parser.add_argument("--kinds", default=",".join([*KINDS, "kills"]))
    parser.add_argument("--only", default="", help="attacks whose name has this text")
    parser.add_argument("--seconds", type=float, default=60, help="limit of each")
    parser.add_argument("--moments", type=int, default=50, help="kills per command")
    parser.add_argument("--processes", type=int, default=2, help="attacks in parallel")
    args = parser.parse_args()
    fresh_process.use_fork_server()
    survived, total, started = Counter[str](), Counter[str](), time.monotonic()
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(args.processes) as pool:
        files = Path(scratch) / "files"
        files.mkdir()
        lay_out(files)

        def verdict(attack: Attack) -> tuple[str, str | None]:
            return attack.name, survive(attack, files, Path(scratch), args.seconds)

        for kind in args.kinds.split(","):
            verdicts: Iterable[tuple[str, str | None]]
            if kind == "kills":
                count = args.moments * len(kills.COMMANDS)
                verdicts = kills.kills(files, Path(scratch) / "kills", run_for, args.moments)
            else:
                chosen = [attack for attack in KINDS[kind]() if args.only in attack.name]
                count, verdicts = len(chosen), pool.map(verdict, chosen)
            for name, fault in tqdm(verdicts, kind, count):
                total[kind] += 1
                survived[kind] += fault is None
                if fault is not None:
                    tqdm.write(f"{kind}: {name}: {fault}")
                    sys.stdout.flush()
    print()
    print("| kind | attacks | survived |\n| --- | ---: | ---: |")
    for kind in total:
        print(f"| {kind} | {total[kind]} | {survived[kind]} |")
    minutes = (time.monotonic() - started) / 60
    print(f"| all | {total.total()} | {survived.total()} |\n\n{minutes:.0f} minutes")
    sys.exit(survived != total)


if __name__ == "__main__":
    main()
