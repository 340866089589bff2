"""Data of all scenarios, prepared from the official layouts, for tests to train on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import OpenEXR  # type: ignore[import-not-found]
import pytest

from semimtl_geo.prepare.isprs import potsdam, vaihingen
from semimtl_geo.prepare.pipeline import prepare
from semimtl_geo.prepare.streetview.cityscapes import Cityscapes
from semimtl_geo.prepare.streetview.synscapes import Synscapes
from semimtl_geo.synthetic import write_cities
from tests.frames import save
from tests.rasters import noise, write
from tests.semimtl_geo.prepare.isprs.archives import blocks, colour, corner, jpeg, vaihingen_area

TINY = (
    "--trainer.max_epochs=1",
    "--trainer.accelerator=cpu",
    "--trainer.log_every_n_steps=1",
    "--trainer.check_val_every_n_epoch=1",
    "--data.crop=32",
    "--data.batch_size=2",
    "--data.iterations=1",
    "--data.workers=0",
    "--model.encoder.name=tu-resnet10t",
    "--model.encoder.weights=null",
    "--model.encoder.options={channels: [8, 8, 16, 16], stem_width: 8}",
    "--model.decoder_width=16",
    "--model.discriminator_width=4",
    "--checkpoint.tiles=false",
)
"""Arguments that make any configuration train in a second."""

SCENE = 80
"""Edge of a scene of Potsdam in pixels of 5 cm: 44 px of 9 cm."""
RAW, MADE = (96, 128), (48, 64)
"""Rows and columns of street views, before and after."""


def write_data(scenario: str, root: Path) -> None:
    """Write the data of a scenario, through `prepare` where it has an adapter."""
    raw = root.with_name("raw")
    if scenario in ("cities", "towns"):
        # The towns are read at 1 m.
        size = 96 if scenario == "cities" else 160
        for folder in write_cities(root, scenes=1, size=size).values():
            for file in (folder / "test").glob("*/*_001.tif"):  # one scene is enough
                file.unlink()
        if scenario == "towns":
            (root / "city_a").rename(root / "eugene")
            (root / "city_b").rename(root / "versailles")
    elif scenario == "cross_dataset":
        _isprs(raw, root)
    else:
        _cityscapes(raw, root)
    if scenario == "cross_domain":
        _synscapes(raw, root)


def _isprs(raw: Path, root: Path) -> None:
    """Benchmarks of two scenes each."""
    for seed, scene in enumerate(("2_10", "2_13")):
        x, y = map(int, scene.split("_"))
        place = {"crs": "EPSG:32633", "transform": corner(scene, size=SCENE)}
        images = raw / f"3_Ortho_IRRG/top_potsdam_{scene}_IRRG.tif"
        write(images, noise(3, SCENE, SCENE, seed=seed), **place)
        labels = raw / f"5_Labels_all/top_potsdam_{scene}_label.tif"
        write(labels, colour(noise(SCENE, SCENE, seed=seed) % 6), **place)
        heights = raw / f"1_DSM_normalisation/dsm_potsdam_{x:02}_{y:02}_normalized_lastools.jpg"
        jpeg(heights, blocks(SCENE, SCENE, seed=seed))
    for seed, area in enumerate(("1", "2")):
        vaihingen_area(raw, area, (48, 40), seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(potsdam, "TRAIN", ("2_10",))
        patch.setattr(potsdam, "TEST", ("2_13",))
        patch.setattr(vaihingen, "TRAIN", ("1",))
        patch.setattr(vaihingen, "TEST", ("2",))
        prepare("potsdam", potsdam.Potsdam(val=("none",)), raw, root)
        prepare("vaihingen", vaihingen.Vaihingen(val=("none",)), raw, root)


def _cityscapes(raw: Path, root: Path) -> None:
    """Two frames to train on, one to evaluate, and two of train_extra."""
    cities = {"train": "ulm", "val": "mainz", "train_extra": "erlangen"}
    disparity = np.arange(RAW[0]).repeat(RAW[1]).reshape(RAW).astype(np.uint16) * 100
    camera = {"extrinsic": {"baseline": 0.209313}, "intrinsic": {"fx": 2262.52}}
    for split, city in cities.items():
        for number in range(1 if split == "val" else 2):
            name = f"{split}/{city}/{city}_{number:06}_000019"
            save(raw / f"leftImg8bit/{name}_leftImg8bit.png", noise(*RAW, 3, seed=number))
            save(raw / f"disparity/{name}_disparity.png", disparity)
            if split != "train_extra":
                label_ids = noise(*RAW, seed=number) % np.uint8(34)
                save(raw / f"gtFine/{name}_gtFine_labelIds.png", label_ids)
            settings = raw / f"camera/{name}_camera.json"
            settings.parent.mkdir(parents=True, exist_ok=True)
            settings.write_text(json.dumps(camera), encoding="utf-8")
    prepare("cityscapes", Cityscapes(frames={"train": 2, "val": 1}, size=MADE), raw, root)


def _synscapes(raw: Path, root: Path) -> None:
    """Two frames to train on, one for validation, one to evaluate."""
    raw = raw.with_name("raw_synscapes")
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    depth = np.linspace(2000, 4, RAW[0], dtype=np.float32)[:, None].repeat(RAW[1], axis=1)
    (raw / "img/depth").mkdir(parents=True)
    (raw / "meta").mkdir()
    for number in range(1, 5):
        save(raw / f"img/rgb/{number}.png", noise(*RAW, 3, seed=number))
        save(raw / f"img/class/{number}.png", noise(*RAW, seed=number) % np.uint8(34))
        with OpenEXR.File(header, {"Z": np.ascontiguousarray(depth)}) as file:
            file.write(str(raw / f"img/depth/{number}.exr"))
        (raw / f"meta/{number}.json").write_text("{}", encoding="utf-8")
    frames = {"train": 2, "val": 1, "test": 1}
    prepare("synscapes", Synscapes(frames=frames, size=MADE), raw, root)
