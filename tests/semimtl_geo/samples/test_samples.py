"""The sample scenes: small, real, on one grid with their labels, and attributed."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from semimtl_geo.samples import SampleScene, sample_scenes
from semimtl_geo.samples import scenes as scenes_module

SCENES = sample_scenes()
CRS = {"eugene": "EPSG:2993", "versailles": "EPSG:3088"}


def test_there_is_one_of_each_town_and_they_are_small() -> None:
    assert [scene.town for scene in SCENES] == sorted(CRS)
    folder = SCENES[0].folder.parents[1]
    assert sum(file.stat().st_size for file in folder.rglob("*.tif")) <= 500_000


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.town)
def test_labels_lie_on_the_image(scene: SampleScene) -> None:
    with rasterio.open(scene.image) as image:
        assert image.crs.to_string() == CRS[scene.town]
        assert image.res == (0.5, 0.5)
        assert image.dtypes == ("uint8",) * 3
        assert image.read().std() > 20
        grid = (image.crs, image.transform, image.shape)
    known = {}
    for name, path in scene.labels.items():
        with rasterio.open(path) as labels:
            assert (labels.crs, labels.transform, labels.shape) == grid
            known[name] = labels.read(1, masked=True)
    cover, height = known["landcover"], known["height"]
    assert set(np.unique(cover.compressed())) == {0, 1, 2, 3}
    assert -1 < height.min() < height.max() < 50
    # By construction of the labels (ATTRIBUTION.md): heights alone tell both groups apart.
    raised = np.isin(cover.filled(255), (1, 3))
    assert height[raised].min() >= 2
    assert height[np.isin(cover.filled(255), (0, 2))].max() <= 2


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.town)
def test_the_source_is_named_in_the_image_and_beside_it(scene: SampleScene) -> None:
    with rasterio.open(scene.image) as image:
        assert image.tags()["TIFFTAG_COPYRIGHT"] == scene.attribution
    text = (scene.folder.parents[1] / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert scene.attribution in " ".join(text.split())
    assert scenes_module.ATTRIBUTIONS.keys() == CRS.keys()
