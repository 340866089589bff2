"""``semimtl-geo map``: several rasters, where to predict, and what is refused how early."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from distributed import LocalCluster

from semimtl_geo.cli import main
from semimtl_geo.commands import map as map_command
from semimtl_geo.mapping.mapper import Mapper
from semimtl_geo.networks.checkpoint import KEY
from semimtl_geo.training.module import SemiMTL
from tests.rasters import noise, write


@pytest.fixture
def work(
    tmp_path: Path, make_model: Callable[..., SemiMTL], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Two rasters, side by side, and a network; the current folder."""
    monkeypatch.chdir(tmp_path)
    model = make_model(gsd=0.3)
    torch.save({"state_dict": model.state_dict(), KEY: model.card.to_plain()}, "net.ckpt")
    for number in range(2):
        image = noise(3, 40, 50, seed=number) // np.uint8(1 + number)
        write(tmp_path / f"{number}.tif", image, gsd=0.3, at=(50 * number, 0))
    return tmp_path


def run(command: str) -> int:
    return main(["map", "--model", *command.split(), "--out", "maps"])


def read(path: str) -> np.ndarray:
    with rasterio.open(path) as file:
        values: np.ndarray = file.read(1)
    return values


def test_several_rasters_give_maps_each_with_the_same_statistics(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("net.ckpt 0.tif 1.tif --confidence") == 0
    printed = capsys.readouterr().out.splitlines()
    said = [line for line in printed if line.startswith("BatchNorm")]
    assert len(set(said)) == 1
    assert "of 2 rasters, without labels" in said[0]
    layers = ("landcover", "height", "landcover_confidence")
    want = [f"maps/{number}_{layer}.tif" for number in range(2) for layer in layers]
    assert [line for line in printed if line.startswith("maps/")] == want
    Mapper.load("net.ckpt").adapt(["0.tif", "1.tif"]).map("1.tif", "by_hand")
    np.testing.assert_array_equal(read("maps/1_height.tif"), read("by_hand/1_height.tif"))


def test_merge_makes_one_map(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("net.ckpt 0.tif 1.tif --merge town --domain b --plausibility --preview") == 0
    layers = ("landcover", "height", "landcover_plausibility", "height_plausibility")
    want = [f"maps/town_{layer}.tif" for layer in layers]
    assert capsys.readouterr().out.splitlines()[3:] == [*want, "maps/town_preview.png"]
    assert all(read(path).shape == (40, 100) for path in want)


def test_bands_by_name(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with rasterio.open("0.tif", "r+") as file:
        file.descriptions = ("red", "green", "nir")
    assert run("net.ckpt 0.tif --bands nir,red,green") == 0
    assert capsys.readouterr().out.splitlines()[0] == "bands: 3 as NIR, 1 as red, 2 as green"


@pytest.mark.parametrize(("gsd", "warns"), [(0.59, False), (0.61, True)])
def test_a_coarse_raster_is_remarked_on(
    work: Path, capsys: pytest.CaptureFixture[str], gsd: float, warns: bool
) -> None:
    write(work / "far.tif", noise(3, 40, 50), gsd=gsd)
    assert run("net.ckpt far.tif") == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "was trained on" in line]
    assert lines == [
        "far.tif: pixels of 0.61 m, the network was trained on 0.3 m; maps of such coarse "
        "images are unreliable"
    ] * int(warns)


def test_on_a_cluster(work: Path) -> None:
    assert run("net.ckpt 0.tif --domain a") == 0
    here = read("maps/0_height.tif")
    settings = {"n_workers": 1, "threads_per_worker": 1, "processes": False}
    with LocalCluster(protocol="tcp://", dashboard_address=None, **settings) as cluster:
        address = f"--cluster {cluster.scheduler_address}"
        assert main(f"map --model net.ckpt 0.tif --domain a --out there {address}".split()) == 0
    np.testing.assert_array_equal(read("there/0_height.tif"), here)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("none.ckpt 0.tif", "none.ckpt: no such file"),
        ("net.ckpt none.tif", "none.tif: does not exist"),
        ("net.ckpt 0.tif other/0.tif", "0.tif and other/0.tif: would give maps of the same name"),
        ("net.ckpt 0.tif 1.tif --merge a/b", "--merge: must be a part of a file name, got 'a/b'"),
        ("net.ckpt 0.tif --area none.gpkg", "none.gpkg: does not exist"),
        ("net.ckpt 0.tif --crs x", "crs x"),
        ("net.ckpt 0.tif --grid x", "invalid choice"),
        ("net.ckpt 0.tif --bands ,", "numbers, such as 4,1,2, or names"),
        ("net.ckpt 0.tif --bands swir,red,green", "swir"),
        ("net.ckpt 0.tif --devices cuda:9", "device cuda:9: is not a device of this machine"),
        ("net.ckpt 0.tif --devices cpu --cluster tcp://x:1", "not allowed with argument"),
        ("net.ckpt 0.tif --cluster tcp://127.0.0.1:9", "no scheduler answers; start one"),
        ("net.ckpt 0.tif --cluster nonsense://x", "no scheduler answers; start one"),
        (
            "net.ckpt 0.tif --plausibility --tile 16",
            "tile: must be larger for a discriminator",
        ),
        ("net.ckpt 0.tif --out net.ckpt", "net.ckpt: cannot be made"),
        ("net.ckpt 0.tif --out net.ckpt/maps", "net.ckpt/maps: cannot be made"),
    ],
)
def test_one_line_and_exit_code_2(
    work: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    says: str,
) -> None:
    monkeypatch.setattr(map_command, "CLUSTER_TIMEOUT", 0.5)
    args = command.split() + ([] if "--out" in command else ["--out", "maps"])
    assert main(["map", "--model", *args]) == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert says in line
    assert not list(work.glob("maps/**/*"))


def test_a_cluster_needs_its_extra(
    work: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert run("net.ckpt 0.tif --cluster tcp://x:1") == 2
    assert "pip install 'semimtl-geo[cluster]'" in capsys.readouterr().err


def test_an_interrupted_run_can_go_on(
    work: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: object, **settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Mapper, "map_many", interrupt)
    assert run("net.ckpt 0.tif") == 130
    assert capsys.readouterr().err.splitlines()[-1] == "interrupted; start again to continue"


@pytest.mark.parametrize("args", ["0.tif none.tif", "0.tif --area none.gpkg", "0.tif d/0.tif"])
def test_what_is_cheap_is_refused_before_torch_is_imported(work: Path, args: str) -> None:
    code = (
        "import sys; from semimtl_geo.cli import main; "
        f"code = main('map net.ckpt {args} --out maps'.split()); "
        "print(code, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "2 False"
