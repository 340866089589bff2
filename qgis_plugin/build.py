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
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLUGIN = Path(__file__).parent / "semimtl_geo_qgis"
METADATA = PLUGIN / "metadata.txt"


def build(out: Path) -> Path:
    """Make the zip file in a folder; returns its path."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    target = out / f"{PLUGIN.name}-{project['version']}.zip"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        # Old files there would get into the wheel.
        shutil.rmtree(ROOT / "build/lib", ignore_errors=True)
        wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
        subprocess.run([*wheel, "--wheel-dir", folder, str(ROOT)], check=True)  # noqa: S603
        package = [*Path(folder).glob("*.whl"), ROOT / "constraints.txt"]
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(PLUGIN.rglob("*")):
                if file.is_file() and "__pycache__" not in file.parts and file != METADATA:
                    archive.write(file, file.relative_to(PLUGIN.parent))
            archive.writestr(f"{PLUGIN.name}/{METADATA.name}", metadata(project["version"]))
            archive.write(ROOT / "LICENSE", f"{PLUGIN.name}/LICENSE")
            for file in package:
                archive.write(file, f"{PLUGIN.name}/package/{file.name}")
    return target


def metadata(version: str) -> str:
    """Return metadata.txt with the version of the package; in the checkout it has none."""
    text = METADATA.read_text(encoding="utf-8")
    return text.replace("version=0.0.0\n", f"version={version}\n", 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("dist"))
    print(build(parser.parse_args().out))


if __name__ == "__main__":
    main()
