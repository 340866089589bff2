"""The whole pipeline at its smallest: every step of the demo, and everything that it leaves."""

from __future__ import annotations

from html import escape
from pathlib import Path

import pytest
import rasterio

from semimtl_geo.commands import demonstration as demo_module
from semimtl_geo.networks.checkpoint import load_generator
from semimtl_geo.samples import sample_scenes
from tiles.errors import InputError


def test_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo_module, "SCENES", 1)
    monkeypatch.setattr(demo_module, "SIZE", 136)
    monkeypatch.setattr(demo_module, "EPOCHS", 1)
    out = tmp_path / "demo"
    demo_module.demo(out, iterations=1)

    card, _ = load_generator(out / "semimtl.ckpt")
    assert card.domains == ("city_a", "city_b")
    images = sorted((out / "cities").glob("*/test/image/*.tif"))
    assert len(images) == 4
    for image in images:
        for task in ("landcover", "height"):
            made = out / "maps" / f"{image.stem}_{task}.tif"
            assert made.with_suffix(".qml").is_file()
            with rasterio.open(made) as map_, rasterio.open(image) as scene:
                assert map_.transform == scene.transform
                assert map_.crs == scene.crs
                assert map_.shape == scene.shape
    report = (out / "report.html").read_text(encoding="utf-8")
    printed = capsys.readouterr().out
    real = report[report.index("<h2>Real orthophotos</h2>") :]
    for scene in sample_scenes():
        assert scene.attribution in printed
        assert escape(scene.attribution) in real
        assert f"| {scene.town.capitalize()} | towns |" in printed
        assert f"{scene.town.capitalize()}, height, truth" in real
        assert f"{scene.town.capitalize()}, land cover, towns" in real
        assert (out / "samples" / scene.image.name).read_bytes() == scene.image.read_bytes()
        for task in ("landcover", "height"):
            made = out / "samples" / f"{scene.image.stem}_{task}.tif"
            with rasterio.open(made) as map_, rasterio.open(scene.image) as image:
                assert (map_.crs, map_.transform) == (image.crs, image.transform)
                assert map_.tags()["SEMIMTL_MODEL"] == "towns.safetensors"
    assert str(out / "samples") in printed
    methods = ("JTL, recommended", "SemiMTL", "JTL", "STL_Seg", "STL_Depth")
    rows = {(city, method) for city in ("city_a", "city_b") for method in methods}
    # Statistics are re-estimated where a network meets a city that it never saw.
    rows.add(("city_a", "STL_Depth, statistics re-estimated"))
    rows.add(("city_b", "STL_Seg, statistics re-estimated"))
    lines = [line for line in printed.splitlines() if line.startswith("| city_")]
    assert sorted(tuple(line.split(" | ")[:2]) for line in lines) == sorted(
        (f"| {city}", method) for city, method in rows
    )
    for _, method in rows:
        assert f'<th scope="row">{method}</th>' in report
    last = printed.strip().splitlines()[-3:]
    assert str(out / "report.html") in last[0]
    assert str(out / "maps") in last[1]
    assert str(out / "semimtl.ckpt") in last[2]


def test_too_few_iterations(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--iterations: must be >= 5, got 1"):
        demo_module.demo(tmp_path / "demo", iterations=1)
    assert not (tmp_path / "demo").exists()


def test_only_what_a_demo_made_is_replaced(tmp_path: Path) -> None:
    demo_module.claim_folder(tmp_path / "mine")
    (tmp_path / "mine" / "runs").mkdir()
    demo_module.claim_folder(tmp_path / "mine")
    trained = tmp_path / "yours" / "runs" / "jtl.ckpt"
    trained.parent.mkdir(parents=True)
    trained.touch()
    with pytest.raises(InputError, match="yours: has content that is not of a demo"):
        demo_module.demo(tmp_path / "yours")
    assert [*(tmp_path / "yours").rglob("*")] == [trained.parent, trained]
