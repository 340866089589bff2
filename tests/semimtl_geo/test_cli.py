"""The command line: what it prints, and one line and exit code 2 for what a user can mend."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import rasterio
import torch
from rasterio.transform import from_origin

from semimtl_geo.cli import main
from semimtl_geo.networks.checkpoint import KEY
from semimtl_geo.training.module import SemiMTL


def write_raster(path: Path, bands: int = 3, crs: str | None = "EPSG:32633") -> Path:
    data = np.random.default_rng(0).integers(1, 255, (bands, 40, 50), dtype=np.uint8)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=50,
        height=40,
        count=bands,
        dtype="uint8",
        crs=crs,
        transform=from_origin(4e5, 5.5e6, 0.27, 0.27),
        photometric="MINISBLACK",
    ) as file:
        file.write(data)
    return path


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("exploded"),))  # type: ignore[return-value]


@pytest.fixture
def work(
    tmp_path: Path, make_model: Callable[..., SemiMTL], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder with a checkpoint, rasters good and bad; the current one."""
    monkeypatch.chdir(tmp_path)
    model = make_model()
    torch.save({"state_dict": model.state_dict(), KEY: model.card.to_plain()}, "good.ckpt")
    torch.save({"weights": torch.zeros(3)}, "other.ckpt")
    torch.save({"state_dict": {}, KEY: model.card.to_plain()}, "empty.ckpt")
    Path("bomb.ckpt").write_bytes(pickle.dumps(Bomb()))
    Path("text.ckpt").write_text("hello", encoding="utf-8")
    Path("text.tif").write_text("hello", encoding="utf-8")
    Path("broken.yaml").write_text("a: [", encoding="utf-8")
    Path("list.yaml").write_text("- a", encoding="utf-8")
    write_raster(Path("good.tif"))
    write_raster(Path("one.tif"), bands=1)
    write_raster(Path("four.tif"), bands=4)
    write_raster(Path("nowhere.tif"), crs=None)
    return tmp_path


CITIES = Path(__file__).parents[2] / "configs" / "cities" / "base.yaml"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("", "required: command"),
        ("fly", "invalid choice"),
        ("map --model good.ckpt good.tif", "required: --out"),
        ("map --model none.ckpt good.tif --out maps", "none.ckpt: no such file"),
        (
            "map --model other.ckpt good.tif --out maps",
            "other.ckpt: is not a checkpoint of semimtl_geo",
        ),
        ("map --model empty.ckpt good.tif --out maps", "empty.ckpt: is damaged"),
        ("map --model bomb.ckpt good.tif --out maps", "bomb.ckpt: cannot be loaded safely"),
        ("map --model text.ckpt good.tif --out maps", "text.ckpt: cannot be loaded safely"),
        ("map --model good.ckpt none.tif --out maps", "none.tif: does not exist"),
        ("map --model good.ckpt text.tif --out maps", "text.tif: cannot be read as a raster"),
        ("map --model good.ckpt one.tif --out maps", "one.tif: 1 bands, the network wants 3"),
        ("map --model good.ckpt four.tif --out maps", "four.tif: 4 bands, the network wants 3"),
        ("map --model good.ckpt good.tif --bands 1,2,7 --out maps", "good.tif: has 3 bands"),
        (
            "map --model good.ckpt good.tif --bands x,y,z --out maps",
            "good.tif: has no band named x",
        ),
        ("map --model good.ckpt nowhere.tif --out maps", "nowhere.tif: has no coordinate"),
        ("map --model good.ckpt good.tif --domain c --out maps", "domain c: the network was"),
        ("map --model good.ckpt good.tif --tile 0 --out maps", "tile: must be >= 1 px, got 0"),
        (
            "map --model good.ckpt good.tif --out s3://maps",
            "s3://maps: is not on a disk; write to a folder",
        ),
        ("ndsm good.tif --out /vsimem/x.tif", "/vsimem/x.tif: is not on a disk"),
        (f"train --config {CITIES} --out gs://runs/mine", "gs://runs/mine: is not on a disk"),
        ("map --model good.ckpt good.tif --out good.ckpt", "good.ckpt: cannot be made"),
        ("evaluate --model good.ckpt nothing", "nothing: has no image/*.tif"),
        ("cities --out cities --scenes 0", "scenes"),
        ("ndsm none.tif --out ndsm.tif", "none.tif"),
        ("ndsm nowhere.tif --out ndsm.tif", "nowhere.tif: has no coordinate"),
        ("buildings none", "none"),
        ("buildings .", "landcover"),
        ("demo --iterations 1", "--iterations: must be >= 5, got 1"),
        ("train --config none.yaml", 'none.yaml: Parser key "config": File does not exist'),
        ("train --config broken.yaml", "broken.yaml: cannot be read as YAML"),
        ("train --config list.yaml", "list.yaml: Unexpected config"),
        (f"train --config {CITIES} --model.system fly", "model.system"),
        (f"train --config {CITIES} --out run --data.root nowhere", "no such folder"),
    ],
)
def test_one_line_and_exit_code_2(
    work: Path, capfd: pytest.CaptureFixture[str], command: str, says: str
) -> None:
    before = set(work.iterdir())
    assert main(command.split()) == 2
    error = capfd.readouterr().err.strip().splitlines()
    assert says in error[-1]
    assert len(error) == 1 or command.startswith("train --config " + str(CITIES))
    made = {path for path in set(work.iterdir()) - before if path.name not in ("maps", "run")}
    assert not made
    assert not list(work.glob("maps/*"))


def test_map_prints_what_it_made(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map", "--model", "good.ckpt", "good.tif", "--out", "maps"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"BatchNorm statistics: re-estimated on \d+ crops of the raster, without labels", printed[1]
    )
    assert printed[0] == "bands: 1 as NIR, 2 as red, 3 as green"
    tiles = r"tiles of up to \d+ px that overlap by \d+ px, (bfloat16|float32)"
    assert re.fullmatch(tiles, printed[2])
    assert printed[3:] == ["maps/good_landcover.tif", "maps/good_height.tif"]
    assert all(Path(file).is_file() for file in printed[3:])


def test_map_with_confidence_and_preview(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(
            [
                "map",
                "--model",
                "good.ckpt",
                "good.tif",
                "--confidence",
                "--preview",
                "--out",
                "maps",
            ]
        )
        == 0
    )
    files = capsys.readouterr().out.splitlines()[3:]
    assert [Path(file).name for file in files] == [
        "good_landcover.tif",
        "good_height.tif",
        "good_landcover_confidence.tif",
        "good_preview.png",
    ]
    with rasterio.open(files[2]) as made:
        # Of three classes the likeliest has a third at least.
        assert made.read(1).min() >= 33
        assert made.read(1).max() <= 100
    picture = plt.imread(files[3])
    # The legend shows the colour of every class, the image its own.
    for color in ((1, 1, 1), (0, 0, 1), (0, 1, 0)):
        assert (picture[..., :3] == color).all(axis=-1).any()


def test_map_with_a_training_domains_statistics(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        main(
            [
                "map",
                "--model",
                "good.ckpt",
                "four.tif",
                "--bands",
                "4,1,2",
                "--domain",
                "b",
                "--out",
                "maps",
            ]
        )
        == 0
    )
    assert "of the training domain b" in capsys.readouterr().out


def test_cities(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cities", "--out", "cities", "--seed", "3", "--scenes", "1", "--size", "64"]) == 0
    assert capsys.readouterr().out.split() == ["cities/city_a", "cities/city_b"]
    assert len(list(work.glob("cities/*/train/image/*.tif"))) == 2


def test_evaluate_prints_the_papers_columns(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("image", "landcover", "height"):
        (work / "a" / "test" / name).mkdir(parents=True)
    write_raster(work / "a" / "test" / "image" / "x.tif")
    write_raster(work / "a" / "test" / "landcover" / "x.tif", bands=1)
    write_raster(work / "a" / "test" / "height" / "x.tif", bands=1)
    with rasterio.open(work / "a" / "test" / "landcover" / "x.tif", "r+") as file:
        file.write(np.ones((1, 40, 50), np.uint8))
    assert main(["evaluate", "--model", "good.ckpt", "a/test", "--out", "scored"]) == 0
    printed = capsys.readouterr().out
    assert "| domain | method | pAcc | mIoU |" in printed
    assert "| a | semimtl |" in printed
    text = (work / "scored" / "scores.json").read_text(encoding="utf-8")
    json.loads(text, parse_constant=pytest.fail)  # NaN is not JSON
