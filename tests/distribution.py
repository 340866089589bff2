"""Does the package work without its checkout? Builds it, installs it elsewhere, and uses it.

    python tests/distribution.py [--keep FOLDER]

The source distribution is built first, and the wheel from it, so that what one of them lacks is
noticed. Needs the network for the dependencies, some minutes and some gigabytes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]

IN_THE_ENVIRONMENT = """
import sys, tiles, semimtl_geo
from semimtl_geo.configs import __path__ as configs
from semimtl_geo.samples import sample_scenes
places = [tiles.__file__, semimtl_geo.__file__, *configs]
assert all(place.startswith(sys.prefix) for place in places), places
print(semimtl_geo.__version__)
print(sample_scenes()[0].image)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", type=Path, help="folder to work in, which is kept")
    keep = parser.parse_args().keep
    if keep is not None:
        keep.mkdir(parents=True)
        check(keep.resolve())
    else:
        with tempfile.TemporaryDirectory() as folder:
            check(Path(folder).resolve())


def check(folder: Path) -> None:
    """Build, install and use the package in a folder outside of the checkout."""
    dist = folder / "dist"
    run([sys.executable, "-m", "build", "--outdir", dist, ROOT], folder)
    (wheel,), (source,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    print(f"built {source.name} and {wheel.name}", flush=True)

    venv.create(folder / "env", with_pip=True)
    scripts = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    python, command = scripts / "python", scripts / "semimtl-geo"
    constraints = ["--constraint", ROOT / "constraints.txt"]
    run([python, "-m", "pip", "install", "--quiet", *constraints, wheel], folder)
    installed, sample = output([python, "-c", IN_THE_ENVIRONMENT], folder).splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert installed == project["version"] == output([command, "--version"], folder).strip()

    run([command, "demo", "--iterations", "10", "--out", "demo"], folder)
    assert (folder / "demo/report.html").is_file()
    run([command, "map", "--model", "towns", sample, "--out", "maps", "--preview"], folder)
    made = sorted(path.name for path in (folder / "maps").glob("*.tif"))
    assert [name.rpartition("_")[2] for name in made] == ["height.tif", "landcover.tif"], made
    run([command, "map", "--model", "demo/semimtl.ckpt", sample, "--out", "by_the_demo"], folder)
    print(f"{wheel.name}: installed in an environment of its own, demo and maps made")


def run(command: list[str | Path], folder: Path) -> None:
    """Run a command in a folder, which must succeed."""
    subprocess.run(command, cwd=folder, env=environment(), check=True)


def output(command: list[str | Path], folder: Path) -> str:
    """Return what a command prints."""
    return subprocess.run(
        command, cwd=folder, env=environment(), check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def environment() -> dict[str, str]:
    """Return the variables of this process without those that lead to other packages."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


if __name__ == "__main__":
    main()
