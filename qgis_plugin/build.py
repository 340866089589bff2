"""Makes the zip file of the QGIS plugin, with the wheel that it installs in its environment.

    python qgis_plugin/build.py [--out dist]

Prints the path of the zip file. It goes into QGIS by Plugins > Manage and Install Plugins > Install
from ZIP.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import zipfile
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLUGIN = Path(__file__).parent / "semimtl_geo_qgis"


def build(out: Path) -> Path:
    """Make the zip file in a folder; returns its path."""
    metadata = ConfigParser()
    metadata.read(PLUGIN / "metadata.txt", encoding="utf-8")
    target = out / f"{PLUGIN.name}-{metadata['general']['version']}.zip"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        shutil.rmtree(
            ROOT / "build", ignore_errors=True
        )  # old files there would get into the wheel
        wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
        subprocess.run([*wheel, "--wheel-dir", folder, str(ROOT)], check=True)  # noqa: S603
        package = [*Path(folder).glob("*.whl"), ROOT / "constraints.txt"]
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(PLUGIN.rglob("*")):
                if file.is_file() and "__pycache__" not in file.parts:
                    archive.write(file, file.relative_to(PLUGIN.parent))
            archive.write(ROOT / "LICENSE", f"{PLUGIN.name}/LICENSE")
            for file in package:
                archive.write(file, f"{PLUGIN.name}/package/{file.name}")
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("dist"))
    print(build(parser.parse_args().out))


if __name__ == "__main__":
    main()
