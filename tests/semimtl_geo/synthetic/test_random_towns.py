from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import rasterio

from semimtl_geo.class_schemes import TOWNS
from semimtl_geo.cli import main
from semimtl_geo.synthetic import (
    SyntheticScene,
    make_random_town,
    write_random,
    write_random_towns,
)
from tiles.errors import InvalidValueError

IMPERVIOUS, BUILDING, LOW, TREE, WATER, UNKNOWN = 0, 1, 2, 3, 5, 255


@cache
def some_scenes(bands: str = "red,green,blue") -> tuple[SyntheticScene, ...]:
    return tuple(make_random_town(seed, bands, extent=90.0)[1] for seed in range(10))


def values(landcover: int, layer: str, bands: str = "red,green,blue") -> np.ndarray:
    return np.concatenate(
        [getattr(scene, layer)[..., scene.landcover == landcover] for scene in some_scenes(bands)],
        axis=-1,
    ).astype(np.float64)


def test_all_classes_occur_and_heights_agree_with_them() -> None:
    found = np.concatenate([scene.landcover.ravel() for scene in some_scenes()])
    assert set(np.unique(found)) == {IMPERVIOUS, BUILDING, LOW, TREE, WATER, UNKNOWN}
    assert TOWNS.names[WATER] == "water"
    assert (found == UNKNOWN).mean() < 0.1
    for flat in (IMPERVIOUS, LOW, WATER):
        assert (values(flat, "height") == 0).all()
    assert values(BUILDING, "height").min() >= 2
    assert 15 < values(BUILDING, "height").max() < 30
    assert np.median(values(TREE, "height")) > 3
    assert 15 < values(TREE, "height").max() < 40


def test_leaves_are_green_and_reflect_near_infrared() -> None:
    red, green, blue = values(TREE, "image").mean(axis=1)
    assert green > red
    assert green > blue
    nir, red, _ = values(TREE, "image", "nir,red,green")
    built_nir, built_red, _ = values(IMPERVIOUS, "image", "nir,red,green")
    trees, built = (np.median((a - b) / (a + b)) for a, b in ((nir, red), (built_nir, built_red)))
    assert trees > 0.25
    assert abs(built) < 0.15


def test_scenes_differ_more_than_a_citys() -> None:
    # Between scenes, the mean colour of paved ground differs by more than the sensor's noise.
    means = [scene.image[:, scene.landcover == IMPERVIOUS].mean() for scene in some_scenes()]
    assert np.std(means) > 20
    styles = [make_random_town(seed, extent=20.0)[0] for seed in range(12)]
    for name in ("gsd", "sun_azimuth", "sun_elevation", "blur", "growth"):
        assert len({getattr(style, name) for style in styles}) == 12


def test_files_are_georeferenced_named_and_the_same_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_random, "EXTENT", 50.0)
    folder = write_random_towns(tmp_path / "one", scenes=2, seed=5)
    assert main(["random-towns", f"--out={tmp_path / 'two'}", "--scenes=2", "--seed=5"]) == 0
    files = sorted(file.relative_to(folder) for file in folder.rglob("*.tif"))
    assert len(files) == 3 * (2 + 2)
    bounds = []
    for file in files:
        with (
            rasterio.open(folder / file) as one,
            rasterio.open(tmp_path / "two" / "random" / file) as two,
        ):
            assert one.crs.to_epsg() == 32633
            assert one.transform == two.transform
            np.testing.assert_array_equal(one.read(), two.read())
            if file.parent.name == "image":
                assert one.descriptions == ("red", "green", "blue")
                assert 49 < one.width * one.res[0] < 51
                bounds.append(one.bounds)
            if file.parent.name == "height":
                assert one.units == ("m",)
                assert one.nodata is not None
    for index, one in enumerate(bounds):
        for other in bounds[:index]:
            assert rasterio.coords.disjoint_bounds(one, other)


@pytest.mark.parametrize("arguments", [{"scenes": 0}, {"seed": -1}, {"bands": "red"}])
def test_refuses_what_cannot_be_rendered(tmp_path: Path, arguments: dict[str, object]) -> None:
    with pytest.raises(InvalidValueError):
        write_random_towns(tmp_path, **arguments)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
